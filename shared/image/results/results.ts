import type { Digest, Key } from '../../content/index.ts';
import type { Task } from '../../host/index.ts';
import type { Directory } from '../files/tree.ts';

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
  /** Bytes that fetching it moves. */
  readonly size: number;
  /** Which store and where, for the log. */
  readonly where: string;
}

/** A stage's files to be stored. */
export interface MadeResult {
  readonly name: string;
  /** All keys under which it is to be found. */
  readonly keys: readonly Digest[];
  readonly files: Directory;
}

/**
 * Results of stages by key, kept between runs in a registry, the Actions cache or a folder. Like every store it is a help and never a
 * condition: nothing but cancellation is thrown; what goes wrong is told in the task's log, and the stage is made.
 */
export interface StageResults {
  /** How messages call it. */
  readonly name: string;
  /** Which results there are; one request where little changed since the last build of the branch. */
  find(wanted: readonly WantedResult[], task: Task): Promise<ReadonlyMap<Digest, FoundResult>>;
  /** The files of a found result, verified whole; undefined when they cannot be had, and the stage has to be made. */
  fetch(found: FoundResult, task: Task): Promise<Directory | undefined>;
  /** The keys of the last build on this branch, its base or the default branch, by name of stage, for explanations. */
  previous(task: Task): Promise<ReadonlyMap<string, Key> | undefined>;
  /** Stores results and the branch's record of keys; only for trusted runs. */
  save(made: readonly MadeResult[], keys: ReadonlyMap<string, Key>, task: Task): Promise<void>;
}
