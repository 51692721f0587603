import { availableParallelism } from 'node:os';

/** What libuv has by itself, whatever the number of cores. */
const LEAST = 4;

/**
 * Lets compression, hashing and file access use all cores: Node does them in a pool of four threads, on however many cores. Whoever
 * has set the variable himself is right. libuv reads it when the pool is first used, which is after an entry's own modules are loaded
 * and before anything is done; later it has no effect. Node processes that are started from here inherit it, which does them no harm.
 */
export function useAllCores(cores: number = availableParallelism()): void {
  process.env.UV_THREADPOOL_SIZE ||= String(Math.max(LEAST, cores));
}
