import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it: its parent and the memory that is resident. */
export interface ProcessMemory {
  readonly pid: number;
  readonly parent: number;
  /** Bytes. */
  readonly resident: number;
}

const PAGE = 4096;

/** All processes of this machine; what ends meanwhile is left out. */
export function processes(): ProcessMemory[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      // The second field is the program's name in brackets and may hold anything: fields are counted from its end.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(name), parent: Number(fields[1]), resident: Number(fields[21]) * PAGE }];
    } catch {
      return [];
    }
  });
}

/**
 * Resident memory of all that descends from a process, itself and what is below the excluded ones apart. Pages that processes share are
 * counted for each.
 */
export function memoryBelow(
  all: readonly ProcessMemory[],
  root: number,
  excluded: ReadonlySet<number>,
): number {
  const parents = new Map(all.map((one) => [one.pid, one.parent]));
  const counts = (pid: number): boolean => {
    for (let one: number | undefined = pid; one !== undefined && one > 1; one = parents.get(one)) {
      if (excluded.has(one)) return false;
      if (one === root) return one !== pid;
    }
    return false;
  };
  return all.reduce((sum, one) => (counts(one.pid) ? sum + one.resident : sum), 0);
}

/** Watches, every tenth of a second, the memory of all that this process starts from now on; what runs already is not counted. */
export class MemoryWatch implements Disposable {
  readonly #excluded: ReadonlySet<number>;
  #peak = 0;
  readonly #timer = setInterval(() => this.#sample(), 100);

  constructor() {
    const mine = processes().filter(({ parent }) => parent === process.pid);
    this.#excluded = new Set(mine.map(({ pid }) => pid));
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  /** Bytes of the largest sample. */
  get peak(): number {
    return this.#peak;
  }

  #sample(): void {
    this.#peak = Math.max(this.#peak, memoryBelow(processes(), process.pid, this.#excluded));
  }
}
