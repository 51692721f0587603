import type { Digest, Key } from '../../content/index.ts';
import type { Task } from '../../host/index.ts';
import type { Directory } from '../files/tree.ts';

/**
 * What a stage came out as, path by path: for each path that is handed over, absolute and clean, the digest of all that a copy of it could
 * see (see pathContents).
 */
export type PathContents = Readonly<Record<string, Digest>>;

/** A stage's files as later stages take them, wanted from a store. */
export interface WantedResult {
  /** Names the stage in the log and in the record of the branch, with its platform: `build linux/amd64`. */
  readonly name: string;
  /** Digest over the stage's key and the paths that cross its boundary. */
  readonly key: Digest;
}

/** What a store has of a wanted result: enough to fetch it without asking again. */
export interface FoundResult {
  readonly key: Digest;
  /** Bytes that fetching it moves; undefined where the store does not tell before. */
  readonly size: number | undefined;
  /** Of the files (see contentDigest): what is fetched is held to it. Undefined where the store does not tell before. */
  readonly content: Digest | undefined;
  /** Of what is at each of its paths; undefined where the store does not tell before. */
  readonly contents: PathContents | undefined;
  /** Which store and where, for the log. */
  readonly where: string;
}

/** A stage's files to be stored. */
export interface MadeResult {
  readonly name: string;
  /** All keys under which it is to be found. */
  readonly keys: readonly Digest[];
  /** The paths that are handed over. */
  readonly paths: readonly string[];
  readonly files: Directory;
}

/** A result that was found under one key, and shall be under another one too: its inputs differ, and what they made does not. */
export interface KnownResult {
  readonly name: string;
  readonly keys: readonly Digest[];
  readonly found: FoundResult;
}

/** What the record of a branch has of a stage. */
export interface RecordedResult {
  readonly keys: readonly Digest[];
  readonly contents: PathContents;
}

/**
 * Results of stages by key, kept between runs in a registry, the Actions cache or a folder. Like every store it is a help and never a
 * condition: nothing but cancellation is thrown; what goes wrong is told in the task's log, and the stage is made.
 */
export interface StageResults {
  /** How messages call it. */
  readonly name: string;
  /** Whether this run may store results; `save` does nothing where it is false. */
  readonly writable: boolean;
  /** Which results there are; one request where little changed since the last build of the branch. */
  find(wanted: readonly WantedResult[], task: Task): Promise<ReadonlyMap<Digest, FoundResult>>;
  /** The files of a found result, verified whole; undefined when they cannot be had, and the stage has to be made. */
  fetch(found: FoundResult, task: Task): Promise<Directory | undefined>;
  /** The keys of the last build on this branch, its base or the default branch, by name of stage, for explanations. */
  previous(task: Task): Promise<ReadonlyMap<string, Key> | undefined>;
  /** The results of that build, by name of stage. */
  recorded(task: Task): Promise<ReadonlyMap<string, RecordedResult>>;
  /** Stores results and the branch's record of keys; only for trusted runs. */
  save(
    made: readonly (MadeResult | KnownResult)[],
    keys: ReadonlyMap<string, Key>,
    task: Task,
  ): Promise<void>;
}
