import { groupOf, type KubeObject, keyOf, type ObjectId } from '../../kubernetes/index.ts';

interface ScaleTarget {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly name?: string;
}

/** Keys (`keyOf`) of the workloads whose replicas belong to a HorizontalPodAutoscaler among these objects. */
export function autoscaled(objects: readonly KubeObject[]): ReadonlySet<string> {
  const targets = objects.flatMap((object) => {
    if (object.kind !== 'HorizontalPodAutoscaler' || groupOf(object.apiVersion) !== 'autoscaling') return [];
    const target = (object.spec as { scaleTargetRef?: ScaleTarget } | undefined)?.scaleTargetRef;
    if (target?.kind === undefined || target.name === undefined) return [];
    const id: ObjectId = {
      // Autoscalers that leave the version out mean the usual one.
      apiVersion: target.apiVersion ?? 'apps/v1',
      kind: target.kind,
      name: target.name,
      namespace: object.metadata.namespace,
    };
    return [keyOf(id)];
  });
  return new Set(targets);
}

/** The object as it is applied where an autoscaler owns its replicas. */
export function withoutReplicas(object: KubeObject): KubeObject {
  const { replicas: _, ...spec } = (object.spec ?? {}) as Record<string, unknown>;
  return { ...object, spec };
}
