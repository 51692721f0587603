import type { Task } from '../../shared/host/index.ts';
import { keyOf, type ObjectId } from '../../shared/kubernetes/index.ts';
import type { Follow, WorkloadProgress } from '../../shared/rollout/index.ts';
import { countsOf } from './report.ts';

/** A task that is opened by one event and ended by another. */
interface Open {
  readonly task: Promise<Task>;
  /** Ends it, well or not, and waits until that is shown. */
  readonly end: (well: boolean) => Promise<void>;
}

function open(parent: Promise<Task>, title: string): Open {
  const opened = Promise.withResolvers<Task>();
  const ended = Promise.withResolvers<void>();
  const over = parent
    .then((task) =>
      task.task(title, async (own) => {
        opened.resolve(own);
        await ended.promise;
      }),
    )
    // That it did not go well is what its mark says; the reasons are told by the run.
    .catch(() => {});
  return {
    task: opened.promise,
    end: async (well) => {
      // Opened by then: a task that is over before it is begun would never be shown.
      await opened.promise;
      if (well) ended.resolve();
      else ended.reject(new Error(title));
      await over;
    },
  };
}

/** Shows a rollout while it happens: a task for each phase, and in it one for each workload, with its counts and its lines. */
export class LiveRun {
  readonly #parent: Task;
  #phase: (Open & { readonly name: string }) | undefined;
  #rows = new Map<string, { readonly row: Open; complete: boolean }>();

  constructor(parent: Task) {
    this.#parent = parent;
  }

  follow(signal: AbortSignal): Follow {
    return {
      signal,
      onPhase: (phase, sentence) => this.#enter(phase, sentence),
      onProgress: (workload) => this.#progress(workload),
      onLine: (id, line) => this.line(id, line),
    };
  }

  /** A line about an object, or about the run as a whole. */
  line(id: ObjectId | undefined, line: string): void {
    const place = (id && this.#rows.get(keyOf(id))?.row) ?? this.#phase;
    if (place === undefined) this.#parent.log(line);
    else void place.task.then((task) => task.log(line));
  }

  /** Ends what is open; `well` says how the last phase ended, unless one of its workloads says that it did not. */
  async end(well: boolean): Promise<void> {
    const [rows, phase] = [[...this.#rows.values()], this.#phase];
    this.#rows = new Map();
    this.#phase = undefined;
    await Promise.all(rows.map(({ row, complete }) => row.end(complete)));
    await phase?.end(well && rows.every(({ complete }) => complete));
  }

  #enter(name: string, sentence: string): void {
    if (this.#phase?.name === name && name === 'waiting') {
      void this.#phase.task.then((task) => task.note(sentence));
      return;
    }
    void this.end(true);
    const title = sentence.charAt(0).toUpperCase() + sentence.slice(1);
    this.#phase = { name, ...open(Promise.resolve(this.#parent), title) };
  }

  #progress(workload: WorkloadProgress): void {
    const key = keyOf(workload.id);
    const parent = this.#phase?.task ?? Promise.resolve(this.#parent);
    const one = this.#rows.get(key) ?? {
      row: open(parent, `${workload.id.kind} ${workload.id.name}`),
      complete: false,
    };
    this.#rows.set(key, one);
    one.complete = workload.state === 'complete';
    void one.row.task.then((task) => task.note(countsOf(workload)));
    if (workload.state === 'complete' || workload.state === 'failed') void one.row.end(one.complete);
  }
}
