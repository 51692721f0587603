import { setTimeout as sleep } from 'node:timers/promises';
import { Failure } from '../../host/index.ts';
import { ApiError } from '../../kubernetes/index.ts';

/** Milliseconds before each further attempt: a load balancer in front of a control plane that restarts answers 502 so long. */
const PAUSES = [250, 500, 1000, 2000, 4000, 8000];

/**
 * Makes a write again whose answer was lost or that a gateway refused. Only for writes over a version, which change nothing when they
 * are made twice: the second one is refused as a conflict, and the caller looks whose the first one was.
 */
export async function persist<T>(write: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES) {
    try {
      return await write();
    } catch (error) {
      if (!isPassing(error)) throw error;
      await sleep(pause);
    }
  }
  return await write();
}

const isPassing = (error: unknown): boolean =>
  error instanceof ApiError ? error.status >= 500 : error instanceof Failure;
