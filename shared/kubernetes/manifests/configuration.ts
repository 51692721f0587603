import { Key } from '../../content/index.ts';
import type { KubeObject } from '../objects.ts';
import {
  contentHash,
  generationLabel,
  generationName,
  isConfiguration,
  LABEL_GENERATION_OF,
} from './generation.ts';
import type { Manifest } from './manifest.ts';
import { podTemplateOf, withField } from './pod-template.ts';
import { configurationOf, namesIn } from './references.ts';

/** How a changed ConfigMap or Secret rolls the pods that read it. */
export type ConfigurationMode = 'annotation' | 'name' | 'none';

/** On a pod template: a digest over the configuration that its pods read. */
export const ANNOTATION_CONFIGURATION = 'slipway.dev/configuration';

/**
 * Ties pods to the content of the ConfigMaps and Secrets among the manifests that they read, so that a changed value makes a new
 * revision: by an annotation on their template, or by a hash in the names. Namespaces must be set before.
 */
export function withConfiguration(manifests: readonly Manifest[], mode: ConfigurationMode): Manifest[] {
  if (mode === 'none') return [...manifests];
  const objects = new Map(
    manifests
      .filter(({ object }) => isConfiguration(object))
      .map(({ object }) => [keyIn(object.metadata.namespace, object.kind, object.metadata.name), object]),
  );
  return mode === 'annotation' ? annotated(manifests, objects) : renamed(manifests, objects);
}

type Objects = ReadonlyMap<string, KubeObject>;

const keyIn = (namespace: string | undefined, kind: string, name: string): string =>
  `${namespace ?? ''}/${kind}/${name}`;

function annotated(manifests: readonly Manifest[], objects: Objects): Manifest[] {
  return manifests.map((manifest) => {
    const { object } = manifest;
    const template = podTemplateOf(object);
    // What runs once cannot be rolled: a bare Pod, or a Job, whose template the server does not let change.
    if (template === undefined || object.kind === 'Pod' || object.kind === 'Job') return manifest;
    const read = configurationOf(template).map(({ kind, name }) =>
      keyIn(object.metadata.namespace, kind, name),
    );
    const hashes = read.flatMap((key) => {
      const found = objects.get(key);
      return found === undefined ? [] : [[key, contentHash(found)] as const];
    });
    if (hashes.length === 0) return manifest;
    const { digest } = Key.of(Object.fromEntries(hashes));
    const path = [...template.path, 'metadata', 'annotations', ANNOTATION_CONFIGURATION];
    return { ...manifest, object: withField(object, path, digest.slice('sha256:'.length)) };
  });
}

function renamed(manifests: readonly Manifest[], objects: Objects): Manifest[] {
  const names = new Map<string, string>();
  for (const { object } of manifests) {
    const template = podTemplateOf(object);
    for (const { kind, name } of template === undefined ? [] : configurationOf(template)) {
      const key = keyIn(object.metadata.namespace, kind, name);
      const found = objects.get(key);
      if (found !== undefined) names.set(key, generationName(name, contentHash(found)));
    }
  }
  return manifests.map((manifest) => {
    const { object } = manifest;
    const name = names.get(keyIn(object.metadata.namespace, object.kind, object.metadata.name));
    const changed =
      isConfiguration(object) && name !== undefined ? asGeneration(object, name) : pointed(object, names);
    return changed === object ? manifest : { ...manifest, object: changed };
  });
}

/** The user's object under its new name; it never changes again, so the kubelets need not watch it. */
function asGeneration(object: KubeObject, name: string): KubeObject {
  const { metadata } = object;
  return {
    ...object,
    metadata: {
      ...metadata,
      name,
      labels: { ...metadata.labels, [LABEL_GENERATION_OF]: generationLabel(metadata.name) },
      annotations: { ...metadata.annotations, [LABEL_GENERATION_OF]: metadata.name },
    },
    immutable: true,
  };
}

function pointed(object: KubeObject, names: ReadonlyMap<string, string>): KubeObject {
  return namesIn(object).reduce((changed, { kind, name, path }) => {
    const to = names.get(keyIn(object.metadata.namespace, kind, name));
    return to === undefined ? changed : withField(changed, path, to);
  }, object);
}
