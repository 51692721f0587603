import { type Cluster, idOf, keyOf } from '../../kubernetes/index.ts';
import type { AppliedObject } from '../apply/change.ts';
import type { Follow } from '../follow.ts';
import { type Attempted, inPhase } from '../release/begin.ts';
import { dropGenerations, generationsIn } from '../release/held.ts';
import { without } from '../release/objects.ts';
import { applyProven } from '../release/proven.ts';
import type { Attempt, Revision } from '../release/record.ts';
import { type StoredRecord, writeRecord } from '../release/store.ts';
import { removeCreated } from './remove.ts';
import { freeStuck } from './stuck.ts';

/** A record that says that its attempt is being undone. */
export type Undoing = Attempted & { readonly record: { readonly proven: Revision } };

/** Whether there is something to go back to. */
export const isUndoable = (stored: Attempted): stored is Undoing => stored.record.proven !== undefined;

/**
 * Begins the way back: the proven objects are applied again, values of configuration included, which also takes away each field that
 * only the attempt had, and objects that the attempt created are removed. The record says so first, so that whoever comes next goes
 * on from wherever this is cut off. */
export async function beginUndo(
  cluster: Cluster,
  stored: Undoing,
  because: string,
  follow: Follow,
): Promise<{ readonly stored: Undoing; readonly applied: readonly AppliedObject[] }> {
  const { proven, attempt } = stored.record;
  const undoing = await inPhase(cluster, stored, 'undoing', because);
  const applied = await applyProven(cluster, proven.objects, attempt);
  await removeCreated(cluster, attempt.created, follow.onLine);
  await freeStuck(cluster, applied, follow.onLine);
  return { stored: { ...undoing, record: { ...undoing.record, proven } }, applied };
}

/** Forgets an attempt that was undone to its end, and what it had adopted into a revision that had been proven without it. */
export async function endUndo(cluster: Cluster, stored: Undoing): Promise<StoredRecord> {
  const { proven: before, attempt, history } = stored.record;
  const proven = before.adopted ? before : withoutAdopted(before, attempt);
  await dropGenerations(cluster, [attempt.revision, before], [proven, ...history]);
  return await writeRecord(cluster, stored, { ...stored.record, proven, attempt: undefined });
}

function withoutAdopted(proven: Revision, { adopted = [] }: Attempt): Revision {
  if (adopted.length === 0) return proven;
  const objects = without(proven.objects, adopted.map(keyOf), (object) => keyOf(idOf(object)));
  return { ...proven, objects, generations: generationsIn(objects) };
}
