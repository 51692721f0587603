import {
  ApiError,
  type Cluster,
  formatId,
  idOf,
  inRemovalOrder,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
} from '../../kubernetes/index.ts';
import type { AppliedObject } from './change.ts';
import { inParallel } from './in-parallel.ts';
import { ApplyFailure, type Refusal } from './refusal.ts';

/** Kinds whose deletion takes with it what is not the release's own: all objects of a namespace or of a kind, and data. */
const WITH_MORE = new Set([
  'Namespace',
  'CustomResourceDefinition',
  'PersistentVolumeClaim',
  'PersistentVolume',
]);

/** Objects of the proven revision that the manifests no longer have and that may be deleted, in the order of the revision. */
export function pruneCandidates(
  proven: readonly KubeObject[],
  manifests: readonly Manifest[],
): readonly ObjectId[] {
  const wanted = new Set(manifests.map(({ object }) => keyOf(idOf(object))));
  return proven.filter((object) => !wanted.has(keyOf(idOf(object))) && mayPrune(object)).map(idOf);
}

/**
 * Whether an object may be deleted when the manifests no longer have it: not one that is to be kept (`slipway.dev/keep`,
 * `helm.sh/resource-policy: keep`), nor one that takes more with it, unless it is annotated with `slipway.dev/prune: "true"`.
 */
function mayPrune({ kind, metadata: { annotations = {} } }: KubeObject): boolean {
  const keep = annotations['slipway.dev/keep'];
  if (keep !== undefined && keep !== 'false') return false;
  if (annotations['helm.sh/resource-policy'] === 'keep') return false;
  return !WITH_MORE.has(kind) || annotations['slipway.dev/prune'] === 'true';
}

/** How objects are deleted. */
export interface RemoveAllOptions {
  readonly signal: AbortSignal;
  /** Remove objects that are annotated to be kept too: those that a failed attempt made. */
  readonly evenKept?: boolean | undefined;
}

/**
 * Deletes objects, in the order in which they can be missed: each wave at once, and what needs others before them. What is gone
 * already, or what the live object's annotations keep, is left out of the answer. Each is deleted as the very object that was looked
 * at, with what belongs to it in the background. Throws ApplyFailure with all refusals.
 */
export async function removeAll(
  cluster: Cluster,
  ids: readonly ObjectId[],
  { signal, evenKept = false }: RemoveAllOptions,
): Promise<readonly AppliedObject[]> {
  const removed: AppliedObject[] = [];
  for (const wave of inRemovalOrder(ids)) {
    const refusals: Refusal[] = [];
    await inParallel(wave, async (id) => {
      signal.throwIfAborted();
      try {
        if (await removeOne(cluster, id, evenKept))
          removed.push({ id, result: 'removed', object: undefined });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        refusals.push({
          id,
          message: `${formatId(id)} was not deleted: ${error.message}`,
          location: undefined,
        });
      }
    });
    if (refusals.length > 0) throw new ApplyFailure(refusals, [], removed);
  }
  return removed;
}

async function removeOne(cluster: Cluster, id: ObjectId, evenKept: boolean): Promise<boolean> {
  if ((await cluster.resource(id.apiVersion, id.kind)) === undefined) return false;
  const live = await cluster.get(id);
  if (live === undefined || live.metadata.deletionTimestamp != null) return false;
  if (!evenKept && !mayPrune(live)) return false;
  try {
    return await cluster.remove(id, { propagation: 'Background', uid: live.metadata.uid });
  } catch (error) {
    // Another object of that name has come in its place meanwhile: it is not the one to delete.
    if (error instanceof ApiError && error.status === 409) return false;
    throw error;
  }
}
