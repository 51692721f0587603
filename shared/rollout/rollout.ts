import { Failure } from '../host/index.ts';
import { type ApiTraffic, type Cluster, idOf, keyOf } from '../kubernetes/index.ts';
import { applyAll } from './apply/apply.ts';
import type { AppliedObject } from './apply/change.ts';
import { carryOut, type Ending } from './carry-out.ts';
import { causeOfCheck } from './checks.ts';
import type { Follow } from './follow.ts';
import { planRollout, type RolloutPlan } from './plan.ts';
import { type Attempted, beginAttempt, isAttempted } from './release/begin.ts';
import { claimWorkloads } from './release/claim.ts';
import { guard } from './release/guard.ts';
import { acquireLease, clearLeftLease, type LeaseOptions } from './release/lease.ts';
import type { Attempt, Revision } from './release/record.ts';
import { readRecord } from './release/store.ts';
import type { RolloutResult, UndoResult } from './result.ts';
import { goBack, isExpected } from './undo/go-back.ts';
import { type Watching, watchApplied } from './watching.ts';

/**
 * Rolls out what was planned: under the lease of the release it writes down what it is about to do, applies, watches until every
 * workload runs the new revision, and lets the checks look at it; then the revision is the proven one. Whatever goes wrong after the
 * first change is undone. A user who cancels gets the undo begun, within seconds; `finishUndo` sees it to its end.
 *
 * Throws Failure where nothing was changed, where another run has the release, and where the cluster can no longer be reached.
 */
export async function runRollout(
  cluster: Cluster,
  planned: RolloutPlan,
  follow: Follow,
): Promise<RolloutResult> {
  const account = startAccount(cluster);
  const { request } = planned;
  refuseBlocked(planned);
  if (planned.unchanged) {
    const { release } = planned;
    const left = clearLeftLease(cluster, leaseOptions({ ...request, release }, follow));
    const [conclusion] = await Promise.all([proveAgain(cluster, planned, follow), left]);
    return { ...conclusion, ...account() };
  }
  await ensureNamespace(cluster, planned, follow);
  await using lease = await acquireLease(
    cluster,
    leaseOptions({ ...request, release: planned.release }, follow),
  );
  const guarded = guard(cluster, lease);
  const plan = await freshPlan(guarded, planned, follow);
  if (plan.unchanged) return { ...(await proveAgain(guarded, plan, follow)), ...account() };
  await using claim = await claimWorkloads(
    guarded,
    plan.manifests.map(({ object }) => object),
    plan.live,
    leaseOptions({ ...request, release: plan.release }, follow),
  );
  follow.signal.throwIfAborted();
  tellOfLeft(plan.stored.record.attempt, plan, follow);
  const attempt = await beginAttempt(guarded, plan.stored, {
    revision: plan.revision,
    objects: plan.manifests.map(({ object }) => object),
    live: plan.live,
  });
  const signal = AbortSignal.any([follow.signal, lease.signal]);
  const ending = await carryOut(guarded, claim, attempt, plan, { ...follow, signal });
  lease.signal.throwIfAborted();
  return { ...(await conclusionOf(guarded, ending, plan, follow)), ...account() };
}

type Conclusion = Omit<RolloutResult, 'traffic' | 'milliseconds'>;

async function conclusionOf(
  cluster: Cluster,
  ending: Ending,
  plan: RolloutPlan,
  follow: Follow,
): Promise<Conclusion> {
  const { stored, seen } = ending;
  const { proven, attempt } = stored.record;
  const known = {
    applied: seen.applied,
    observation: seen.observation,
    verdicts: seen.verdicts ?? [],
    changed: seen.applied.some(({ result }) => result !== 'unchanged'),
    causes: ending.kind === 'failed' ? ending.causes : [],
  };
  if (ending.kind === 'proven') {
    const { removed } = ending;
    return {
      ...known,
      result: 'complete',
      because: undefined,
      revision: attempt.revision.number,
      applied: [...seen.applied, ...removed],
      changed: known.changed || removed.length > 0,
      undo: { kind: 'none' },
    };
  }
  const because = reasonOf(ending);
  const undo = await goBack(cluster, stored, because, plan.request, follow);
  // A fault of Slipway itself is one also when the way back was found.
  if (ending.kind === 'unknown' && ending.error !== undefined && !isExpected(ending.error))
    throw ending.error;
  return { ...known, because, revision: serving(undo, proven), undo, result: resultOf(ending, undo) };
}

/** The number of the proven revision, where it serves again. */
const serving = (undo: UndoResult, proven: Revision | undefined): number | undefined =>
  undo.kind === 'complete' ? proven?.number : undefined;

function resultOf(ending: Ending, undo: UndoResult): RolloutResult['result'] {
  if (undo.kind === 'complete') return 'undone';
  if (undo.kind === 'begun') return 'unknown';
  return ending.kind === 'failed' || undo.kind === 'failed' ? 'failed' : 'unknown';
}

function reasonOf(ending: Exclude<Ending, { kind: 'proven' }>): string {
  if (ending.kind === 'failed') return ending.causes[0].message;
  return ending.kind === 'cancelled' ? 'The run was cancelled.' : ending.because;
}

/**
 * Finishes what a run left that was cancelled or killed: its attempt is undone and watched until the proven revision serves.
 * Knows nothing but the record. Answers undefined where nothing is left of this run.
 */
export async function finishRollout(
  cluster: Cluster,
  request: Watching & {
    readonly release: string;
    readonly namespace: string;
    readonly run: string;
    readonly undo: boolean;
    readonly waitForOthers: number;
  },
  follow: Follow,
): Promise<RolloutResult | undefined> {
  const account = startAccount(cluster);
  const { release, namespace } = request;
  const isOwn = ({ attempt }: Attempted['record']) =>
    attempt.revision.run === request.run && attempt.phase !== 'failed';
  const before = await readRecord(cluster, release, namespace);
  if (!isAttempted(before) || !isOwn(before.record)) return undefined;
  await using lease = await acquireLease(cluster, leaseOptions(request, follow));
  const guarded = guard(cluster, lease);
  const stored = await readRecord(guarded, release, namespace);
  if (!isAttempted(stored) || !isOwn(stored.record)) return undefined;
  const { attempt, proven } = stored.record;
  const because = attempt.because ?? `The run was cut off while ${attempt.phase}.`;
  const signal = AbortSignal.any([follow.signal, lease.signal]);
  const undo = await goBack(guarded, stored, because, request, { ...follow, signal });
  lease.signal.throwIfAborted();
  return {
    ...account(),
    result: undo.kind === 'complete' ? 'undone' : undo.kind === 'failed' ? 'failed' : 'unknown',
    because,
    causes: [],
    revision: serving(undo, proven),
    changed: true,
    applied: [],
    observation: undefined,
    verdicts: [],
    undo,
  };
}

/** Nothing differs from the proven revision: that it works is seen, not believed. */
async function proveAgain(cluster: Cluster, plan: RolloutPlan, follow: Follow): Promise<Conclusion> {
  const { proven } = plan.stored.record;
  const objects = [...plan.live.values()];
  const applied = objects.map((object): AppliedObject => ({ id: idOf(object), result: 'unchanged', object }));
  follow.onLine(undefined, `nothing differs from revision ${proven?.number}`);
  const observation = await watchApplied(cluster, applied, plan.request, follow);
  const { outcome } = observation;
  const checks = outcome.kind === 'complete' ? plan.request.checks : undefined;
  if (checks !== undefined) follow.onPhase('checking', 'checking what is in service');
  const verdicts = (await checks?.(cluster, follow.signal)) ?? [];
  const failed = verdicts
    .filter(({ kind }) => kind !== 'pass')
    .map((verdict) => causeOfCheck(verdict, objects));
  const causes = outcome.kind === 'failed' ? outcome.causes : failed;
  const because = outcome.kind === 'unknown' ? outcome.because : causes[0]?.message;
  return {
    result: because === undefined ? 'complete' : outcome.kind === 'unknown' ? 'unknown' : 'failed',
    because,
    causes,
    revision: because === undefined ? proven?.number : undefined,
    changed: false,
    applied,
    observation,
    verdicts,
    undo:
      because === undefined
        ? { kind: 'none' }
        : {
            kind: 'left',
            because: `Revision ${proven?.number} is itself the last proven one: there is nothing to go back to.`,
          },
  };
}

function refuseBlocked({ blocked, release }: RolloutPlan): void {
  if (blocked.length > 0)
    throw new Failure(`${release} was not rolled out, and nothing was changed:\n${blocked.join('\n')}`);
}

/** The record lives in the namespace, so that one which the manifests bring comes before everything else. It is never undone. */
async function ensureNamespace(
  cluster: Cluster,
  { manifests, live, request }: RolloutPlan,
  follow: Follow,
): Promise<void> {
  const own = manifests.find(
    ({ object }) => object.kind === 'Namespace' && object.metadata.name === request.namespace,
  );
  if (own === undefined || live.has(keyOf(idOf(own.object)))) return;
  await applyAll(cluster, [[own]], { signal: follow.signal });
}

interface Waiting {
  readonly release: string;
  readonly namespace: string;
  readonly run: string;
  readonly waitForOthers: number;
}

const leaseOptions = (
  { release, namespace, run, waitForOthers: wait }: Waiting,
  { signal, onPhase }: Follow,
): LeaseOptions => ({
  release,
  namespace,
  run,
  wait,
  signal,
  onWait: (sentence) => onPhase('waiting', sentence),
});

/** What was planned, unless another run changed the release meanwhile. */
async function freshPlan(cluster: Cluster, planned: RolloutPlan, { signal }: Follow): Promise<RolloutPlan> {
  const { record, version } = await readRecord(cluster, planned.release, planned.request.namespace);
  if (version === planned.stored.version) return planned;
  const plan = await planRollout(cluster, { ...planned.request, release: record.release }, signal);
  refuseBlocked(plan);
  return plan;
}

/** Says what a run left that was cut off, and what becomes of it. */
function tellOfLeft(left: Attempt | undefined, { revision }: RolloutPlan, { onLine }: Follow): void {
  if (left === undefined) return;
  const { phase, because, revision: theirs } = left;
  const was = phase === 'failed' ? 'was left as it is' : `was cut off while ${phase}`;
  const why = because === undefined ? '' : ` (${because})`;
  const next = theirs.digest === revision.digest ? 'it is carried on' : 'this one takes its place';
  onLine(undefined, `Revision ${theirs.number} of run ${theirs.run} at ${theirs.at} ${was}${why}; ${next}.`);
}

/** What is spent from now on. */
function startAccount(
  cluster: Cluster,
): () => { readonly traffic: ApiTraffic; readonly milliseconds: number } {
  const started = performance.now();
  const before = { ...cluster.traffic };
  return () => ({
    traffic: {
      requests: cluster.traffic.requests - before.requests,
      watches: cluster.traffic.watches - before.watches,
      bytesSent: cluster.traffic.bytesSent - before.bytesSent,
      bytesReceived: cluster.traffic.bytesReceived - before.bytesReceived,
    },
    milliseconds: performance.now() - started,
  });
}
