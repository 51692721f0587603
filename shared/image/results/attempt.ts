import { setTimeout as sleep } from 'node:timers/promises';
import { formatDuration, type Task } from '../../host/index.ts';

/** A piece of work with a store that may fail. */
export interface Attempt {
  /** What is not done when it fails, as the beginning of a sentence: `No results of stages from ghcr.io/org/app`. */
  readonly otherwise: string;
  /** Milliseconds after which it is given up. */
  readonly patience: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Does work that saves time and no more: what goes wrong is told in the log, and undefined stands for what would have come. Only a run
 * that was cancelled ends here.
 */
export async function attempt<T>(
  { otherwise, patience, signal }: Attempt,
  task: Task,
  work: () => Promise<T>,
): Promise<T | undefined> {
  const over = new AbortController();
  try {
    return await Promise.race([work(), givenUp(patience, over.signal)]);
  } catch (error) {
    if (signal?.aborted) throw error;
    const why = error instanceof Error ? error.message : String(error);
    task.log(`${otherwise}: ${why.replace(/\.$/, '')}.`);
    return undefined;
  } finally {
    over.abort();
  }
}

async function givenUp(milliseconds: number, signal: AbortSignal): Promise<never> {
  await sleep(milliseconds, undefined, { signal, ref: false });
  throw new Error(`no end after ${formatDuration(milliseconds)}`);
}
