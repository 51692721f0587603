import type { Lines } from '../../dockerfile/index.ts';

/**
 * A step that this process does not carry out exactly as BuildKit does. Thrown inside the image room alone; the plan turns it into
 * a decision for BuildKit that names the reason.
 */
export class Unmodelled extends Error {
  override readonly name = 'Unmodelled';
  readonly reason: string;
  readonly lines: Lines | undefined;

  constructor(reason: string, lines?: Lines) {
    super(reason);
    this.reason = reason;
    this.lines = lines;
  }
}
