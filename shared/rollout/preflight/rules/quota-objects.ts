import { formatQuantity, groupOf, idOf, type KubeObject, parseQuantity } from '../../../kubernetes/index.ts';
import type { Problem, Scene } from '../rule.ts';
import { fieldsOf } from '../workload.ts';

const ONE = 1_000_000_000n;

/** What a quota allows once these manifests are applied, and what of it is taken. */
export function boundsOf(scene: Scene, quota: KubeObject) {
  const own = fieldsOf(quota.status);
  const status = quota.status === undefined ? fieldsOf(scene.facts?.live(idOf(quota))?.status) : own;
  return { hard: fieldsOf(own.hard ?? fieldsOf(quota.spec).hard), used: fieldsOf(status.used) };
}

/** Names of quotas that count objects beside `count/PLURAL.GROUP` (quota/v1/evaluator/core). */
const OLDER_COUNTS = [
  'configmaps',
  'persistentvolumeclaims',
  'replicationcontrollers',
  'resourcequotas',
  'secrets',
  'services',
];

/** A quota on how many objects of a kind a namespace has. What the run writes for itself is not among them. */
export function* tooManyObjects(scene: Scene, quota: KubeObject): Iterable<Problem> {
  if (scene.facts === undefined) return;
  const { hard, used } = boundsOf(scene, quota);
  const added = scene.manifests.filter(
    ({ object }) =>
      object.metadata.namespace === quota.metadata.namespace &&
      object.kind !== 'Pod' &&
      scene.facts!.live(idOf(object)) === undefined,
  );
  const byResource = Map.groupBy(added, ({ object }) => resourceOf(object));
  for (const [name, limit] of Object.entries(hard)) {
    const resource = OLDER_COUNTS.includes(name) ? name : /^count\/(.+)$/.exec(name)?.[1];
    const fresh = byResource.get(resource ?? '') ?? [];
    const [allowed, taken] = [parseQuantity(limit), parseQuantity(used[name]) ?? 0n];
    const [first] = fresh;
    if (first === undefined || allowed === undefined || taken + BigInt(fresh.length) * ONE <= allowed)
      continue;
    yield {
      manifest: first,
      path: ['kind'],
      message: `ResourceQuota ${quota.metadata.name} allows ${formatQuantity(allowed, name)} of ${name}, of which ${formatQuantity(taken, name)} are there; the manifests add ${fresh.length}.`,
      fix: `# of the ResourceQuota, at least\nhard:\n  ${name}: "${formatQuantity(taken + BigInt(fresh.length) * ONE, name)}"`,
    };
  }
}

/** `deployments.apps`: the plural of kinds that Kubernetes has itself; for others it need not be that of their kind. */
function resourceOf({ apiVersion, kind }: KubeObject): string {
  const group = groupOf(apiVersion);
  const lower = kind.toLowerCase();
  const plural = /(?:s|x|ch)$/.test(lower) ? `${lower}es` : `${lower.replace(/y$/, 'ie')}s`;
  return group === '' ? plural : `${plural}.${group}`;
}
