import type { Lines } from '../dockerfile/index.ts';

/** Thrown inside this room only, to leave the reading of a stage at the first line that does more than compile Go. */
export class Beyond extends Error {
  readonly lines: Lines;
  constructor(because: string, lines: Lines) {
    super(because);
    this.lines = lines;
  }
}
