import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes, formatDuration } from '../host/index.ts';
import { ArchiveError } from './archive.ts';
import { type KeptFile, pack } from './pack.ts';
import type { Store } from './store.ts';
import { unpack } from './unpack.ts';

/** Where and how long to work on an entry. */
export interface KeepOptions {
  /** Absolute path of a folder for the archive while it is under way. */
  readonly temporary: string;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds after which the store is given up; default: two minutes to restore, five to save. */
  readonly patience?: number;
}

/** What to restore, and where to. */
export interface RestoreRequest extends KeepOptions {
  readonly key: string;
  /** Beginnings of keys that will do as well, the best first. */
  readonly prefixes?: readonly string[];
  /** Absolute path of the folder that the files go into. */
  readonly into: string;
  /** Times that the restored files get; default: now. */
  readonly modified?: Date;
  /** Bytes that an entry may unpack to; default: 20 GB. */
  readonly limit?: number;
}

/** What came of a restore. Nothing but cancellation is thrown: the caller goes on without the store. */
export type Restored =
  | {
      readonly kind: 'restored';
      readonly key: string;
      /** Whether it is the entry of the key itself, not of a prefix. */
      readonly exact: boolean;
      readonly files: readonly { readonly name: string; readonly size: number }[];
      readonly milliseconds: number;
    }
  | { readonly kind: 'none' }
  | { readonly kind: 'failed'; readonly because: string };

/**
 * Brings the files of the best entry into a folder. The entry is verified whole before the first file is written; one that is
 * damaged, or that no honest run would have stored, is as good as none and is reported.
 */
export async function restore(store: Store, request: RestoreRequest): Promise<Restored> {
  const started = performance.now();
  return within(request, 120_000, (signal, folder) => restoreInto(store, request, signal, folder, started));
}

async function restoreInto(
  store: Store,
  request: RestoreRequest,
  signal: AbortSignal,
  folder: string,
  started: number,
): Promise<Restored> {
  const { key, prefixes = [], into, modified, limit = 20e9 } = request;
  const entry = await store.fetch({ key, prefixes }, join(folder, 'entry.tar.zst'), signal);
  if (entry === undefined) return { kind: 'none' };
  if (entry.key !== key && !prefixes.some((prefix) => entry.key.startsWith(prefix)))
    throw new ArchiveError(`it is the entry of another key, "${entry.key}"`);
  const { members } = await unpack(entry.file, into, { modified, limit, signal });
  const milliseconds = performance.now() - started;
  return { kind: 'restored', key: entry.key, exact: entry.key === key, files: members, milliseconds };
}

/** What to save, and under which key. */
export interface SaveRequest extends KeepOptions {
  readonly key: string;
  readonly files: readonly KeptFile[];
}

/** What came of a save. Nothing but cancellation is thrown. */
export type Saved =
  | {
      readonly kind: 'saved';
      /** Bytes of the archive. */
      readonly bytes: number;
      readonly files: number;
      readonly milliseconds: number;
    }
  /** Another run was first with the same key; entries never change. */
  | { readonly kind: 'present' }
  | { readonly kind: 'failed'; readonly because: string };

/** Stores files under a key. Only trusted runs may: what is saved here is restored by runs with more rights. */
export async function save(store: Store, request: SaveRequest): Promise<Saved> {
  const started = performance.now();
  return within(request, 300_000, async (signal, folder) => {
    const archive = join(folder, 'entry.tar.zst');
    const { bytes, members } = await pack(request.files, archive, signal);
    if ((await store.put(request.key, archive, signal)) === 'present') return { kind: 'present' };
    return { kind: 'saved', bytes, files: members.length, milliseconds: performance.now() - started };
  });
}

/** Gives the work a time limit and a folder, and turns what goes wrong into a result. */
async function within<T>(
  { temporary, signal, patience }: KeepOptions,
  defaultPatience: number,
  work: (signal: AbortSignal, folder: string) => Promise<T>,
): Promise<T | { readonly kind: 'failed'; readonly because: string }> {
  const time = patience ?? defaultPatience;
  const folder = join(temporary, `cache-${randomUUID()}`);
  const timer = AbortSignal.timeout(time);
  try {
    mkdirSync(folder, { recursive: true });
    const either = signal === undefined ? timer : AbortSignal.any([signal, timer]);
    // A store may be deaf to its signal; nobody waits for it then.
    return await Promise.race([work(either, folder), whenAborted(either)]);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (timer.aborted) return { kind: 'failed', because: `no end after ${formatDuration(time)}` };
    return { kind: 'failed', because: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function whenAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = () => reject(signal.reason);
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}

/** One line about a restore, such as `181.2 MB of files in 1.9 s (key …)`. */
export function describeRestored(result: Restored): string {
  if (result.kind === 'none') return 'nothing stored yet';
  if (result.kind === 'failed') return `not usable: ${result.because}`;
  const bytes = result.files.reduce((sum, { size }) => sum + size, 0);
  return `${formatBytes(bytes)} in ${result.files.length} files, ${formatDuration(result.milliseconds)} (${result.exact ? 'the same key' : 'a near key'})`;
}

/** One line about a save. */
export function describeSaved(result: Saved): string {
  if (result.kind === 'present') return 'stored already by another run';
  if (result.kind === 'failed') return `not saved: ${result.because}`;
  return `${formatBytes(result.bytes)} stored, ${result.files} files, ${formatDuration(result.milliseconds)}`;
}
