import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { restore, type Store, save as saveEntry } from '../../cache/index.ts';
import { type Digest, isDigest, type Key, writeTar } from '../../content/index.ts';
import { Failure, formatBytes, type Task } from '../../host/index.ts';
import { type ContentDigests, openDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { RESULT_LIMITS, readArchive } from './archive.ts';
import { attempt } from './attempt.ts';
import { holdsWhatItSays } from './members.ts';
import { packTree } from './pack.ts';
import {
  areContents,
  branchesOf,
  decodeKeys,
  encodeKeys,
  KnownResults,
  keysOfKnown,
  nextEntries,
  type RecordEntry,
  type ResultsRun,
  recordName,
} from './record.ts';
import type {
  FoundResult,
  KnownResult,
  MadeResult,
  PathContents,
  StageResults,
  WantedResult,
} from './results.ts';

/** Milliseconds that a question, and the bringing of one result, may take. */
const PATIENCE = { question: 30_000, transfer: 300_000 };
/** Bytes of files that are worth their place in a cache that all workflows of a repository share. */
const LARGEST = 2 * 2 ** 30;
const LARGEST_RECORD = 128 * 2 ** 20;

/** Files of an entry. */
const ABOUT = 'about.json';
const FILES = 'files.tar';
const RECORD = 'record.json';

type Entry = RecordEntry<string>;

/** What an entry says of itself. */
interface About {
  readonly format: 1;
  readonly name: string;
  readonly keys: readonly Digest[];
  readonly content: Digest;
  readonly contents: PathContents;
}

/** A record as it is stored. */
interface StoredRecord {
  readonly format: 1;
  readonly results: readonly Entry[];
  /** See encodeKeys. */
  readonly keys: string;
}

/** The entry that holds a stage's files. */
export function stageEntry(key: Digest): string {
  return `slipway-stage-v1-${key.slice('sha256:'.length)}`;
}

/** What the entries of a branch's record begin with; each build that has something new to say adds one. */
export function recordPrefix(run: ResultsRun, branch: string): string {
  return `slipway-stages-v1-${recordName(run, branch)}-`;
}

/** Results as entries of a store, such as the Actions cache or a folder. Entries never change. */
export function storedResults(store: Store, run: ResultsRun): StageResults {
  return new StoredResults(store, run);
}

class StoredResults implements StageResults {
  readonly name: string;
  readonly writable: boolean;
  readonly #store: Store;
  readonly #run: ResultsRun;
  readonly #known = new KnownResults<string>();
  readonly #digests: ContentDigests = openDigests();
  #record: Promise<StoredRecord | undefined> | undefined;
  /** The store did not answer a question: it is not asked others. */
  #silent = false;

  constructor(store: Store, run: ResultsRun) {
    this.name = store.name;
    this.writable = run.writable;
    this.#store = store;
    this.#run = run;
  }

  async find(wanted: readonly WantedResult[], task: Task): Promise<ReadonlyMap<Digest, FoundResult>> {
    if (!this.#run.readable || wanted.length === 0) return new Map();
    await this.#readRecord(task);
    const others = wanted.filter(({ key }) => this.#known.get(key) === undefined);
    const entries = others.map(({ key }) => stageEntry(key));
    const there = await this.#question('Not all results of stages are known', task, async () =>
      entries.length === 0 ? new Set<string>() : await this.#store.has(entries, this.#run.signal),
    );
    const found = new Map<Digest, FoundResult>();
    for (const { key } of wanted) {
      const alone = { key, size: undefined, content: undefined, contents: undefined, where: this.name };
      const one = this.#known.found(key, this.name) ?? (there?.has(stageEntry(key)) ? alone : undefined);
      if (one !== undefined) found.set(key, one);
    }
    return found;
  }

  async fetch(found: FoundResult, task: Task): Promise<Directory | undefined> {
    const entry = this.#known.get(found.key)?.place ?? stageEntry(found.key);
    return await this.#attempt(`A result cannot be had from ${this.name}`, task, async () => {
      const folder = await this.#bring(entry, RESULT_LIMITS.bytes);
      const about = JSON.parse(await readFile(join(folder, ABOUT), 'utf8')) as About;
      const { content = about.content, contents = about.contents } = found;
      if (found.content === undefined && !about.keys.includes(found.key))
        throw new Failure('It is the result of another stage.');
      const files = await readArchive(join(folder, FILES), join(folder, 'files'));
      await rm(join(folder, FILES));
      if (!(await holdsWhatItSays(files, { content, contents }, this.#digests)))
        throw new Failure('It holds other files than it says.');
      const { name, keys } = about;
      if (this.#known.get(found.key) === undefined)
        this.#known.add({ name, keys, content, contents, size: 0, place: entry });
      return files;
    });
  }

  /** The files of an entry in a folder of their own. */
  async #bring(key: string, limit: number, prefixes: readonly string[] = []): Promise<string> {
    const { temporary, signal } = this.#run;
    const folder = join(temporary, `result-${randomUUID()}`);
    const restored = await restore(this.#store, { key, prefixes, into: folder, limit, temporary, signal });
    if (restored.kind === 'none') throw new Missing('It is not there any more.');
    if (restored.kind === 'failed') throw new Failure(restored.because);
    return folder;
  }

  async previous(task: Task): Promise<ReadonlyMap<string, Key> | undefined> {
    const record = await this.#readRecord(task);
    if (record === undefined) return undefined;
    return await this.#question('The keys of the last build are not known', task, async () =>
      decodeKeys(record.keys),
    );
  }

  async recorded(task: Task) {
    const { results = [] } = (await this.#readRecord(task)) ?? {};
    return new Map(results.map(({ name, keys, contents }) => [name, { keys, contents }]));
  }

  /** The newest record of the branch, its base or the default branch. It is asked for once. */
  #readRecord(task: Task): Promise<StoredRecord | undefined> {
    const otherwise = `What ${this.name} has of earlier builds is not known`;
    this.#record ??= this.#question(otherwise, task, async () => {
      const prefixes = branchesOf(this.#run).map((branch) => recordPrefix(this.#run, branch));
      try {
        const folder = await this.#bring(`${prefixes[0]}none`, LARGEST_RECORD, prefixes);
        const record = readRecord(await readFile(join(folder, RECORD), 'utf8'));
        for (const entry of record.results) this.#known.add(entry);
        return record;
      } catch (error) {
        if (error instanceof Missing) return undefined;
        throw error;
      }
    });
    return this.#record;
  }

  async #question<T>(otherwise: string, task: Task, work: () => Promise<T>): Promise<T | undefined> {
    if (!this.#run.readable || this.#silent) return undefined;
    let answered = false;
    const { signal } = this.#run;
    const result = await attempt({ otherwise, patience: PATIENCE.question, signal }, task, async () => {
      const answer = await work();
      answered = true;
      return answer;
    });
    if (!answered) this.#silent = true;
    return result;
  }

  #attempt<T>(otherwise: string, task: Task, work: () => Promise<T>): Promise<T | undefined> {
    return attempt({ otherwise, patience: PATIENCE.transfer, signal: this.#run.signal }, task, work);
  }

  async save(
    made: readonly (MadeResult | KnownResult)[],
    keys: ReadonlyMap<string, Key>,
    task: Task,
  ): Promise<void> {
    if (!this.writable) return;
    await task.task(`Keep results of stages in ${this.name}`, async (child) => {
      const kept = await Promise.all(made.map((one) => this.#keep(one, child)));
      const entries = kept.filter((entry) => entry !== undefined);
      await this.#attempt('The record of this build is not kept', child, () =>
        this.#keepRecord(entries, keys),
      );
      const stored = entries.filter(({ name }) => made.some((one) => 'files' in one && one.name === name));
      const bytes = stored.reduce((sum, { size }) => sum + size, 0);
      child.note(
        stored.length === 0
          ? 'only the keys of this build'
          : `${formatBytes(bytes)} in ${stored.length} results`,
      );
    });
  }

  async #keep(result: MadeResult | KnownResult, task: Task): Promise<Entry | undefined> {
    if (!('files' in result)) {
      const entry = this.#known.get(result.found.key);
      if (entry === undefined) return undefined;
      return { ...entry, name: result.name, keys: keysOfKnown(result, entry.keys) };
    }
    return await this.#attempt(`The result of ${result.name} is not kept`, task, () => this.#upload(result));
  }

  async #upload({ name, keys, paths, files }: MadeResult): Promise<Entry> {
    const packed = await packTree(files, paths, this.#digests);
    if (packed === undefined) throw new Failure('It has devices, pipes or sockets.');
    const { content, contents, members, size } = packed;
    if (size > LARGEST) throw new Failure(`It has ${formatBytes(size)}, of at most ${formatBytes(LARGEST)}.`);
    const folder = join(this.#run.temporary, `result-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    const about: About = { format: 1, name, keys, content, contents };
    await writeFile(join(folder, ABOUT), JSON.stringify(about));
    await pipeline(Readable.from(writeTar(members)), createWriteStream(join(folder, FILES)));
    const key = stageEntry(keys[0]!);
    const first = await this.#put(key, folder, [ABOUT, FILES]);
    if (first.kind === 'saved') return { name, keys, content, contents, size: first.bytes, place: key };
    // Another run was first, or this one made the stage again: what is there may be other files, and stays.
    const own = `${key}-${content.slice('sha256:'.length, 'sha256:'.length + 16)}`;
    const second = await this.#put(own, folder, [ABOUT, FILES]);
    return { name, keys, content, contents, size: second.kind === 'saved' ? second.bytes : 0, place: own };
  }

  async #put(key: string, folder: string, names: readonly string[]) {
    const { temporary, signal } = this.#run;
    const files = names.map((name) => ({ name, path: join(folder, name) }));
    const saved = await saveEntry(this.#store, { key, files, temporary, signal });
    if (saved.kind === 'failed') throw new Failure(saved.because);
    return saved;
  }

  async #keepRecord(entries: readonly Entry[], keys: ReadonlyMap<string, Key>): Promise<void> {
    const before = await this.#record;
    const results = nextEntries(before?.results ?? [], entries, keys);
    const record: StoredRecord = { format: 1, results, keys: encodeKeys(keys) };
    const text = JSON.stringify(record);
    if (before !== undefined && text === JSON.stringify(before)) return;
    const folder = join(this.#run.temporary, `result-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, RECORD), text);
    const [branch] = branchesOf(this.#run);
    const name = `${recordPrefix(this.#run, branch!)}${Date.now().toString(36)}-${randomUUID().slice(0, 8)}`;
    await this.#put(name, folder, [RECORD]);
  }
}

/** There is no such entry. */
class Missing extends Error {}

function readRecord(text: string): StoredRecord {
  const record = JSON.parse(text) as StoredRecord;
  const whole =
    record.format === 1 &&
    record.results.every(
      ({ name, keys, content, contents, size, place }) =>
        [name, place].every((one) => typeof one === 'string') &&
        keys.every(isDigest) &&
        isDigest(content) &&
        areContents(contents) &&
        typeof size === 'number',
    );
  if (!whole) throw new Failure('It is not in the form in which it was stored.');
  return { format: 1, results: record.results, keys: record.keys };
}
