import { isDeepStrictEqual } from 'node:util';
import { Failure, type Location } from '../../host/index.ts';
import { formatId, groupOf, idOf, type KubeObject, keyOf } from '../objects.ts';
import { type FieldPath, formatPath, type Manifest, type RepeatedKey } from './manifest.ts';
import { isRecord } from './pod-template.ts';

type Locate = (path: FieldPath) => Location | undefined;

/** The objects of a document: itself, or the items of a List. What no cluster could take is a Failure at its place. */
export function objectsOf({
  value,
  locate,
  repeated = [],
}: {
  readonly value: unknown;
  readonly locate: Locate;
  readonly repeated?: readonly RepeatedKey[];
}): Manifest[] {
  const items = itemsOf(value);
  if (items === undefined)
    return [{ object: checked(value, locate), locate, ...(repeated.length > 0 && { repeated }) }];
  return items.flatMap((item, index) =>
    objectsOf({
      value: item,
      locate: (path) => locate(['items', index, ...path]),
      // Said once: they are known by their place and not by their item.
      ...(index === 0 && { repeated }),
    }),
  );
}

function itemsOf(value: unknown): unknown[] | undefined {
  if (!isRecord(value) || typeof value.kind !== 'string' || !value.kind.endsWith('List')) return undefined;
  if (!Array.isArray(value.items)) return undefined;
  const { apiVersion } = value;
  const kind = value.kind.slice(0, -'List'.length);
  // The items of a ConfigMapList need not say what they are.
  return kind === ''
    ? value.items
    : value.items.map((item) =>
        isRecord(item) && item.kind === undefined && item.apiVersion === undefined
          ? { apiVersion, kind, ...item }
          : item,
      );
}

function checked(value: unknown, locate: Locate): KubeObject {
  const fail = (path: FieldPath, message: string) => new Failure(message, { location: locate(path) });
  if (!isRecord(value))
    throw fail([], 'This document is no Kubernetes object: it has no apiVersion and kind.');
  for (const field of ['apiVersion', 'kind'] as const) {
    const given = value[field];
    if (given === undefined || given === null || given === '')
      throw fail([], `This document has no ${field}, so it is no Kubernetes object.`);
    if (typeof given !== 'string') throw fail([field], `${field} is ${JSON.stringify(given)}, not text.`);
  }
  checkMetadata(value, fail);
  const template = helmText(holdsTemplates(value as KubeObject) ? metadataOf(value) : value);
  if (template !== undefined)
    throw fail(
      template.path,
      `${formatPath(template.path)} is "${template.text}": the chart was not rendered; give what "helm template" makes of it.`,
    );
  return withoutTheServers(value as KubeObject);
}

/** What the server writes into an object: it is in manifests that were made of `kubectl get -o yaml`, and an apply is refused for it. */
const THE_SERVERS = [
  'creationTimestamp',
  'generation',
  'managedFields',
  'resourceVersion',
  'selfLink',
  'uid',
];
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

function withoutTheServers(object: KubeObject): KubeObject {
  const { metadata } = object;
  const exported = metadata.annotations?.[LAST_APPLIED] !== undefined;
  if (!exported && !THE_SERVERS.some((field) => field in metadata)) return object;
  const own = Object.entries(metadata).filter(([field]) => !THE_SERVERS.includes(field));
  const { [LAST_APPLIED]: _, ...annotations } = metadata.annotations ?? {};
  return {
    ...object,
    metadata: { ...(Object.fromEntries(own) as typeof metadata), ...(exported && { annotations }) },
  };
}

/** What only charts have; other templates in text are for others to fill in. */
const HELM =
  /\{\{-?\s*(?:\.(?:Values|Release|Chart|Capabilities|Template|Files)\b|\$\.Values\b|(?:include|template|tpl)\s+")/;

/** ConfigMaps and Secrets carry files, and custom resources templates of their own: of alerts, of generators, of charts. */
function holdsTemplates({ apiVersion, kind }: KubeObject): boolean {
  const group = groupOf(apiVersion);
  const custom = group.includes('.') && !group.endsWith('.k8s.io');
  return kind === 'ConfigMap' || kind === 'Secret' || custom;
}

const metadataOf = ({ metadata }: Record<string, unknown>) => ({ metadata });

function helmText(value: unknown, path: FieldPath = []): { path: FieldPath; text: string } | undefined {
  if (typeof value === 'string') return HELM.test(value) ? { path, text: value } : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [step, inner] of entries) {
    const found = helmText(inner, [...path, step]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkMetadata(
  value: Record<string, unknown>,
  fail: (path: FieldPath, message: string) => Failure,
): void {
  const { kind, metadata } = value;
  if (!isRecord(metadata)) throw fail(['kind'], `This ${kind} has no metadata.name.`);
  if (metadata.name === undefined || metadata.name === null || metadata.name === '') {
    if (typeof metadata.generateName === 'string')
      throw fail(
        ['metadata', 'generateName'],
        `This ${kind} has generateName: what is rolled out again needs the same name each time, so give it a metadata.name.`,
      );
    throw fail(['metadata'], `This ${kind} has no metadata.name.`);
  }
  for (const field of ['name', 'namespace'] as const) {
    const given = metadata[field];
    if (given === undefined || given === null) continue;
    if (typeof given !== 'string')
      throw fail(
        ['metadata', field],
        `metadata.${field} is read as ${JSON.stringify(given)}; put it in quotes.`,
      );
    if (/[\s{}$<>]/.test(given))
      throw fail(
        ['metadata', field],
        `metadata.${field} is "${given}": a placeholder in it was not replaced.`,
      );
  }
  for (const field of ['labels', 'annotations'] as const)
    checkTexts(metadata[field], ['metadata', field], fail);
}

/** Labels and annotations are texts; without quotes `on`, `yes` and `1.10` are not. */
function checkTexts(
  map: unknown,
  path: FieldPath,
  fail: (path: FieldPath, message: string) => Failure,
): void {
  if (!isRecord(map)) return;
  for (const [key, given] of Object.entries(map))
    if (typeof given !== 'string' && given !== null)
      throw fail(
        [...path, key],
        `${path.join('.')}["${key}"] is read as ${JSON.stringify(given)}, not as text; put it in quotes.`,
      );
}

/**
 * Each object once: one that is written in several files in the same words, as Namespaces often are, is one; in different words it
 * is a Failure that names both places.
 */
export function withoutTwins(manifests: readonly Manifest[]): Manifest[] {
  const seen = new Map<string, Manifest>();
  for (const manifest of manifests) {
    const id = idOf(manifest.object);
    const key = keyOf(id);
    const first = seen.get(key);
    if (first === undefined) seen.set(key, manifest);
    else if (!isDeepStrictEqual(first.object, manifest.object))
      throw new Failure(
        `${formatId(id)} is declared twice and not alike: ${where(first)} and ${where(manifest)}; keep one of them.`,
        { location: manifest.locate(['metadata', 'name']) },
      );
  }
  return [...seen.values()];
}

/** `deploy/web.yaml:3`, for messages. */
export function where({ locate }: Manifest): string {
  const location = locate(['metadata', 'name']);
  if (location === undefined) return 'in a kustomization';
  return location.line === undefined ? location.file : `${location.file}:${location.line}`;
}
