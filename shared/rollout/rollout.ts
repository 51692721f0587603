import { Failure } from '../host/index.ts';
import {
  ApiError,
  type ApiTraffic,
  type Cluster,
  formatId,
  idOf,
  inOrder,
  keyOf,
} from '../kubernetes/index.ts';
import { applyAll } from './apply/apply.ts';
import type { AppliedObject } from './apply/change.ts';
import { parseForcePatterns } from './apply/force.ts';
import { ApplyFailure } from './apply/refusal.ts';
import { type CheckVerdict, causeOfCheck } from './checks.ts';
import type { Follow } from './follow.ts';
import type { Cause, Observation, Patience } from './outcome.ts';
import { leaving, planRollout, type RolloutPlan } from './plan.ts';
import { type Attempted, beginAttempt, inPhase } from './release/begin.ts';
import { conclude } from './release/conclude.ts';
import { guard } from './release/guard.ts';
import { acquireLease, clearLeftLease, type Lease } from './release/lease.ts';
import { isWorkload } from './release/name.ts';
import type { Attempt } from './release/record.ts';
import { readRecord } from './release/store.ts';
import type { RolloutResult, UndoResult } from './result.ts';
import { beginUndo, endUndo, isUndoable } from './undo/undo.ts';
import { watchRollout } from './watch/watch.ts';

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
    const left = clearLeftLease(cluster, { release, namespace: request.namespace, signal: follow.signal });
    const [conclusion] = await Promise.all([proveAgain(cluster, planned, follow), left]);
    return { ...conclusion, ...account() };
  }
  await ensureNamespace(cluster, planned, follow);
  await using lease = await takeLease(cluster, { ...request, release: planned.release }, follow);
  const guarded = guard(cluster, lease);
  const plan = await freshPlan(guarded, planned, follow);
  if (plan.unchanged) return { ...(await proveAgain(guarded, plan, follow)), ...account() };
  tellOfLeft(plan.stored.record.attempt, plan, follow);
  const attempt = await beginAttempt(guarded, plan.stored, {
    revision: plan.revision,
    objects: plan.manifests.map(({ object }) => object),
    live: plan.live,
  });
  const signal = AbortSignal.any([follow.signal, lease.signal]);
  const ending = await carryOut(guarded, attempt, plan, { ...follow, signal });
  lease.signal.throwIfAborted();
  return { ...(await conclusionOf(guarded, ending, plan, follow)), ...account() };
}

/** How an attempt ended, with the record as it was left. */
type Ending = { readonly stored: Attempted; readonly seen: Seen } & (
  | { readonly kind: 'proven' }
  | { readonly kind: 'failed'; readonly causes: readonly [Cause, ...Cause[]] }
  | { readonly kind: 'unknown'; readonly because: string; readonly error?: unknown }
  | { readonly kind: 'cancelled' }
);

/** What came to light until an attempt ended. */
interface Seen {
  readonly applied: readonly AppliedObject[];
  readonly observation?: Observation;
  readonly verdicts?: readonly CheckVerdict[];
}

/** Apply, watch, check: each phase is in the record before it begins, and can be done again from its start. */
async function carryOut(
  cluster: Cluster,
  begun: Attempted,
  plan: RolloutPlan,
  follow: Follow,
): Promise<Ending> {
  const { request } = plan;
  let stored = begun;
  let seen: Seen = { applied: [] };
  try {
    follow.onPhase('applying', `applying ${plan.manifests.length} objects`);
    const applied = await applyAll(cluster, inOrder(plan.manifests), {
      force: parseForcePatterns(request.forceConflicts),
      live: plan.live,
      signal: follow.signal,
      onApplied: ({ id, result }) => follow.onLine(id, `${formatId(id)} ${result}`),
    });
    seen = { applied };
    stored = await inPhase(cluster, stored, 'watching');
    const observation = await watch(cluster, applied, request, follow);
    seen = { applied, observation };
    if (follow.signal.aborted) return { kind: 'cancelled', stored, seen };
    const { outcome } = observation;
    if (outcome.kind !== 'complete') return { ...outcome, stored, seen };
    if (request.checks === undefined) return { kind: 'proven', stored, seen };
    stored = await inPhase(cluster, stored, 'checking');
    follow.onPhase('checking', 'checking what is in service');
    const verdicts = await request.checks(cluster, follow.signal);
    seen = { applied, observation, verdicts };
    if (follow.signal.aborted) return { kind: 'cancelled', stored, seen };
    const [first, ...others] = verdicts
      .filter(({ kind }) => kind !== 'pass')
      .map((verdict) => causeOfCheck(verdict, stored.record.attempt.revision.objects));
    return first === undefined
      ? { kind: 'proven', stored, seen }
      : { kind: 'failed', causes: [first, ...others], stored, seen };
  } catch (error) {
    if (follow.signal.aborted) return { kind: 'cancelled', stored, seen };
    if (error instanceof ApplyFailure)
      return { ...endingOfRefusal(error), stored, seen: { ...seen, applied: error.applied } };
    return { kind: 'unknown', because: (error as Error).message, error, stored, seen };
  }
}

/** Admission, quota or validation: the API server said no to an object. */
function endingOfRefusal({
  refusals,
  message,
}: ApplyFailure):
  | Pick<Ending & { kind: 'failed' }, 'kind' | 'causes'>
  | { readonly kind: 'unknown'; readonly because: string } {
  const [first, ...others] = refusals.map(
    ({ id, message }): Cause => ({
      code: /exceeded quota/.test(message) ? 'quota' : 'admission',
      workload: id,
      object: id,
      message,
      evidence: [],
      next: 'Change the manifest as the API server says, and run again.',
      since: Date.now(),
      pods: 0,
    }),
  );
  return first === undefined
    ? { kind: 'unknown', because: message }
    : { kind: 'failed', causes: [first, ...others] };
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
    const leave = leaving(stored.record, plan.manifests, plan.request.prune);
    const { removed } = await conclude(cluster, stored, leave, follow.onLine);
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
  return { ...known, because, revision: proven?.number, undo, result: resultOf(ending, undo) };
}

function resultOf(ending: Ending, undo: UndoResult): RolloutResult['result'] {
  if (undo.kind === 'complete') return 'undone';
  if (undo.kind === 'begun') return 'unknown';
  return ending.kind === 'failed' || undo.kind === 'failed' ? 'failed' : 'unknown';
}

function reasonOf(ending: Exclude<Ending, { kind: 'proven' }>): string {
  if (ending.kind === 'failed') return ending.causes[0].message;
  return ending.kind === 'cancelled' ? 'The run was cancelled.' : ending.because;
}

const isExpected = (error: unknown): boolean => error instanceof Failure || error instanceof ApiError;

/** How long and how patiently workloads are watched. */
export interface Watching {
  readonly timeout: number;
  readonly patience: Patience;
}

/** The least time for the way back, in ms: that of the way on may have been what was too short. */
const UNDO_TIME = 300_000;

/** The way back of an attempt, as far as there is one. */
async function goBack(
  cluster: Cluster,
  stored: Attempted,
  because: string,
  request: Watching & { readonly undo: boolean },
  follow: Follow,
): Promise<UndoResult> {
  const why = whyNot(stored, request.undo);
  if (why !== undefined) {
    await inPhase(cluster, stored, 'failed', because);
    follow.onLine(undefined, why);
    return { kind: 'left', because: why };
  }
  if (!isUndoable(stored)) throw new Error('No proven revision in a record that is to be undone');
  const to = stored.record.proven.number;
  follow.onPhase('undoing', `going back to revision ${to}: ${because}`);
  try {
    const begun = await beginUndo(cluster, stored, because, follow);
    if (follow.signal.aborted) return { kind: 'begun', to };
    const timeout = Math.max(request.timeout, UNDO_TIME);
    const observation = await watch(cluster, begun.applied, { ...request, timeout }, follow);
    if (follow.signal.aborted) return { kind: 'begun', to };
    const { outcome } = observation;
    if (outcome.kind === 'complete') {
      await endUndo(cluster, begun.stored);
      return { kind: 'complete', to, observation };
    }
    const words = outcome.kind === 'failed' ? outcome.causes[0].message : outcome.because;
    const failed = `Revision ${to} was applied again and does not come up: ${words}`;
    return { kind: 'failed', to, because: failed, observation };
  } catch (error) {
    if (!isExpected(error)) throw error;
    const failed = `Revision ${to} could not be applied again: ${(error as Error).message}`;
    return { kind: 'failed', to, because: failed, observation: undefined };
  }
}

function whyNot({ record: { proven, attempt, release } }: Attempted, undo: boolean): string | undefined {
  if (!undo) return `Revision ${attempt.revision.number} of ${release} stays as it is, because undo is off.`;
  if (proven === undefined)
    return `There is no earlier revision of ${release} to go back to: what was applied stays as it is, for inspection.`;
  if (proven.digest === attempt.revision.digest)
    return `Revision ${proven.number} of ${release} is itself the last proven one: there is nothing to go back to.`;
  return undefined;
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
  await using lease = await takeLease(cluster, request, follow);
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
    revision: proven?.number,
    changed: true,
    applied: [],
    observation: undefined,
    verdicts: [],
    undo,
  };
}

const isAttempted = (
  stored: Pick<Attempted, 'version'> & { readonly record: { readonly attempt: Attempt | undefined } },
): stored is Attempted => stored.record.attempt !== undefined;

/** Nothing differs from the proven revision: that it works is seen, not believed. */
async function proveAgain(cluster: Cluster, plan: RolloutPlan, follow: Follow): Promise<Conclusion> {
  const { proven } = plan.stored.record;
  const objects = [...plan.live.values()];
  const applied = objects.map((object): AppliedObject => ({ id: idOf(object), result: 'unchanged', object }));
  follow.onLine(undefined, `nothing differs from revision ${proven?.number}`);
  const observation = await watch(cluster, applied, plan.request, follow);
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
    revision: proven?.number,
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

const watch = (
  cluster: Cluster,
  applied: readonly AppliedObject[],
  { timeout, patience }: Watching,
  follow: Follow,
): Promise<Observation> => {
  const targets = applied.flatMap(({ object }) =>
    object !== undefined && isWorkload(object) ? [object] : [],
  );
  follow.onPhase('watching', `watching ${targets.length} workloads`);
  const { signal, onProgress, onLine } = follow;
  const beside = applied.flatMap(({ object }) => object ?? []);
  return watchRollout(cluster, targets, { timeout, patience, beside, signal, onProgress, onLine });
};

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

async function takeLease(
  cluster: Cluster,
  {
    release,
    namespace,
    run,
    waitForOthers: wait,
  }: { release: string; namespace: string; run: string; waitForOthers: number },
  { signal, onPhase }: Follow,
): Promise<Lease> {
  return await acquireLease(cluster, {
    release,
    namespace,
    run,
    wait,
    signal,
    onWait: (sentence) => onPhase('waiting', sentence),
  });
}

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
