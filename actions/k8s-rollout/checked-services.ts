import type { Check } from '../../shared/gate/index.ts';
import { didYouMean, Failure } from '../../shared/host/index.ts';
import { ApiError, type Cluster, keyOf, type ObjectId } from '../../shared/kubernetes/index.ts';

/** A check of a Service that is nowhere would fail when all is rolled out, and undo it: it is refused before. */
export async function refuseUnknownServices(
  cluster: Pick<Cluster, 'get'>,
  checks: readonly Check[],
  objects: readonly ObjectId[],
  namespace: string,
): Promise<void> {
  const services = objects.filter(({ kind, apiVersion }) => kind === 'Service' && apiVersion === 'v1');
  for (const check of checks) {
    if (check.kind === 'exec' || check.from === 'runner') continue;
    const at = check.namespace ?? namespace;
    const id = { apiVersion: 'v1', kind: 'Service', namespace: at, name: check.host };
    if (services.some((one) => keyOf(one) === keyOf(id)) || (await mayBeThere(cluster, id))) continue;
    const guess = didYouMean(
      check.host,
      services.map(({ name }) => name),
    );
    throw new Failure(
      `The check "${check.text}" asks Service ${check.host} in ${at}, which is neither among the manifests nor in the cluster.${guess}`,
    );
  }
}

/** One that the token may not read may be there. */
async function mayBeThere(cluster: Pick<Cluster, 'get'>, id: ObjectId): Promise<boolean> {
  try {
    return (await cluster.get(id)) !== undefined;
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return true;
    throw error;
  }
}
