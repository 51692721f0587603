import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a host owns of its process: the signals that cancel it and a folder for temporary files. */
export interface ProcessEdge {
  readonly signal: AbortSignal;
  /** Made at the first call: most runs need none. */
  temporary(): string;
  close(): void;
}

/** SIGHUP: the terminal was closed. Children have process groups of their own and would live on without us. */
const CANCELLING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * The first signal that cancels aborts the signal and leaves the process time to end its children; `onSecond` decides what the
 * next one does. A runner sends SIGINT, 7.5 s later SIGTERM, and 2.5 s later kills.
 */
export function createProcessEdge(
  parent: string = tmpdir(),
  onFirst: () => void = () => {},
  onSecond: () => void = () => {},
): ProcessEdge {
  const controller = new AbortController();
  let folder: string | undefined;
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) return onSecond();
    controller.abort(new Cancelled(name));
    onFirst();
  };
  for (const name of CANCELLING) process.on(name, onSignal);
  return {
    signal: controller.signal,
    temporary: () => {
      folder ??= mkdtempSync(join(parent, 'slipway-'));
      return folder;
    },
    close: () => {
      for (const name of CANCELLING) process.off(name, onSignal);
      if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** The reason of the host's aborted signal. */
export class Cancelled extends Error {
  override readonly name = 'Cancelled';
  constructor(by: string) {
    super(`Cancelled by ${by}.`);
  }
}
