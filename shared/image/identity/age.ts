import type { Digest } from '../../content/index.ts';

const DAY = 24 * 3600;

/** Seconds for which what ages is believed where nothing else is said. */
export const MAX_AGE = 7 * DAY;

/**
 * The stretch of time that a moment lies in, as a part of a key: results made in it are found in it and never later. Each key has
 * stretches that begin at another time, so that not everything is made again in one night. No store needs to know of time.
 */
export function period(key: Digest, maxAge: number, now: number): string {
  const offset = (Number.parseInt(key.slice('sha256:'.length, 'sha256:'.length + 8), 16) / 2 ** 32) * maxAge;
  return `${Math.floor((now / 1000 + offset) / maxAge)} of ${maxAge} s`;
}
