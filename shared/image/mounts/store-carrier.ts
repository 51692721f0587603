import { randomUUID } from 'node:crypto';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { restore, type Store, save } from '../../cache/index.ts';
import type { Digest } from '../../content/index.ts';
import type { Task } from '../../host/index.ts';
import { type Layout, openLayout, parseDocument } from '../../oci/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';
import { canExport } from '../builder/engine.ts';
import { type FoundSeed, type SeedCarrier, savedAt } from './carrier.ts';
import { loadSeed } from './load.ts';

/** A store of archives that takes seeds as OCI layouts. A builder reads a layout from this machine; an engine with a graph driver is given it first. */
export function storeCarrier(
  store: Store,
  { temporary, builder }: { readonly temporary: string; readonly builder: BuilderSettings },
): SeedCarrier {
  return {
    name: store.name,
    async find(names, signal, task) {
      const folder = join(temporary, `seed-${randomUUID()}`);
      await mkdir(folder, { recursive: true });
      const options = { temporary, signal };
      const [key, ...others] = names.map((name) => `${name}~`);
      const found = await restore(store, {
        ...options,
        key: key!,
        prefixes: [key!, ...others],
        into: folder,
      });
      if (found.kind === 'failed') throw new Error(found.because);
      if (found.kind === 'none') return undefined;
      const seed = await readLayout(folder);
      if (await canExport(builder, signal)) return seed;
      return { ...seed, ...(await loadSeed(seed, builder, signal, task)) };
    },
    reference: () => undefined,
    pushed: async () => undefined,
    async open(name) {
      const folder = join(temporary, `seed-${randomUUID()}`);
      await mkdir(folder, { recursive: true });
      const layout = await openLayout(folder, 'a seed of a cache mount');
      const finish = (digest: Digest, task: Task) =>
        putLayout(store, `${name}~${digest.slice(7, 23)}`, folder, temporary, task);
      return { target: layout, finish };
    },
  };
}

async function readLayout(folder: string): Promise<FoundSeed> {
  const layout: Layout = await openLayout(folder, 'a seed of a cache mount');
  const [root] = await layout.tags();
  if (root === undefined) throw new Error('the seed that was kept has no image');
  const { bytes, descriptor } = await layout.manifest(root.descriptor.digest);
  const document = parseDocument(bytes, 'The seed', descriptor.mediaType);
  if (document.kind !== 'image') throw new Error('the seed that was kept is no image');
  const { manifest } = document;
  const { digest } = descriptor;
  return {
    digest,
    manifest,
    saved: savedAt(manifest),
    context: `oci-layout://${folder}@${digest}`,
    source: layout,
  };
}

async function putLayout(
  store: Store,
  key: string,
  folder: string,
  temporary: string,
  task: Task,
): Promise<number> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, name: path.slice(folder.length + 1).replaceAll('\\', '/') }));
  const saved = await save(store, { temporary, key, files, patience: 600_000 });
  if (saved.kind === 'failed') throw new Error(saved.because);
  if (saved.kind === 'present') task.log('The same content was there already.');
  return saved.kind === 'saved' ? saved.bytes : 0;
}
