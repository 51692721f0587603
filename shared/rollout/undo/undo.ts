import type { Cluster } from '../../kubernetes/index.ts';
import type { AppliedObject } from '../apply/change.ts';
import type { Follow } from '../follow.ts';
import { type Attempted, inPhase } from '../release/begin.ts';
import { dropGenerations } from '../release/held.ts';
import { applyProven } from '../release/proven.ts';
import type { Revision } from '../release/record.ts';
import { type StoredRecord, writeRecord } from '../release/store.ts';
import { removeCreated } from './remove.ts';

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
  const applied = await applyProven(cluster, proven.objects);
  await removeCreated(cluster, attempt.created, follow.onLine);
  return { stored: { ...undoing, record: { ...undoing.record, proven } }, applied };
}

/** Forgets an attempt that was undone to its end. */
export async function endUndo(cluster: Cluster, stored: Undoing): Promise<StoredRecord> {
  const { proven, attempt, history } = stored.record;
  await dropGenerations(cluster, [attempt.revision], [proven, ...history]);
  return await writeRecord(cluster, stored, { ...stored.record, attempt: undefined });
}
