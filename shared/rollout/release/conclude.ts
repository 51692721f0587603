import { type Cluster, idOf, keyOf, type ObjectId } from '../../kubernetes/index.ts';
import type { AppliedObject } from '../apply/change.ts';
import { removeAll } from '../apply/prune.ts';
import type { Follow } from '../follow.ts';
import { removeCreated } from '../undo/remove.ts';
import type { Attempted } from './begin.ts';
import { dropGenerations } from './held.ts';
import { without } from './objects.ts';
import type { PastRevision, ReleaseRecord } from './record.ts';
import { historyLimit } from './revision.ts';
import { type StoredRecord, writeRecord } from './store.ts';

/**
 * Makes the attempt the proven revision. Before that, while the record still tells how to go back, what is pruned goes, what attempts
 * before it created and it does not have, and the generations of configuration that the history no longer reaches.
 */
export async function conclude(
  cluster: Cluster,
  stored: Attempted,
  { pruned, dropped }: { readonly pruned: readonly ObjectId[]; readonly dropped: readonly ObjectId[] },
  onLine: Follow['onLine'],
): Promise<{ readonly stored: StoredRecord; readonly removed: readonly AppliedObject[] }> {
  const { proven, attempt, history: before } = stored.record;
  const { revision, created } = attempt;
  const own = revision.objects.map((object) => keyOf(idOf(object)));
  // What is proven is no longer cancelled: the signal is not the user's.
  const removed = [
    ...(await removeAll(cluster, pruned, { signal: new AbortController().signal })),
    ...(await removeCreated(cluster, without(created, own, keyOf), onLine)),
  ];
  const past = proven === undefined ? before : [pastOf(proven), ...before];
  const history = past.slice(0, historyLimit(revision));
  await dropGenerations(cluster, past, [revision, ...history]);
  const record: ReleaseRecord = { ...stored.record, proven: revision, attempt: undefined, history, dropped };
  return { stored: await writeRecord(cluster, stored, record), removed };
}

function pastOf({ objects: _, ...past }: NonNullable<ReleaseRecord['proven']>): PastRevision {
  return past;
}
