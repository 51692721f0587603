import { createHash } from 'node:crypto';
import { type Digest, digestOf, isDigest, Key, type KeyPart } from '../../content/index.ts';
import type { FoundResult, KnownResult, PathContents, RecordedResult } from './results.ts';

/** The names that a run's results and records go by. */
export interface ResultsRun {
  /** What the record is of: Dockerfile, target and platforms, as texts that are the same on every machine. */
  readonly subject: readonly string[];
  readonly branch?: string | undefined;
  readonly baseBranch?: string | undefined;
  readonly defaultBranch?: string | undefined;
  /** Whether results are looked up. */
  readonly readable: boolean;
  /** Whether results are stored: only for runs that others may believe. */
  readonly writable: boolean;
  /** Absolute path of a folder for this run's files. */
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
}

/** A result as a record has it; `place` is where the store keeps it, in the store's own words. */
export interface RecordEntry<Place> extends RecordedResult {
  readonly name: string;
  /** Of all its files. */
  readonly content: Digest;
  readonly size: number;
  readonly place: Place;
}

/** Own branch, base, default branch: those whose record may be read, the nearest first. */
export function branchesOf({ branch, baseBranch, defaultBranch }: ResultsRun): string[] {
  const all = [branch ?? 'detached', baseBranch, defaultBranch];
  return [...new Set(all.filter((one): one is string => Boolean(one)))];
}

/** What names a record in a store: the same for every run of the branch. */
export function recordName({ subject }: ResultsRun, branch: string): string {
  return createHash('sha256')
    .update(JSON.stringify([...subject, branch]))
    .digest('hex')
    .slice(0, 32);
}

/** The key under which a stage's files are stored: that of the stage, and which of its paths are handed over. */
export function resultKey(stage: Key, paths: readonly string[]): Digest {
  return digestOf(JSON.stringify(['stage result 1', stage.digest, [...paths].sort()]));
}

/** Keys that an entry has at most: one found by content gets one more with every change in front of it. */
const MOST_KEYS = 32;

/** The keys of a result that was found under one of its own, and has others now: the newest first. */
export function keysOfKnown({ keys, found }: KnownResult, before: readonly Digest[]): Digest[] {
  return [...new Set([...keys, found.key, ...before])].slice(0, MOST_KEYS);
}

/** Keys with their parts, as text. */
export function encodeKeys(keys: ReadonlyMap<string, Key>): string {
  return JSON.stringify(Object.fromEntries([...keys].map(([name, key]) => [name, key.parts])));
}

export function decodeKeys(text: string): ReadonlyMap<string, Key> {
  const parts = JSON.parse(text) as Readonly<Record<string, Readonly<Record<string, KeyPart>>>>;
  return new Map(Object.entries(parts).map(([name, one]) => [name, Key.of(one)]));
}

/** A list of digests in one text; what is no digest is left out. */
export function parseDigests(text: string | undefined): Digest[] {
  return (text ?? '').split(' ').filter(isDigest);
}

/** Digests by path; undefined for a text that says anything else. */
export function parseContents(text: string | undefined): PathContents | undefined {
  try {
    const contents: unknown = JSON.parse(text ?? '');
    return areContents(contents) ? contents : undefined;
  } catch {
    return undefined;
  }
}

export function areContents(value: unknown): value is PathContents {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.entries(value).every(([path, digest]) => path.startsWith('/') && isDigest(digest))
  );
}

/** Results of a store by their keys, as far as they are known without asking it again. */
export class KnownResults<Place> {
  readonly #byKey = new Map<Digest, RecordEntry<Place>>();

  add(entry: RecordEntry<Place>): void {
    for (const key of entry.keys) this.#byKey.set(key, entry);
  }

  get(key: Digest): RecordEntry<Place> | undefined {
    return this.#byKey.get(key);
  }

  found(key: Digest, where: string): FoundResult | undefined {
    const entry = this.#byKey.get(key);
    if (entry === undefined) return undefined;
    const { size, content, contents } = entry;
    return { key, size, content, contents, where };
  }
}

/** The results that the next record lists: those of this run, and what the last one has of stages that this run did not need. */
export function nextEntries<Place>(
  before: readonly RecordEntry<Place>[],
  now: readonly RecordEntry<Place>[],
  keys: ReadonlyMap<string, Key>,
): RecordEntry<Place>[] {
  const names = new Set(now.map(({ name }) => name));
  const kept = before.filter(({ name }) => !names.has(name) && keys.has(name));
  return [...now, ...kept].sort((a, b) => (a.name < b.name ? -1 : 1));
}
