import { Key, type KeyPart } from '../../content/index.ts';
import { idOf, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import type { Revision } from './record.ts';

/** Equal for equal intent, whatever the order of the objects. */
export function digestOfObjects(objects: readonly KubeObject[]): string {
  const parts = Object.fromEntries(objects.map((object) => [keyOf(idOf(object)), object as KeyPart]));
  return Key.of(parts).digest;
}

/** The images of all pods of the objects, each once, sorted. */
export function imagesOf(objects: readonly KubeObject[]): readonly string[] {
  const images = objects.flatMap((object) => {
    const pod = podSpecOf(object);
    return [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])].flatMap(({ image }) => image ?? []);
  });
  return [...new Set(images)].sort();
}

interface PodSpec {
  readonly containers?: readonly { readonly image?: string }[];
  readonly initContainers?: readonly { readonly image?: string }[];
}

function podSpecOf({ spec }: KubeObject): PodSpec | undefined {
  const { template, jobTemplate } = (spec ?? {}) as {
    readonly template?: { readonly spec?: PodSpec };
    readonly jobTemplate?: { readonly spec?: { readonly template?: { readonly spec?: PodSpec } } };
  };
  return (template ?? jobTemplate?.spec?.template)?.spec;
}

/** How many earlier revisions can be asked for: the most that one of its workloads keeps (10 where none says). */
export function historyLimit({ objects }: Pick<Revision, 'objects'>): number {
  const limits = objects.flatMap(
    ({ spec }) =>
      (spec as { readonly revisionHistoryLimit?: number } | undefined)?.revisionHistoryLimit ?? [],
  );
  return limits.length === 0 ? 10 : Math.max(...limits);
}
