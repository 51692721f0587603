import { type Cluster, formatId, inOrder } from '../kubernetes/index.ts';
import { applyAll } from './apply/apply.ts';
import type { AppliedObject } from './apply/change.ts';
import { parseForcePatterns } from './apply/force.ts';
import { ApplyFailure } from './apply/refusal.ts';
import { type CheckVerdict, causeOfCheck } from './checks.ts';
import type { Follow } from './follow.ts';
import type { Cause, Observation } from './outcome.ts';
import { leaving, type RolloutPlan } from './plan.ts';
import { type Attempted, inPhase } from './release/begin.ts';
import type { Claim } from './release/claim.ts';
import { conclude } from './release/conclude.ts';
import { freeStuck } from './undo/stuck.ts';
import { counted, watchApplied } from './watching.ts';

/** How an attempt ended, with the record as it was left. */
export type Ending = { readonly stored: Attempted; readonly seen: Seen } & (
  | { readonly kind: 'proven'; readonly removed: readonly AppliedObject[] }
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

/**
 * Apply, watch, check, conclude: each phase is in the record before it begins, and can be done again from its start. A user who cancels
 * stops it; so does whatever is thrown, which becomes the reason of the way back.
 */
export async function carryOut(
  guarded: Cluster,
  claim: Claim,
  begun: Attempted,
  plan: RolloutPlan,
  follow: Follow,
): Promise<Ending> {
  const { request } = plan;
  const { signal, onPhase, onLine } = follow;
  const inTime = lateAfter(signal);
  const cluster = guarded.within(inTime);
  let stored = begun;
  let seen: Seen = { applied: [] };
  try {
    onPhase('applying', `applying ${counted(plan.manifests.length, 'object')}`);
    const applied = await applyAll(claim.cluster.within(inTime), inOrder(plan.manifests), {
      force: parseForcePatterns(request.forceConflicts),
      live: plan.live,
      signal,
      onApplied: ({ id, result }) => onLine(id, `${formatId(id)} ${result}`),
    });
    seen = { applied };
    await claim[Symbol.asyncDispose]();
    // A pod of a revision that was left failing would hold up a StatefulSet's next one too.
    if (plan.stored.record.attempt !== undefined) await freeStuck(cluster, applied, onLine);
    stored = await inPhase(cluster, stored, 'watching');
    const observation = await watchApplied(cluster, applied, request, follow);
    seen = { applied, observation };
    signal.throwIfAborted();
    const { outcome } = observation;
    if (outcome.kind !== 'complete') return { ...outcome, stored, seen };
    if (request.checks !== undefined) {
      stored = await inPhase(cluster, stored, 'checking');
      onPhase('checking', 'checking what is in service');
      const verdicts = await request.checks(cluster, signal);
      seen = { applied, observation, verdicts };
      signal.throwIfAborted();
      const [first, ...others] = verdicts
        .filter(({ kind }) => kind !== 'pass')
        .map((verdict) => causeOfCheck(verdict, stored.record.attempt.revision.objects));
      if (first !== undefined) return { kind: 'failed', causes: [first, ...others], stored, seen };
    }
    const leave = leaving(stored.record, plan.manifests, request.prune);
    const { removed } = await conclude(guarded, stored, leave, onLine);
    return { kind: 'proven', removed, stored, seen };
  } catch (error) {
    if (signal.aborted) return { kind: 'cancelled', stored, seen };
    if (error instanceof ApplyFailure)
      return {
        ...endingOfRefusal(error),
        stored,
        seen: { ...seen, applied: [...seen.applied, ...error.applied] },
      };
    return { kind: 'unknown', because: (error as Error).message, error, stored, seen };
  }
}

/** Milliseconds that requests under way have after a cancel: a runner ends the process after ten seconds, and the undo needs some. */
const GRACE = 2_000;

/** Aborted a little after another signal: what is under way should end by itself, and must not hang. */
function lateAfter(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const cut = () => setTimeout(() => late.abort(signal.reason), GRACE).unref();
  if (signal.aborted) cut();
  else signal.addEventListener('abort', cut, { once: true });
  return late.signal;
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
