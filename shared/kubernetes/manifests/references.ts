import type { Volume } from 'kubernetes-types/core/v1.d.ts';
import type { KubeObject } from '../objects.ts';
import type { FieldPath } from './manifest.ts';
import { containersOf, isRecord, type PodTemplate, podTemplateOf } from './pod-template.ts';

/** That something names a ConfigMap or a Secret of its own namespace. */
export interface ConfigurationReference {
  readonly kind: 'ConfigMap' | 'Secret';
  readonly name: string;
  /** Of the name, from the object. */
  readonly path: FieldPath;
  /** Pods start without it. */
  readonly optional: boolean;
  /** The key that is read; undefined where all are. */
  readonly key?: string | undefined;
}

/**
 * The ConfigMaps and Secrets that pods read: through variables and volumes, also of init containers. Credentials that the kubelet
 * uses for itself (imagePullSecrets, of storage) are not among them.
 */
export function configurationOf(template: PodTemplate): ConfigurationReference[] {
  const volumes = list(template.spec.volumes).flatMap(([volume, index]) =>
    volumeReferences(volume as unknown as Volume, [...template.path, 'spec', 'volumes', index]),
  );
  const variables = containersOf(template).flatMap(({ container, path }) => [
    ...list(container.env).flatMap(([one, index]) => {
      const from = [...path, 'env', index, 'valueFrom'];
      return [
        ...reference('ConfigMap', one.valueFrom, 'configMapKeyRef', 'name', from),
        ...reference('Secret', one.valueFrom, 'secretKeyRef', 'name', from),
      ];
    }),
    ...list(container.envFrom).flatMap(([one, index]) => [
      ...reference('ConfigMap', one, 'configMapRef', 'name', [...path, 'envFrom', index]),
      ...reference('Secret', one, 'secretRef', 'name', [...path, 'envFrom', index]),
    ]),
  ]);
  return [...variables, ...volumes];
}

function volumeReferences(volume: Volume, path: FieldPath): ConfigurationReference[] {
  const projected = isRecord(volume.projected) ? list(volume.projected.sources) : [];
  return [
    ...reference('ConfigMap', volume, 'configMap', 'name', path),
    ...reference('Secret', volume, 'secret', 'secretName', path),
    ...projected.flatMap(([source, index]) => [
      ...reference('ConfigMap', source, 'configMap', 'name', [...path, 'projected', 'sources', index]),
      ...reference('Secret', source, 'secret', 'name', [...path, 'projected', 'sources', index]),
    ]),
  ];
}

/** Everything in an object that names a ConfigMap or a Secret and has to follow when it is renamed, pods or not. */
export function namesIn(object: KubeObject): Omit<ConfigurationReference, 'optional'>[] {
  const template = podTemplateOf(object);
  if (template !== undefined)
    return [...configurationOf(template), ...pullSecrets(template.spec, [...template.path, 'spec'])];
  const spec = isRecord(object.spec) ? object.spec : {};
  switch (object.kind) {
    case 'ServiceAccount':
      return [
        ...pullSecrets(object, []),
        ...list(object.secrets).flatMap(([one, index]) => named('Secret', one, 'name', ['secrets', index])),
      ];
    case 'Ingress':
      return list(spec.tls).flatMap(([one, index]) =>
        named('Secret', one, 'secretName', ['spec', 'tls', index]),
      );
    case 'Role':
      return list(object.rules).flatMap(([rule, index]) => ruleNames(rule, ['rules', index]));
    default:
      return [];
  }
}

const pullSecrets = (owner: object, path: FieldPath) =>
  list((owner as { imagePullSecrets?: unknown }).imagePullSecrets).flatMap(([one, index]) =>
    named('Secret', one, 'name', [...path, 'imagePullSecrets', index]),
  );

function ruleNames(rule: Record<string, unknown>, path: FieldPath) {
  const resources = Array.isArray(rule.resources) ? rule.resources : [];
  const names = Array.isArray(rule.resourceNames) ? rule.resourceNames : [];
  const kinds = (['ConfigMap', 'Secret'] as const).filter((kind) =>
    resources.includes(`${kind.toLowerCase()}s`),
  );
  return kinds.flatMap((kind) =>
    names.flatMap((name, index) =>
      typeof name === 'string' ? [{ kind, name, path: [...path, 'resourceNames', index] }] : [],
    ),
  );
}

function reference(
  kind: ConfigurationReference['kind'],
  owner: unknown,
  field: string,
  nameField: string,
  path: FieldPath,
): ConfigurationReference[] {
  const inner = isRecord(owner) ? owner[field] : undefined;
  if (!isRecord(inner)) return [];
  const optional = inner.optional === true;
  const key = typeof inner.key === 'string' ? inner.key : undefined;
  return named(kind, inner, nameField, [...path, field]).map((one) => ({ ...one, optional, key }));
}

function named(
  kind: ConfigurationReference['kind'],
  owner: Record<string, unknown>,
  field: string,
  path: FieldPath,
) {
  const name = owner[field];
  return typeof name === 'string' && name !== '' ? [{ kind, name, path: [...path, field] }] : [];
}

/** The mappings of a list with their indexes; none where it is no list. */
function list(value: unknown): [Record<string, unknown>, number][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one, index) => (isRecord(one) ? [[one, index] as [typeof one, number]] : []));
}
