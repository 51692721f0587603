import { type Check, runChecks, type Verdict } from '../../shared/gate/index.ts';
import { Failure, type Host, type Task } from '../../shared/host/index.ts';
import { ApiError, type Cluster, idOf, type PinnedManifests } from '../../shared/kubernetes/index.ts';
import {
  finishRollout,
  planRollout,
  type RolloutPlan,
  type RolloutRequest,
  type RolloutResult,
  readAutoscalers,
  resourcesOf,
  runRollout,
  WORKLOADS,
} from '../../shared/rollout/index.ts';
import { refuseUnknownServices } from './checked-services.ts';
import type { ClusterRun } from './cluster-run.ts';
import { placeIn } from './desired.ts';
import { LiveRun } from './live.ts';
import type { Request } from './request.ts';

/** A cluster with all that is known before anything is changed in it. */
export interface PlannedCluster {
  readonly cluster: Cluster;
  readonly context: string | undefined;
  /** From 1. */
  readonly wave: number;
  readonly images: PinnedManifests['pinned'];
  readonly request: Request;
  readonly plan: RolloutPlan;
  /** What the checks said, once they were asked. */
  readonly verdicts: Verdict[];
  readonly milliseconds: number;
}

/** Where a cluster is among the waves. */
export interface Place {
  /** Name of this run. */
  readonly run: string;
  readonly cluster: Cluster;
  readonly context: string | undefined;
  readonly wave: number;
}

/** Preflight and diff. Changes nothing. */
export async function planCluster(
  host: Host,
  request: Request,
  { manifests, pinned }: PinnedManifests,
  place: Place,
): Promise<PlannedCluster> {
  const started = performance.now();
  const { cluster } = place;
  const namespace = request.namespace ?? cluster.namespace;
  const verdicts: Verdict[] = [];
  const placed = await placeIn(cluster, namespace, manifests);
  const asked: RolloutRequest = {
    manifests: placed,
    namespace,
    release: request.release,
    run: place.run,
    configuration: request.configuration,
    forceConflicts: request.forceConflicts,
    prune: request.prune,
    rules: request.rules,
    timeout: request.timeout,
    patience: request.patience,
    undo: request.undo,
    waitForOthers: request.waitForOthers,
    ...(request.checks.length > 0 && {
      checkWays: waysOf(request.checks),
      checks: (here, signal) =>
        check(
          here,
          request,
          placed.map(({ object }) => idOf(object)),
          namespace,
          signal,
          verdicts,
        ),
    }),
  };
  const ids = placed.map(({ object }) => idOf(object));
  await inWords(cluster, () => refuseUnknownServices(cluster, request.checks, ids, namespace));
  const plan = await inWords(cluster, () => planRollout(cluster, asked, host.signal));
  const milliseconds = performance.now() - started;
  return { ...place, images: pinned, request, plan, verdicts, milliseconds };
}

/** How the checks get to pods, for the review of rights. */
function waysOf(checks: readonly Check[]): ('connect' | 'exec')[] {
  const exec = checks.some(({ kind }) => kind === 'exec');
  const connect = checks.some((one) => one.kind !== 'exec' && one.from === 'pod');
  return [...(connect ? (['connect'] as const) : []), ...(exec ? (['exec'] as const) : [])];
}

/** What the API server refuses is the user's to mend, and no fault of ours. */
export async function inWords<T>(cluster: Cluster, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new Failure(`${cluster.name} refused ${error.call}: ${error.message}`, { cause: error });
  }
}

async function check(
  cluster: Cluster,
  { checks, checkTimeout }: { readonly checks: readonly Check[]; readonly checkTimeout: number },
  objects: readonly ReturnType<typeof idOf>[],
  namespace: string,
  signal: AbortSignal,
  verdicts: Verdict[],
): Promise<readonly Verdict[]> {
  const workloads = objects.filter(({ kind }) => WORKLOADS.some((one) => one === kind));
  const said = await runChecks(cluster, checks, { namespace, workloads }, { timeout: checkTimeout, signal });
  verdicts.splice(0, verdicts.length, ...said);
  return said;
}

/** What a plan tells, before or in place of a rollout. */
export function plannedRun({ cluster, wave, images, plan, milliseconds }: PlannedCluster): ClusterRun {
  return {
    cluster: cluster.name,
    wave,
    namespace: plan.request.namespace,
    release: plan.release,
    result: 'planned',
    // A token that may only plan is no reason why a rollout would fail.
    because: plan.faults.join(' '),
    revision: plan.stored.record.proven?.number,
    changed: false,
    images,
    findings: plan.findings,
    missing: plan.missing,
    changes: plan.changes,
    causes: [],
    observation: undefined,
    undo: undefined,
    checks: [],
    resources: resourcesOf(plan.manifests.map(({ object }) => object)),
    autoscalers: [],
    milliseconds,
    traffic: { ...cluster.traffic },
  };
}

/** A cluster that is not changed, because of what its own plan or that of another shows. */
export const refusedRun = (planned: PlannedCluster): ClusterRun => {
  const { blocked } = planned.plan;
  return blocked.length === 0
    ? { ...plannedRun(planned), result: 'held', because: 'Another cluster would refuse it.' }
    : { ...plannedRun(planned), result: 'failed', because: `Nothing was changed. ${blocked.join(' ')}` };
};

/** A cluster that nothing was asked of, because an earlier wave did not pass. */
export const heldRun = (planned: PlannedCluster): ClusterRun => ({
  ...plannedRun(planned),
  result: 'held',
  because: 'An earlier wave did not pass.',
});

/** A cluster whose rollout ended in an error: what it left is not known. */
export const brokenRun = (planned: PlannedCluster, error: unknown): ClusterRun => ({
  ...plannedRun(planned),
  result: 'unknown',
  because: error instanceof Error ? error.message : String(error),
});

/** Rolls out to a cluster and shows it on `task`. */
export async function rollOut(host: Host, planned: PlannedCluster, task: Task): Promise<ClusterRun> {
  const { cluster, plan, verdicts } = planned;
  const live = new LiveRun(task);
  let result: RolloutResult;
  try {
    result = await inWords(cluster, () => runRollout(cluster, plan, live.follow(host.signal)));
    await live.end(result.result === 'complete' || result.undo.kind === 'complete');
    // A runner gives a cancelled step seconds, and has a post step; a terminal has neither.
    if (host.kind === 'terminal' && result.undo.kind === 'begun')
      result = await finishHere(planned, result, live);
  } finally {
    await live.end(false);
  }
  task.note(
    result.result === 'complete'
      ? result.changed
        ? `revision ${result.revision}`
        : 'nothing changed'
      : result.result,
  );
  const workloads = plan.manifests
    .map(({ object }) => idOf(object))
    .filter(({ kind }) => WORKLOADS.some((one) => one === kind));
  return {
    ...plannedRun(planned),
    result: result.result,
    because: [result.because, sayUndo(result)].filter(Boolean).join(' '),
    revision: result.revision,
    changed: result.changed,
    causes: result.causes,
    observation: result.observation,
    undo: 'observation' in result.undo ? result.undo.observation : undefined,
    checks: verdicts,
    autoscalers: host.signal.aborted ? [] : await readAutoscalers(cluster, workloads),
    milliseconds: planned.milliseconds + result.milliseconds,
    traffic: { ...cluster.traffic },
  };
}

function sayUndo({ undo }: RolloutResult): string | undefined {
  switch (undo.kind) {
    case 'none':
    case 'complete':
      return undefined;
    case 'begun':
      return `Revision ${undo.to} is applied again; the post step sees it to its end.`;
    case 'left':
    case 'failed':
      return undo.because;
  }
}

async function finishHere(
  planned: PlannedCluster,
  begun: RolloutResult,
  live: LiveRun,
): Promise<RolloutResult> {
  const { cluster, plan } = planned;
  const { timeout, patience, undo, waitForOthers, run, namespace } = plan.request;
  const request = { timeout, patience, undo, waitForOthers, run, namespace, release: plan.release };
  const finished = await finishRollout(cluster, request, live.follow(new AbortController().signal));
  if (finished === undefined) return begun;
  await live.end(finished.result === 'undone');
  return { ...begun, result: finished.result, undo: finished.undo, revision: finished.revision };
}

/** Refuses what the plan shows to be impossible, in one message for all clusters. */
export function refuse(
  plans: readonly PlannedCluster[],
  reasonsOf: (plan: RolloutPlan) => readonly string[],
): void {
  const reasons = plans.flatMap(({ cluster, plan }) =>
    reasonsOf(plan).map((reason) => (plans.length === 1 ? reason : `${cluster.name}: ${reason}`)),
  );
  if (reasons.length === 0) return;
  const places = plans.flatMap(({ plan }) => [
    ...plan.findings.filter(({ level }) => level === 'error'),
    ...plan.refusals,
  ]);
  throw new Failure(`Nothing was changed. ${reasons.join('\n')}`, {
    location: places.find(({ location }) => location !== undefined)?.location,
  });
}

/** Two contexts of one cluster and namespace would roll the same release out twice, and the second would wait for the first. */
export function refuseTwice(plans: readonly PlannedCluster[]): void {
  const seen = new Map<string, string>();
  for (const { cluster, plan } of plans) {
    const { namespace } = plan.request;
    const place = JSON.stringify([cluster.server, namespace, plan.release]);
    const other = seen.get(place);
    if (other !== undefined)
      throw new Failure(
        `Contexts "${other}" and "${cluster.name}" are the same cluster and namespace (${namespace} on ${cluster.server}); keep one of them in "contexts".`,
      );
    seen.set(place, cluster.name);
  }
}
