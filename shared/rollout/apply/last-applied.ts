import type { FieldSteps, KubeObject } from '../../kubernetes/index.ts';

/** What `kubectl apply` compares with to see which fields were dropped. */
export const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export const LAST_APPLIED_FIELD: FieldSteps = ['f:metadata', 'f:annotations', `f:${LAST_APPLIED}`];

/** Most bytes of all annotations of an object together (apimachinery, TotalAnnotationSizeLimitB). */
const MOST_ANNOTATIONS = 256 * 1024;

/**
 * The object with a last-applied annotation that is true of it. It is written only where the live object has one: somebody uses
 * `kubectl apply` on it, and a stale one would make the next `kubectl apply` revert or drop what it does not know of. Where it would
 * be too large it is left out, as the API server does.
 */
export function withLastApplied(object: KubeObject): KubeObject {
  const { [LAST_APPLIED]: _, ...annotations } = object.metadata.annotations ?? {};
  const bare = { ...object, metadata: { ...object.metadata, annotations } };
  const all = { ...annotations, [LAST_APPLIED]: `${JSON.stringify(sorted(bare))}\n` };
  const size = Object.entries(all).reduce((sum, [name, value]) => sum + Buffer.byteLength(name + value), 0);
  return size > MOST_ANNOTATIONS ? bare : { ...object, metadata: { ...object.metadata, annotations: all } };
}

/** Fields in the order of their names: equal objects give equal texts, in the order that kubectl writes. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const fields = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([name, inner]) => [name, sorted(inner)]));
}
