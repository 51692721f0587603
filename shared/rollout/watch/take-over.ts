import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import type { WorkloadState } from './model.ts';
import { fingerprint, templateOf } from './revision.ts';

/** How somebody else made a rollout void, and who where the object says so. */
export interface TakeOver {
  readonly how: 'changed' | 'deleted' | 'replaced';
  readonly by: string | undefined;
}

/**
 * Whether somebody else has taken the workload over since it was applied: deleted it, made it anew, or given its pods another
 * program. A new generation alone is not enough: an autoscaler that changes `replicas` makes one too, and so does a restart.
 */
export function takeOver({ target, live, deleted }: WorkloadState): TakeOver | undefined {
  if (live === undefined) return undefined;
  if (deleted) return { how: 'deleted', by: undefined };
  if (target.metadata.uid !== undefined && live.metadata.uid !== target.metadata.uid)
    return { how: 'replaced', by: lastWriter(live) };
  if ((live.metadata.generation ?? 0) <= (target.metadata.generation ?? 0)) return undefined;
  if (fingerprint(templateOf(live)) === fingerprint(templateOf(target))) return undefined;
  const [now, applied] = [live, target].map((one) => fingerprint(programOf(templateOf(one))));
  return now === applied ? undefined : { how: 'changed', by: lastWriter(live) };
}

/**
 * What a template runs, without what only makes its pods anew: the annotations of `kubectl rollout restart` and of Reloader, which
 * answers to a ConfigMap that has just been applied, and the variables of the latter.
 */
function programOf(template: PodTemplateSpec | undefined): PodTemplateSpec | undefined {
  if (template?.spec === undefined) return template;
  const { annotations: _, ...metadata } = template.metadata ?? {};
  const containers = template.spec.containers.map(({ env = [], ...container }) => ({
    ...container,
    env: env.filter(({ name }) => !name.startsWith('STAKATER_')),
  }));
  return { ...template, metadata, spec: { ...template.spec, containers } };
}

/** The field manager that wrote last to anything but the status. */
function lastWriter(object: KubeObject): string | undefined {
  return (object.metadata.managedFields ?? [])
    .filter(({ subresource, manager }) => !subresource && manager !== 'kube-controller-manager')
    .sort((a, b) => Date.parse(a.time ?? '') - Date.parse(b.time ?? ''))
    .at(-1)?.manager;
}
