import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Pod } from 'kubernetes-types/core/v1.d.ts';
import {
  ApiError,
  type Cluster,
  formatId,
  formatSelector,
  idOf,
  type KubeObject,
} from '../../kubernetes/index.ts';
import type { AppliedObject } from '../apply/change.ts';
import { watchFor } from '../apply/gone.ts';
import type { Follow } from '../follow.ts';

/** How long the StatefulSet controller may take to see a new template, in ms. */
const MOST = 5_000;

type Live<T> = KubeObject & T;

/**
 * Deletes the pods of a failed revision that keep a StatefulSet from the one that was applied. Its pods go in order, so one that does not
 * get ready is waited for and never replaced, also on the way back (kubernetes#67250; the manual says to delete it by hand). Only what
 * is not ready is deleted: it serves nothing.
 */
export async function freeStuck(
  cluster: Cluster,
  applied: readonly AppliedObject[],
  onLine: Follow['onLine'],
): Promise<void> {
  const sets = applied.flatMap(({ object }) =>
    object?.kind === 'StatefulSet' && object.apiVersion === 'apps/v1' ? [object as Live<StatefulSet>] : [],
  );
  await Promise.all(
    sets
      .filter(({ spec }) => spec?.updateStrategy?.type !== 'OnDelete')
      .map((set) => freeOne(cluster, set, onLine)),
  );
}

async function freeOne(
  cluster: Cluster,
  applied: Live<StatefulSet>,
  onLine: Follow['onLine'],
): Promise<void> {
  await watchFor(cluster, applied, AbortSignal.timeout(MOST), (live) => live !== undefined && isSeen(live));
  const set = await cluster.get<Live<StatefulSet>>(idOf(applied));
  if (set === undefined || !isSeen(set)) return;
  const { namespace } = set.metadata;
  const pods = await cluster.list<Live<Pod>>({
    apiVersion: 'v1',
    kind: 'Pod',
    namespace,
    labelSelector: formatSelector(set.spec?.selector),
  });
  for (const pod of pods.filter((one) => isStuck(one, set))) {
    const id = { apiVersion: 'v1', kind: 'Pod', namespace, name: pod.metadata.name };
    try {
      await cluster.remove(id, { uid: pod.metadata.uid });
      onLine(
        idOf(set),
        `pod ${id.name} is deleted: it is of the revision that failed, is not ready, and holds up the others`,
      );
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404 || error.status === 409) continue;
      onLine(
        idOf(set),
        `pod ${id.name} holds up ${formatId(idOf(set))} and could not be deleted (${error.message}); delete it: kubectl delete pod ${id.name} -n ${namespace}`,
      );
    }
  }
}

const isSeen = (live: KubeObject): boolean => {
  const { metadata, status } = live as Live<StatefulSet>;
  return (status?.observedGeneration ?? 0) >= (metadata.generation ?? 1);
};

/** Whether a pod is of another revision than the one that is wanted, and is not ready. */
export function isStuck({ metadata, status }: Live<Pod>, set: Live<StatefulSet>): boolean {
  const { status: progress, spec } = set;
  const revision = metadata.labels?.['controller-revision-hash'];
  const ordinal = Number(/-(\d+)$/.exec(metadata.name)?.[1]);
  // Those below the partition stay at the current revision.
  const stays =
    revision === progress?.currentRevision && ordinal < (spec?.updateStrategy?.rollingUpdate?.partition ?? 0);
  return (
    metadata.ownerReferences?.some(({ uid, controller }) => controller && uid === set.metadata.uid) ===
      true &&
    metadata.deletionTimestamp == null &&
    revision !== progress?.updateRevision &&
    !stays &&
    status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') !== true
  );
}
