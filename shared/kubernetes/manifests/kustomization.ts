import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Failure, type Location } from '../../host/index.ts';
import { groupOf, type KubeObject } from '../objects.ts';
import type { FieldPath } from './manifest.ts';
import { at, isRecord } from './pod-template.ts';
import { display, kustomizationOf } from './sources.ts';
import { readYaml, type YamlDocument } from './yaml.ts';

/** A kustomization and all that it is made of, as far as it lies in folders of its own. */
export interface Kustomization {
  /** Its folder and those of its bases and components. */
  readonly folders: readonly string[];
  /** Files, folders and addresses that it names, and where. */
  readonly entries: readonly { readonly text: string; readonly location: Location }[];
  /** Objects, and patches of objects, what is applied later first. */
  readonly parts: readonly Part[];
}

/** A document that objects are rendered from. */
interface Part extends Omit<YamlDocument, 'repeated'> {
  readonly kind: string;
  readonly name: string;
  readonly group: string | undefined;
  readonly patch: boolean;
}

/** Reads a kustomization for places only: what cannot be read is left out, since kustomize itself will say what is wrong with it. */
export function readKustomization(
  folder: string,
  workspace: string,
  above: readonly string[] = [],
): Kustomization {
  const file = kustomizationOf(folder);
  if (file === undefined || above.includes(folder)) return { folders: [], entries: [], parts: [] };
  const [document] = documents(file, workspace);
  if (document === undefined || !isRecord(document.value))
    return { folders: [folder], entries: [], parts: [] };
  const names = namesOf(document.value);
  const inner = names.map(({ text, patch }): Kustomization => {
    const path = join(folder, text);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return readKustomization(path, workspace, [...above, folder]);
    const parts = stat?.isFile() ? documents(path, workspace).flatMap((one) => partOf(one, patch)) : [];
    return { folders: [], entries: [], parts };
  });
  return {
    folders: [folder, ...inner.flatMap(({ folders }) => folders)],
    entries: [
      ...names.map(({ text, path }) => ({ text, location: document.locate(path) })),
      ...inner.flatMap(({ entries }) => entries),
    ],
    parts: [...generatorsOf(document), ...inner.flatMap(({ parts }) => parts)],
  };
}

interface Name {
  readonly text: string;
  readonly path: FieldPath;
  readonly patch: boolean;
}

/** Patches come first: they are applied to what the resources give, the last one last. */
function namesOf(value: Record<string, unknown>): Name[] {
  const list = (field: string): [unknown, number][] =>
    Array.isArray(value[field]) ? value[field].map((one, index) => [one, index]) : [];
  const patches = [
    ...list('patches').map(([one, index]) => [at(one, ['path']), ['patches', index, 'path']] as const),
    ...list('patchesStrategicMerge').map(([one, index]) => [one, ['patchesStrategicMerge', index]] as const),
  ].toReversed();
  const resources = ['components', 'resources', 'bases'].flatMap((field) =>
    list(field).map(([one, index]) => [one, [field, index]] as const),
  );
  const named = (pairs: readonly (readonly [unknown, FieldPath])[], patch: boolean): Name[] =>
    pairs.flatMap(([text, path]) => (typeof text === 'string' ? [{ text, path, patch }] : []));
  return [...named(patches, true), ...named(resources, false)];
}

function documents(file: string, workspace: string): YamlDocument[] {
  try {
    return readYaml(readFileSync(file, 'utf8'), display(file, workspace));
  } catch (error) {
    if (error instanceof Failure) return [];
    throw error;
  }
}

function partOf(document: Pick<YamlDocument, 'value' | 'locate'>, patch: boolean): Part[] {
  const { value } = document;
  if (!isRecord(value) || typeof value.kind !== 'string') return [];
  if (Array.isArray(value.items))
    return value.items.flatMap((item, index) =>
      partOf({ value: item, locate: (path) => document.locate(['items', index, ...path]) }, patch),
    );
  const name = at(value, ['metadata', 'name']);
  if (typeof name !== 'string') return [];
  const group = typeof value.apiVersion === 'string' ? groupOf(value.apiVersion) : undefined;
  return [{ ...document, kind: value.kind, name, group, patch }];
}

/** ConfigMaps and Secrets that the kustomization makes: their place is that of the generator. */
function generatorsOf({ value, locate }: YamlDocument): Part[] {
  return (['configMapGenerator', 'secretGenerator'] as const).flatMap((field) => {
    const generators = at(value, [field]);
    if (!Array.isArray(generators)) return [];
    return generators.flatMap((generator, index): Part[] => {
      const name = at(generator, ['name']);
      if (typeof name !== 'string') return [];
      const kind = field === 'configMapGenerator' ? 'ConfigMap' : 'Secret';
      const place = () => locate([field, index, 'name']);
      return [{ kind, name, group: '', patch: false, value: undefined, locate: place }];
    });
  });
}

/**
 * Where a rendered object is written: a field where a patch or a resource has it with the same value, else the nearest field around
 * it in its resource, else the name there. Names may have got a prefix, a suffix or a hash.
 */
export function placesOf(
  object: KubeObject,
  { parts }: Kustomization,
): (path: FieldPath) => Location | undefined {
  const candidates = parts.filter(
    ({ kind, group, name }) =>
      kind === object.kind &&
      (group === undefined || group === groupOf(object.apiVersion)) &&
      object.metadata.name.includes(name),
  );
  // The name that is nearest: "web" is no resource of "web-admin" where there is one of that name.
  const longest = Math.max(...candidates.map(({ name }) => name.length));
  const own = candidates.filter(({ name }) => name.length === longest);
  const resource = own.find(({ patch }) => !patch) ?? own[0];
  return (path) => {
    if (resource === undefined) return undefined;
    const equal = own.find(
      ({ value }) =>
        path.length > 0 && has(value, path) && isDeepStrictEqual(at(value, path), at(object, path)),
    );
    if (equal !== undefined) return equal.locate(path);
    for (let length = path.length - 1; length > 0 && path[0] !== 'metadata'; length--)
      if (has(resource.value, path.slice(0, length))) return resource.locate(path.slice(0, length));
    return resource.locate(['metadata', 'name']);
  };
}

const has = (value: unknown, path: FieldPath): boolean => at(value, path) !== undefined;
