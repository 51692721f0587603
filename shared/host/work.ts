import type { Task } from './host.ts';

/** A task as the views see it: what it said so far, in the order in which it said it. */
export interface Work {
  readonly title: string;
  /** 0 for the tasks of the host itself, -1 for the host. */
  readonly depth: number;
  readonly started: number;
  readonly items: (string | Work)[];
  state: 'running' | 'done' | 'failed';
  ended: number;
  note: string;
}

/** Shows work while it happens. `changed` comes after every change; `closed` once more when all is over. */
export interface WorkView {
  opened(work: Work): void;
  changed(work: Work): void;
  closed(work: Work): void;
  /** Prints a line outside of all tasks at once, such as an annotation. */
  print(line: string): void;
  /** Prints what is still held back and gives the terminal back. */
  end(): void;
}

export const createRoot = (now: number): Work => ({
  title: '',
  depth: -1,
  started: now,
  items: [],
  state: 'running',
  ended: 0,
  note: '',
});

interface Surroundings {
  readonly view: WorkView;
  readonly clock: () => number;
  /** Applied before anything is cut or wrapped: half a secret would not be known for one any more. */
  readonly mask: (text: string) => string;
}

/** The Task of a piece of work: what is said on it goes into `work` and the view is told. */
export function createTask(work: Work, around: Surroundings): Task {
  const { view, clock, mask } = around;
  return {
    task: async (title, run) => {
      const child: Work = { ...createRoot(clock()), title: mask(oneLine(title)), depth: work.depth + 1 };
      work.items.push(child);
      view.opened(child);
      try {
        const result = await run(createTask(child, around));
        child.state = 'done';
        return result;
      } catch (error) {
        child.state = 'failed';
        throw error;
      } finally {
        child.ended = clock();
        view.closed(child);
      }
    },
    log: (line) => {
      // The runner ends a line at a bare carriage return too: a progress bar is many lines, and none may hide behind another.
      for (const one of mask(line.replace(/\r?\n$/, '')).split(/\r\n|\n|\r/)) work.items.push(one);
      view.changed(work);
    },
    note: (text) => {
      work.note = mask(oneLine(text));
      view.changed(work);
    },
  };
}

const oneLine = (text: string) => text.replace(/\s*[\r\n]+\s*/g, ' ').trim();
