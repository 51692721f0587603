import { randomUUID } from 'node:crypto';
import { copyFile, link, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { FetchedEntry, Store, StoreQuery } from './store.ts';

const SUFFIX = '.tar.zst';
/** Milliseconds after which an unfinished file is taken for that of a process that was killed. */
const STALE = 3_600_000;

/**
 * Entries as files in a folder: for a terminal, and for self-hosted runners that share a disk. Any number of processes may use it
 * at once: an entry appears in one step and is never written to again. Access times say which entry was used last; when the
 * folder outgrows `limit` bytes, the ones that were not used for longest go.
 */
export function directoryStore(folder: string, options: { readonly limit: number }): Store {
  return {
    name: `the cache folder ${folder}`,
    has: async (keys) => {
      const names = new Set((await entriesIn(folder)).map(({ key }) => key));
      return new Set(keys.filter((key) => names.has(key)));
    },
    fetch: (query) => fetchFrom(folder, query),
    put: async (key, file, signal) => {
      await mkdir(folder, { recursive: true });
      const outcome = await putInto(folder, key, file, signal);
      await prune(folder, options.limit, fileName(key));
      return outcome;
    },
  };
}

interface Entry {
  readonly key: string;
  readonly path: string;
}

/** Keys hold slashes and more; what a file name cannot hold is percent-encoded, dots at the start as well. */
function fileName(key: string): string {
  return encodeURIComponent(key).replaceAll('*', '%2A').replace(/^\./, '%2E') + SUFFIX;
}

async function entriesIn(folder: string): Promise<Entry[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return names.flatMap((name) => {
    if (!name.endsWith(SUFFIX) || name.startsWith('.')) return [];
    return [{ key: decodeURIComponent(name.slice(0, -SUFFIX.length)), path: join(folder, name) }];
  });
}

async function fetchFrom(folder: string, { key, prefixes }: StoreQuery): Promise<FetchedEntry | undefined> {
  const entries = await entriesIn(folder);
  const exact = entries.find((entry) => entry.key === key);
  const found = exact ?? (await newestByPrefix(entries, prefixes));
  if (found === undefined) return undefined;
  const stats = await stat(found.path).catch(() => undefined);
  if (stats === undefined) return undefined;
  // The time of saving stays as it is: it says which entry is the newest.
  await utimes(found.path, new Date(), stats.mtime).catch(() => {});
  return { key: found.key, file: found.path };
}

async function newestByPrefix(
  entries: readonly Entry[],
  prefixes: readonly string[],
): Promise<Entry | undefined> {
  for (const prefix of prefixes) {
    const matches = await withStats(entries.filter(({ key }) => key.startsWith(prefix)));
    if (matches.length > 0) return matches.reduce((a, b) => (b.stats.mtimeMs > a.stats.mtimeMs ? b : a));
  }
  return undefined;
}

/** Entries that another process pruned meanwhile are left out. */
async function withStats(entries: readonly Entry[]) {
  const all = await Promise.all(
    entries.map(async (entry) => ({ ...entry, stats: await stat(entry.path).catch(() => undefined) })),
  );
  return all.flatMap(({ stats, ...entry }) => (stats === undefined ? [] : [{ ...entry, stats }]));
}

async function putInto(
  folder: string,
  key: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<'stored' | 'present'> {
  const path = join(folder, fileName(key));
  if ((await stat(path).catch(() => undefined)) !== undefined) return 'present';
  const unfinished = join(folder, `.${randomUUID()}.part`);
  try {
    await copyFile(file, unfinished);
    signal?.throwIfAborted();
    return await publish(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** A link, unlike a rename, fails where another process was first. */
async function publish(unfinished: string, path: string): Promise<'stored' | 'present'> {
  try {
    await link(unfinished, path);
    return 'stored';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return 'present';
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
  }
  // A file system without hard links: both wrote the same content.
  await rename(unfinished, path);
  return 'stored';
}

async function prune(folder: string, limit: number, fresh: string): Promise<void> {
  const now = Date.now();
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.part')) continue;
    const stats = await stat(join(folder, name)).catch(() => undefined);
    if (stats !== undefined && now - stats.mtimeMs > STALE) await rm(join(folder, name), { force: true });
  }
  const entries = await withStats(await entriesIn(folder));
  let total = entries.reduce((sum, { stats }) => sum + stats.size, 0);
  const oldestFirst = entries
    .filter(({ path }) => path !== join(folder, fresh))
    .sort((a, b) => Math.max(a.stats.atimeMs, a.stats.mtimeMs) - Math.max(b.stats.atimeMs, b.stats.mtimeMs));
  for (const { path, stats } of oldestFirst) {
    if (total <= limit) return;
    await rm(path, { force: true });
    total -= stats.size;
  }
}
