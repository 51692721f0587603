import { statSync } from 'node:fs';
import {
  describeRestored,
  describeSaved,
  type KeepOptions,
  restore,
  type Saved,
  type Store,
  save,
} from '../cache/index.ts';
import type { Task } from '../host/index.ts';
import {
  backdated,
  filesToKeep,
  forgetHashes,
  type GoCache,
  gainOf,
  isComplete,
  noteHeld,
  type RestoredCache,
  restoredCache,
} from './caches.ts';

/** Restores caches side by side; what cannot be restored is a line in the log and costs time alone. */
export async function restoreGoCaches(
  store: Store,
  caches: readonly GoCache[],
  task: Task,
  options: KeepOptions,
): Promise<RestoredCache[]> {
  return Promise.all(
    caches.map((cache) =>
      task.task(`restore ${cache.kind}`, async (own) => {
        const since = Date.now();
        if (isComplete(cache)) {
          own.note('all on this machine already');
          return { ...restoredCache(cache, since, { kind: 'none' }), local: true };
        }
        const { key, prefixes, folder } = cache;
        const modified = cache.kind === 'objects' ? { modified: backdated(since) } : {};
        const result = await restore(store, { ...options, key, prefixes, into: folder, ...modified });
        forgetHashes(cache, result);
        noteHeld(cache, result);
        own.note(describeRestored(result));
        return restoredCache(cache, since, result);
      }),
    ),
  );
}

/** What came of saving one cache. */
export interface SavedCache {
  readonly kind: GoCache['kind'];
  readonly outcome: Saved | { readonly kind: 'skipped'; readonly because: string };
}

/**
 * Saves what the run gained, side by side. Only a trusted run may call this: what it saves is restored by others. A save that
 * fails, or that stores almost nothing, is reported and costs nothing else.
 */
export async function saveGoCaches(
  store: Store,
  restored: readonly RestoredCache[],
  task: Task,
  options: KeepOptions,
): Promise<SavedCache[]> {
  return Promise.all(
    restored.map((one) =>
      task.task(`save ${one.cache.kind}`, async (own) => {
        const outcome = await saveOne(store, one, own, options);
        own.note(outcome.kind === 'skipped' ? `not saved: ${outcome.because}` : describeSaved(outcome));
        return { kind: one.cache.kind, outcome };
      }),
    ),
  );
}

async function saveOne(
  store: Store,
  restored: RestoredCache,
  task: Task,
  options: KeepOptions,
): Promise<SavedCache['outcome']> {
  const files = readKept(restored);
  const gain = gainOf(restored, files);
  if (gain.kind === 'skip') return { kind: 'skipped', because: gain.because };
  task.log(`saving because ${gain.because}`);
  const outcome = await save(store, { ...options, key: restored.cache.key, files });
  // An entry that holds nothing would be restored by every later run with the same key, and help none.
  if (outcome.kind === 'saved' && outcome.files === 0)
    return { kind: 'failed', because: 'the entry that was stored is empty' };
  return outcome;
}

function readKept(restored: RestoredCache) {
  try {
    return filesToKeep(restored).map((file) => ({
      ...file,
      size: statSync(file.path, { throwIfNoEntry: false })?.size ?? 0,
    }));
  } catch (error) {
    // A folder that was never made: the build failed before its first package.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
