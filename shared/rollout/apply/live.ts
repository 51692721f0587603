import { ApiError, type Cluster, type KubeObject, keyOf, type ObjectId } from '../../kubernetes/index.ts';
import { inParallel } from './in-parallel.ts';

/** As many objects of one kind in one namespace are cheaper to list than to get one by one. */
const WORTH_A_LIST = 8;

/** What is there of some objects, by `keyOf`. An object that is not there has no entry. */
export type Live = ReadonlyMap<string, KubeObject>;

/**
 * Reads objects as they are in the cluster: each by itself, or by one list where there are many of a kind. Kinds that the cluster does
 * not serve (yet) have none. What may not be read is told to `onUnreadable`, and without that its ApiError is thrown.
 */
export async function readLive(
  cluster: Cluster,
  ids: readonly ObjectId[],
  onUnreadable?: (id: ObjectId) => void,
): Promise<Live> {
  const live = new Map<string, KubeObject>();
  const groups = Map.groupBy(ids, ({ apiVersion, kind, namespace }) => `${apiVersion} ${kind} ${namespace}`);
  await inParallel(
    [...groups.values()].flatMap((group) =>
      group.length >= WORTH_A_LIST ? [group] : group.map((id) => [id]),
    ),
    async (group) => {
      const found = await readGroup(cluster, group, onUnreadable);
      for (const [index, id] of group.entries()) {
        if (found[index] !== undefined) live.set(keyOf(id), found[index]);
      }
    },
  );
  return live;
}

async function readGroup(
  cluster: Cluster,
  group: readonly ObjectId[],
  onUnreadable: ((id: ObjectId) => void) | undefined,
): Promise<readonly (KubeObject | undefined)[]> {
  const { apiVersion, kind, namespace } = group[0]!;
  const resource = await cluster.resource(apiVersion, kind);
  if (resource === undefined) return [];
  if (group.length > 1) {
    const within = resource.namespaced ? (namespace ?? cluster.namespace) : undefined;
    try {
      const all = await cluster.list({ apiVersion, kind, namespace: within });
      const byName = new Map(all.map((object) => [object.metadata.name, object]));
      return group.map(({ name }) => byName.get(name));
    } catch (error) {
      // Who may get each object need not be allowed to list them all.
      if (!(error instanceof ApiError && error.status === 403)) throw error;
    }
  }
  return await inParallel(group, async (id) => {
    try {
      return await cluster.get(id);
    } catch (error) {
      if (onUnreadable === undefined || !(error instanceof ApiError && error.status === 403)) throw error;
      onUnreadable(id);
      return undefined;
    }
  });
}
