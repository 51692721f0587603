import { type Cluster, formatId, idOf, type KubeObject, type ObjectId } from '../../kubernetes/index.ts';
import type { AppliedObject } from '../apply/change.ts';
import { readLive } from '../apply/live.ts';
import { removeAll } from '../apply/prune.ts';
import { FIELD_MANAGER } from '../apply/take-over.ts';

/** Kinds with which what others put in them would go. */
const KEPT: ReadonlySet<string> = new Set([
  'Namespace',
  'CustomResourceDefinition',
  'PersistentVolumeClaim',
  'PersistentVolume',
]);

/**
 * Deletes what attempts created, also what prune would keep. What Slipway did not apply stays: it is another object of the same name.
 * So do namespaces, CRDs and volumes, because data would go with them; `onLine` is told so.
 */
export async function removeCreated(
  cluster: Cluster,
  ids: readonly ObjectId[],
  onLine: (id: ObjectId, line: string) => void,
): Promise<readonly AppliedObject[]> {
  const live = await readLive(cluster, ids);
  const own = [...live.values()].filter((object) => {
    const why = KEPT.has(object.kind)
      ? 'data would go with it'
      : isOurs(object)
        ? undefined
        : 'it was not applied by Slipway';
    if (why !== undefined) onLine(idOf(object), `${formatId(idOf(object))} stays: ${why}`);
    return why === undefined;
  });
  // Not the user's signal: to be cancelled may be why this is done.
  return await removeAll(cluster, own.map(idOf), { signal: new AbortController().signal, evenKept: true });
}

const isOurs = ({ metadata }: KubeObject): boolean =>
  metadata.managedFields?.some(({ manager }) => manager === FIELD_MANAGER) ?? false;
