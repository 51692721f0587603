import { ApiError, type Cluster, idOf, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import { readLive } from '../apply/live.ts';
import { guard } from './guard.ts';
import { acquireLease, type Lease, type LeaseOptions } from './lease.ts';
import { isWorkload, releaseName } from './name.ts';
import { CLAIM, RELEASE } from './record.ts';

/** The least time that is waited for others who take workloads: they hold it only while they apply. */
const LEAST_WAIT = 30_000;

/** The right to take workloads into a release. */
export interface Claim extends AsyncDisposable {
  /** In which nothing can be changed any more once the right is lost. */
  readonly cluster: Cluster;
}

/**
 * Two releases with different names have different leases, so that what keeps them from one workload is the name that it carries. Until
 * it carries one, whoever wants it holds the Lease of its namespace, from the moment he saw that it carries none until he has applied it.
 * Throws Failure where it belongs to another release now.
 */
export async function claimWorkloads(
  cluster: Cluster,
  objects: readonly KubeObject[],
  live: ReadonlyMap<string, KubeObject>,
  options: Omit<LeaseOptions, 'name'>,
): Promise<Claim> {
  const { release } = options;
  const unclaimed = objects.filter(
    (object) =>
      isWorkload(object) && live.get(keyOf(idOf(object)))?.metadata.annotations?.[RELEASE] !== release,
  );
  await using taken = new AsyncDisposableStack();
  let claimed = cluster;
  // In one order, so that no two runs wait for each other.
  for (const namespace of namespacesOf(unclaimed)) {
    // One that is yet to be made has no workloads to fight for.
    if (namespace !== options.namespace && isMade(namespace, objects, live)) continue;
    const lease = await claimIn(cluster, { ...options, namespace });
    if (lease !== undefined) claimed = guard(claimed, taken.use(lease));
  }
  if (unclaimed.length > 0) releaseName(unclaimed, await readLive(cluster, unclaimed.map(idOf)), release);
  const held = taken.move();
  return { cluster: claimed, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const namespacesOf = (objects: readonly KubeObject[]): readonly string[] =>
  [...new Set(objects.flatMap(({ metadata }) => metadata.namespace ?? []))].sort();

/** Whether a namespace is made by this rollout. */
const isMade = (
  namespace: string,
  objects: readonly KubeObject[],
  live: ReadonlyMap<string, KubeObject>,
): boolean =>
  objects.some(
    (object) =>
      object.kind === 'Namespace' && object.metadata.name === namespace && !live.has(keyOf(idOf(object))),
  );

async function claimIn(cluster: Cluster, options: LeaseOptions): Promise<Lease | undefined> {
  const { release, namespace, wait } = options;
  try {
    return await acquireLease(cluster, {
      ...options,
      name: CLAIM,
      release: `${release} for the first time in ${namespace}`,
      wait: Math.max(wait, LEAST_WAIT),
    });
  } catch (error) {
    // A token that is limited to this release's own Lease: the name that the workloads carry has to do.
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}
