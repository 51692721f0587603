import { ApiError, type Cluster, type KubeObject } from '../../kubernetes/index.ts';
import { autoscaled } from './autoscaled.ts';
import { inParallel } from './in-parallel.ts';

/**
 * Keys of the workloads among these objects whose replicas belong to an autoscaler, one that is among them or in the cluster. Where
 * the cluster's autoscalers may not be read, those among the objects count.
 */
export async function scaledAmong(
  cluster: Cluster,
  objects: readonly KubeObject[],
): Promise<ReadonlySet<string>> {
  const namespaces = new Set(
    objects.filter(hasReplicas).map(({ metadata }) => metadata.namespace ?? cluster.namespace),
  );
  const live = await inParallel([...namespaces], async (namespace) => {
    try {
      return await cluster.list({
        apiVersion: 'autoscaling/v2',
        kind: 'HorizontalPodAutoscaler',
        namespace,
      });
    } catch (error) {
      if (error instanceof ApiError && (error.status === 403 || error.status === 404)) return [];
      throw error;
    }
  });
  return autoscaled([...objects, ...live.flat()]);
}

const hasReplicas = ({ spec }: KubeObject): boolean =>
  (spec as { replicas?: unknown } | undefined)?.replicas !== undefined;
