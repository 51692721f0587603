import { setTimeout as wait } from 'node:timers/promises';
import type { Failure } from '../host/index.ts';

/** Time and chance, so that tests can own them. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(milliseconds: number, signal: AbortSignal | undefined): Promise<void>;
  /** Between 0 and 1. */
  random(): number;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    await wait(milliseconds, undefined, signal === undefined ? {} : { signal });
  },
  random: Math.random,
};

/** How often and how long something that may pass is tried again. */
export interface RetryPolicy {
  readonly attempts: number;
  /** Milliseconds before the second attempt; doubled for each that follows. */
  readonly first: number;
  readonly longest: number;
  /** Milliseconds of waiting in all, after which no more is tried, whatever a server asks for. */
  readonly total: number;
}

export const DEFAULT_RETRIES: RetryPolicy = { attempts: 6, first: 250, longest: 8_000, total: 60_000 };

/** Thrown by an attempt that failed for a reason which may pass; `failure` is what is said when it does not. */
export class Passing extends Error {
  readonly failure: Failure;
  /** Milliseconds that the server asked to wait. */
  readonly after: number | undefined;

  constructor(failure: Failure, after?: number) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.after = after;
  }
}

/**
 * Makes attempts until one does not throw Passing. Waits grow twofold with half of them left to chance, or are what the server
 * asked for. Gives up with the last failure when attempts or waiting time run out.
 */
export async function retrying<T>(
  attempt: (number: number) => Promise<T>,
  {
    policy = DEFAULT_RETRIES,
    clock = systemClock,
    signal,
    onRetry,
  }: {
    readonly policy?: RetryPolicy | undefined;
    readonly clock?: Clock | undefined;
    readonly signal?: AbortSignal | undefined;
    readonly onRetry?: ((failure: Failure, milliseconds: number) => void) | undefined;
  },
): Promise<T> {
  let waited = 0;
  for (let number = 0; ; number++) {
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof Passing)) throw error;
      const grown = Math.min(policy.first * 2 ** number, policy.longest) * (0.5 + clock.random() / 2);
      const pause = error.after ?? grown;
      if (number + 1 >= policy.attempts || waited + pause > policy.total) throw error.failure;
      waited += pause;
      onRetry?.(error.failure, pause);
      await clock.sleep(pause, signal);
    }
  }
}

/** Milliseconds of a Retry-After header: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, now: number = Date.now()): number | undefined {
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
