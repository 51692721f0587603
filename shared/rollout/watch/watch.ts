import { Failure, formatDuration } from '../../host/index.ts';
import {
  ApiError,
  type Cluster,
  formatId,
  type KubeObject,
  keyOf,
  type WatchEvent,
} from '../../kubernetes/index.ts';
import { isOfCustomKind } from '../diagnosis/company.ts';
import { type Diagnosis, deadlineCause, diagnose, inOrder } from '../diagnosis/diagnose.ts';
import type { Cause, Observation, Outcome, PodTimeline, WorkloadProgress } from '../outcome.ts';
import { type Completion, completionOf, progressOf } from './completion.ts';
import { type Source, sourcesFor } from './feeds.ts';
import { createInquiry } from './inquiry.ts';
import { createLines } from './lines.ts';
import { createModel, fold, type Model, type PodState, readNotice, type WorkloadState } from './model.ts';
import { belongsToRevision } from './revision.ts';
import { steadyAt } from './steady.ts';
import type { Target, WatchOptions } from './target.ts';

/** How long a verdict waits for the last lines of a log that was asked for. */
const LOG_TIME = 1500;

const NOTHING: Diagnosis = { causes: [], suspected: [], due: undefined, sightings: new Map() };

/**
 * Watches workloads until all of them run the revision that was applied, or until one of them shows a cause for which it will not.
 * It lists and watches, and never asks twice: workloads, their ReplicaSets or revisions, pods, events. Without leave to see events
 * or pods it goes on with less evidence; without leave to see the workloads the outcome is `unknown`.
 */
export async function watchRollout(
  cluster: Cluster,
  targets: readonly Target[],
  options: WatchOptions,
): Promise<Observation> {
  const started = Date.now();
  if (targets.length === 0)
    return { outcome: { kind: 'complete' }, workloads: [], pods: [], started, ended: started };
  using observer = new Observer(cluster, targets, options, started);
  const outcome = await observer.outcome;
  return observer.observation(outcome);
}

/** Owns the watches and timers of one observation. */
class Observer {
  readonly #model: Model;
  readonly #options: WatchOptions;
  readonly #started: number;
  readonly #stop = new AbortController();
  readonly #settled = Promise.withResolvers<Outcome>();
  readonly #sources: readonly Source[];
  readonly #unsynced: Set<Source>;
  readonly #touched = new Set<WorkloadState>();
  readonly #diagnoses = new Map<WorkloadState, Diagnosis>();
  /** What was last judged of each workload; only those that were touched are judged again. */
  readonly #completions = new Map<WorkloadState, Completion>();
  readonly #steady = new Map<WorkloadState, number>();
  readonly #shown = new Map<WorkloadState, string>();
  readonly #lines;
  readonly #inquiry;
  #timer: NodeJS.Timeout | undefined;
  #evaluation: NodeJS.Immediate | undefined;
  #failing: readonly Cause[] = [];
  #deadline: NodeJS.Timeout;

  constructor(cluster: Cluster, targets: readonly Target[], options: WatchOptions, started: number) {
    this.#model = createModel(targets, options.beside?.filter(isOfCustomKind));
    this.#options = options;
    this.#started = started;
    this.#lines = createLines(started);
    this.#inquiry = createInquiry(cluster, this.#model, (workload) => this.#touch(workload));
    this.#sources = sourcesFor(targets);
    this.#unsynced = new Set(this.#sources);
    this.#deadline = setTimeout(() => this.#timeIsOver(), options.timeout);
    options.signal.addEventListener('abort', this.#aborted);
    if (options.signal.aborted) this.#aborted();
    for (const workload of this.#model.workloads.values()) this.#touched.add(workload);
    for (const source of this.#sources) void this.#follow(cluster, source);
  }

  get outcome(): Promise<Outcome> {
    return this.#settled.promise;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#options.signal.removeEventListener('abort', this.#aborted);
    clearTimeout(this.#deadline);
    clearTimeout(this.#timer);
    clearImmediate(this.#evaluation);
  }

  observation(outcome: Outcome): Observation {
    const ended = Date.now();
    const failed = new Set(
      outcome.kind === 'failed' ? outcome.causes.map(({ workload }) => keyOf(workload)) : [],
    );
    const workloads = [...this.#model.workloads.values()];
    const progress = workloads.map((workload) => progressOf(workload, failed.has(keyOf(workload.id)), ended));
    progress.forEach((one, index) => void this.#show(workloads[index]!, one));
    return {
      outcome,
      workloads: progress,
      pods: workloads.flatMap(timelinesOf),
      started: this.#started,
      ended,
    };
  }

  readonly #aborted = (): void =>
    this.#settled.resolve({
      kind: 'unknown',
      because: 'The watching was stopped before the rollout came to an end.',
    });

  async #follow(cluster: Cluster, source: Source): Promise<void> {
    try {
      for await (const event of cluster.watch(source.query, this.#stop.signal)) this.#take(source, event);
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#lost(source, error);
    }
  }

  /** What cannot be watched is said; without the workloads themselves nothing can be. */
  #lost(source: Source, error: unknown): void {
    const { kind, namespace } = source.query;
    if (!(error instanceof ApiError || error instanceof Failure)) {
      this.#settled.reject(error);
      return;
    }
    const where = namespace === undefined ? '' : ` in ${namespace}`;
    if (source.loses === undefined) {
      const because = `${kind}s${where} cannot be watched: ${error.message}`;
      this.#settled.resolve({ kind: 'unknown', because });
      return;
    }
    this.#model.unseen.push(
      `Not seen: ${source.loses} (${kind}s${where} cannot be watched: ${error.message})`,
    );
    this.#synced(source);
  }

  #synced(source: Source): void {
    this.#unsynced.delete(source);
    if (this.#unsynced.size === 0)
      for (const workload of this.#model.workloads.values()) this.#touch(workload);
  }

  #take(source: Source, event: WatchEvent): void {
    if (event.type === 'synced') {
      this.#synced(source);
      return;
    }
    const uid = event.object.metadata.uid ?? '';
    const before = source.feed === 'pod' ? this.#model.owners.get(uid)?.pods.get(uid) : undefined;
    const workload = fold(this.#model, source.feed, event, Date.now());
    if (workload === undefined) return;
    this.#tell(workload, source, event.object, before);
    this.#touch(workload);
  }

  #tell(workload: WorkloadState, source: Source, object: KubeObject, before: PodState | undefined): void {
    const { feed } = source;
    const pod = feed === 'pod' ? workload.pods.get(object.metadata.uid ?? '') : undefined;
    const lines =
      feed === 'event'
        ? this.#lines.notice(workload, readNotice(object), !this.#unsynced.has(source))
        : pod === undefined
          ? []
          : this.#lines.pod(workload, before, pod);
    for (const line of lines) this.#options.onLine(workload.id, line);
  }

  /** What is told in one go is judged in one go. */
  #touch(workload: WorkloadState): void {
    this.#touched.add(workload);
    this.#evaluation ??= setImmediate(() => {
      this.#evaluation = undefined;
      this.#evaluate();
    });
  }

  /** A fault of ours must reach who waits, not the process: a rollout is under way. */
  #evaluate(): void {
    try {
      this.#judge();
    } catch (error) {
      this.#settled.reject(error);
    }
  }

  #judge(): void {
    const now = Date.now();
    for (const workload of this.#touched) this.#show(workload, progressOf(workload, false, now));
    // Before all lists are there, what is missing is not missing.
    if (this.#unsynced.size > 0) return;
    for (const workload of [...this.#touched]) this.#diagnose(workload, now);
    this.#touched.clear();
    this.#conclude(now);
  }

  #diagnose(workload: WorkloadState, now: number): void {
    const before = this.#diagnoses.get(workload) ?? NOTHING;
    const diagnosis = diagnose(this.#model, workload, before.sightings, now, this.#options.patience);
    this.#diagnoses.set(workload, diagnosis);
    this.#completions.set(workload, completionOf(workload));
    this.#steady.set(workload, steadyAt(workload) ?? 0);
    this.#inquiry.ask(workload, diagnosis.suspected);
  }

  #conclude(now: number): void {
    const workloads = [...this.#model.workloads.values()];
    const completions = workloads.map((workload) => this.#completions.get(workload)!);
    const steady = Math.max(...this.#steady.values());
    if (completions.every(({ kind }) => kind === 'complete') && steady <= now) {
      this.#settled.resolve({ kind: 'complete' });
      return;
    }
    if (
      completions.some(({ kind }) => kind === 'never') &&
      completions.every(({ kind }) => kind === 'complete' || kind === 'never')
    ) {
      const open = completions.flatMap((one, index) =>
        one.kind === 'never'
          ? [`${formatId(workloads[index]!.id)} cannot be seen to its end: ${one.because}.`]
          : [],
      );
      this.#settled.resolve({ kind: 'unknown', because: open.join(' ') });
      return;
    }
    const causes = [...this.#diagnoses.values()].flatMap((diagnosis) => diagnosis.causes);
    if (causes.length > 0) this.#fail(causes);
    this.#wake(now);
  }

  /** A verdict waits a moment for the log lines that explain it. */
  #fail(causes: readonly Cause[]): void {
    const waited = this.#failing.length > 0;
    this.#failing = causes;
    if (!this.#inquiry.isBusy()) {
      this.#settle();
      return;
    }
    if (waited) return;
    const time = new Promise<void>((resolve) => setTimeout(resolve, LOG_TIME).unref());
    void Promise.race([this.#inquiry.underWay(), time]).then(() => {
      this.#failing = this.#ripe();
      this.#settle();
    });
  }

  /** The causes with all that is known by now; what was healed in the meantime is none any more. */
  #ripe(): readonly Cause[] {
    const now = Date.now();
    return [...this.#diagnoses].flatMap(
      ([workload, { sightings }]) =>
        diagnose(this.#model, workload, sightings, now, this.#options.patience).causes,
    );
  }

  #settle(): void {
    const [first, ...rest] = inOrder(this.#failing);
    if (first !== undefined) this.#settled.resolve({ kind: 'failed', causes: [first, ...rest] });
  }

  /** The next moment at which something changes without anything being told: a symptom is a cause, pods have stayed up. */
  #wake(now: number): void {
    clearTimeout(this.#timer);
    const due = [...this.#model.workloads.values()].flatMap((workload) =>
      [this.#diagnoses.get(workload)?.due, this.#steady.get(workload)].flatMap((at) =>
        at === undefined || at <= now || at === Number.POSITIVE_INFINITY ? [] : [{ workload, at }],
      ),
    );
    if (due.length === 0) return;
    const next = Math.min(...due.map(({ at }) => at));
    this.#timer = setTimeout(
      () => {
        const then = Date.now();
        for (const { workload, at } of due) if (at <= then) this.#touched.add(workload);
        this.#evaluate();
      },
      next - now + 1,
    );
  }

  #timeIsOver(): void {
    const words = `was not rolled out within ${formatDuration(this.#options.timeout)}`;
    const now = Date.now();
    const causes = [...this.#model.workloads.values()].flatMap((workload): readonly Cause[] => {
      if (completionOf(workload).kind === 'complete') return [];
      const suspected = this.#diagnoses.get(workload)?.suspected ?? [];
      return [
        ...suspected,
        deadlineCause(workload, words, now, [...this.#model.unseen, ...this.#unlisted()]),
      ];
    });
    this.#failing = causes;
    this.#settle();
  }

  #unlisted = (): readonly string[] =>
    [...this.#unsynced].map(
      ({ query: { kind, namespace } }) => `Not seen: ${kind}s in ${namespace} were never listed`,
    );

  #show(workload: WorkloadState, progress: WorkloadProgress): void {
    const text = JSON.stringify(progress);
    if (this.#shown.get(workload) === text) return;
    this.#shown.set(workload, text);
    this.#options.onProgress(progress);
  }
}

function timelinesOf(workload: WorkloadState): readonly PodTimeline[] {
  const isNew = belongsToRevision(workload);
  return [...workload.gone.values(), ...workload.pods.values()].map((state) => ({
    name: state.id.name,
    workload: workload.id,
    revision: isNew(state) ? 'new' : 'old',
    node: state.pod.spec?.nodeName,
    restarts: (state.pod.status?.containerStatuses ?? []).reduce(
      (sum, { restartCount }) => sum + restartCount,
      0,
    ),
    spans: state.spans,
  }));
}
