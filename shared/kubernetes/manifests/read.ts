import { readFileSync } from 'node:fs';
import { Failure } from '../../host/index.ts';
import { refuseBases, renderKustomization } from './kustomize.ts';
import type { Manifest } from './manifest.ts';
import { objectsOf, withoutTwins } from './objects.ts';
import { display, findSources, type Source } from './sources.ts';
import { readYaml } from './yaml.ts';

/** Where manifests are read from. */
export interface ReadOptions {
  /** Absolute; paths and globs start here. */
  readonly workspace: string;
  /** All of standard input, asked for `-` only. */
  readonly stdin: () => Promise<string>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}

/** How standard input is named in places. */
const STDIN = 'standard input';

/**
 * Reads what the user wrote: files, folders with all that is in them, globs, `-` for standard input; a folder with a kustomization
 * is rendered by the user's own kubectl or kustomize. YAML is read as kubectl reads it. Throws a Failure at the place of what no
 * cluster could take, and where an object is declared twice in different words.
 */
export async function readManifests(sources: readonly string[], options: ReadOptions): Promise<Manifest[]> {
  const found = findSources(sources, options.workspace);
  refuseBases(
    found.flatMap((source) => (source.kind === 'kustomization' ? [source.folder] : [])),
    options.workspace,
  );
  const manifests: Manifest[] = [];
  for (const source of found) manifests.push(...(await readSource(source, options)));
  if (manifests.length === 0)
    throw new Failure(`There is no Kubernetes object in ${sources.map((one) => `"${one}"`).join(', ')}.`);
  return withoutTwins(manifests);
}

async function readSource(source: Source, options: ReadOptions): Promise<Manifest[]> {
  switch (source.kind) {
    case 'stdin':
      return read(await options.stdin(), STDIN);
    case 'file':
      return read(readFileSync(source.path, 'utf8'), display(source.path, options.workspace));
    case 'kustomization':
      return await renderKustomization(source.folder, options);
  }
}

const read = (text: string, file: string): Manifest[] => readYaml(text, file).flatMap(objectsOf);
