/** Bytes that one go build may need at its peak: linking a program of 100 MB with debug information takes about this much. */
const MEMORY_PER_BUILD = 1.5 * 2 ** 30;

/** How many builds run at once, and how many compilers each may start, so that jobs × compilers stays within the cores. */
export interface Parallelism {
  readonly jobs: number;
  /** Value of `-p`. */
  readonly compilers: number;
}

/** Shares the machine between builds. `limit` is what the user allows at most; memory is in bytes. */
export function shareMachine(
  builds: number,
  machine: { readonly cores: number; readonly memory: number },
  limit?: number,
): Parallelism {
  const byMemory = Math.max(1, Math.floor(machine.memory / MEMORY_PER_BUILD));
  const jobs = Math.max(1, Math.min(builds, machine.cores, byMemory, limit ?? Number.POSITIVE_INFINITY));
  return { jobs, compilers: Math.max(1, Math.floor(machine.cores / jobs)) };
}

/** Runs at most `jobs` pieces of work at once, in the order in which they are handed in. */
export class Pool {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(jobs: number) {
    this.#free = jobs;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
