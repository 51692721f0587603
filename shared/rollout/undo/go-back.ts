import { Failure } from '../../host/index.ts';
import { ApiError, type Cluster } from '../../kubernetes/index.ts';
import type { Follow } from '../follow.ts';
import { type Attempted, inPhase, isAttempted } from '../release/begin.ts';
import { readRecord } from '../release/store.ts';
import type { UndoResult } from '../result.ts';
import { type Watching, watchApplied } from '../watching.ts';
import { beginUndo, endUndo, isUndoable } from './undo.ts';

/** The least time for the way back, in ms: that of the way on may have been what was too short. */
const UNDO_TIME = 300_000;

/** The way back of an attempt, as far as there is one. */
export async function goBack(
  cluster: Cluster,
  left: Attempted,
  because: string,
  request: Watching & { readonly undo: boolean },
  follow: Follow,
): Promise<UndoResult> {
  const why = whyNot(left, request.undo);
  if (why !== undefined) {
    await inPhase(cluster, await asItIs(cluster, left), 'failed', because);
    follow.onLine(undefined, why);
    return { kind: 'left', because: why };
  }
  if (!isUndoable(left)) throw new Error('No proven revision in a record that is to be undone');
  const to = left.record.proven.number;
  follow.onPhase('undoing', `going back to revision ${to}: ${because}`);
  try {
    const stored = await asItIs(cluster, left);
    if (!isUndoable(stored)) throw new Error('No proven revision in a record that is to be undone');
    const begun = await beginUndo(cluster, stored, because, follow);
    if (follow.signal.aborted) return { kind: 'begun', to };
    const timeout = Math.max(request.timeout, UNDO_TIME);
    const observation = await watchApplied(cluster, begun.applied, { ...request, timeout }, follow);
    if (follow.signal.aborted) return { kind: 'begun', to };
    const { outcome } = observation;
    if (outcome.kind === 'complete') {
      await endUndo(cluster, begun.stored);
      return { kind: 'complete', to, observation };
    }
    const words = outcome.kind === 'failed' ? outcome.causes[0].message : outcome.because;
    const failed = `Revision ${to} was applied again and does not come up: ${words} The next run goes on from here.`;
    return { kind: 'failed', to, because: failed, observation };
  } catch (error) {
    if (!isExpected(error)) throw error;
    const { number } = left.record.attempt.revision;
    const failed = `Revision ${to} could not be applied again, so that revision ${number} may serve, or parts of both (${(error as Error).message}); mend that and run again, the next run goes on from here.`;
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

/** The record of an attempt as it is: a write of this run may have come through although its answer was cut off. */
async function asItIs(cluster: Cluster, left: Attempted): Promise<Attempted> {
  const { release, namespace, attempt } = left.record;
  const found = await readRecord(cluster, release, namespace);
  if (isAttempted(found) && found.record.attempt.revision.digest === attempt.revision.digest) return found;
  throw new Failure(
    `The record of release ${release} no longer has the attempt of this run; nothing further was changed. Look at what serves, and run again.`,
  );
}

export const isExpected = (error: unknown): boolean => error instanceof Failure || error instanceof ApiError;
