import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOf, type Key, readTar } from '../../content/index.ts';
import { Failure, formatBytes, type Task } from '../../host/index.ts';
import {
  decompress,
  type ImageSource,
  type ImageTarget,
  type Manifest,
  MediaType,
  parseDocument,
  writeLayer,
} from '../../oci/index.ts';
import { type ContentDigests, openDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { once } from '../once.ts';
import { readArchive } from './archive.ts';
import {
  type Artifact,
  type ArtifactForm,
  type ArtifactLayer,
  type RecordContent,
  readRecord,
  readStage,
  recordArtifact,
  saysTheSame,
  stageArtifact,
} from './artifact.ts';
import { attempt } from './attempt.ts';
import { holdsWhatItSays } from './members.ts';
import { packTree } from './pack.ts';
import {
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
import type { FoundResult, KnownResult, MadeResult, StageResults, WantedResult } from './results.ts';

/** A repository that results are kept in: one of a registry, or a layout. */
export interface ResultsPlace {
  readonly source: ImageSource;
  readonly target: ImageTarget;
}

/** Milliseconds that a question, and the bringing of one result, may take. */
const PATIENCE = { question: 30_000, transfer: 300_000 };
/** Bytes of files that are worth their place in a registry. */
const LARGEST = 4 * 2 ** 30;
/** Bytes of the parts of all keys of a build, which only explain. */
const LARGEST_KEYS = 64 * 2 ** 20;
const KEYS_FILE = 'keys.json';

type Entry = RecordEntry<ArtifactLayer>;
type FoundRecord = RecordContent & { readonly branch: string };

/** The tag under which a stage's files are found. The first 128 bits name a key; the whole of it is in the manifest. */
export function stageTag(key: Digest): string {
  return `slipway-stage-${key.slice('sha256:'.length, 'sha256:'.length + 32)}`;
}

/** The tag of a branch's record. */
export function recordTag(run: ResultsRun, branch: string): string {
  return `slipway-stages-${recordName(run, branch)}`;
}

/** Results as artifacts of a repository, each under a tag of its own, which keeps it from being collected. */
export function registryResults(place: ResultsPlace, run: ResultsRun): StageResults {
  return new RegistryResults(place, run);
}

class RegistryResults implements StageResults {
  readonly name: string;
  readonly writable: boolean;
  readonly #place: ResultsPlace;
  readonly #run: ResultsRun;
  readonly #known = new KnownResults<ArtifactLayer>();
  readonly #digests: ContentDigests = openDigests();
  readonly #configs = new Map<Digest, Promise<void>>();
  #record: Promise<FoundRecord | undefined> | undefined;
  /** The repository did not answer a question: it is not asked others. */
  #silent = false;
  #form: ArtifactForm = 'artifact';

  constructor(place: ResultsPlace, run: ResultsRun) {
    this.name = place.source.name;
    this.writable = run.writable;
    this.#place = place;
    this.#run = run;
  }

  async find(wanted: readonly WantedResult[], task: Task): Promise<ReadonlyMap<Digest, FoundResult>> {
    if (!this.#run.readable || wanted.length === 0) return new Map();
    await this.#readRecord(task);
    const others = wanted.filter(({ key }) => this.#known.get(key) === undefined);
    await this.#question('Not all results of stages are known', task, () =>
      Promise.all(others.map(({ key }) => this.#ask(key))),
    );
    const found = wanted.map(({ key }) => this.#known.found(key, this.name));
    return new Map(found.flatMap((one) => (one === undefined ? [] : [[one.key, one]])));
  }

  async #ask(key: Digest): Promise<void> {
    const manifest = await this.#manifest(stageTag(key));
    const entry = manifest === undefined ? undefined : readStage(manifest);
    // Only what says the whole key is what was asked for.
    if (entry?.keys.includes(key)) this.#known.add(entry);
  }

  async #manifest(tag: string): Promise<Manifest | undefined> {
    const { source } = this.#place;
    const found = await (source.findManifest ?? source.manifest).call(source, tag);
    if (found === undefined) return undefined;
    const document = parseDocument(found.bytes, `${source.name}:${tag}`, found.descriptor.mediaType);
    return document.kind === 'image' ? document.manifest : undefined;
  }

  async fetch(found: FoundResult, task: Task): Promise<Directory | undefined> {
    const entry = this.#known.get(found.key);
    if (entry === undefined) throw new Error('A result is fetched that was not found.');
    const otherwise = `The result of ${entry.name} cannot be had from ${this.name}`;
    return await attempt({ otherwise, patience: PATIENCE.transfer, signal: this.#run.signal }, task, () =>
      this.#bring(entry),
    );
  }

  async #bring({ place, content, contents }: Entry): Promise<Directory> {
    const { size } = place.descriptor;
    if (size > LARGEST) throw new Failure(`It has ${formatBytes(size)}, of at most ${formatBytes(LARGEST)}.`);
    const folder = join(this.#run.temporary, `result-${randomUUID()}`);
    const archive = join(folder, 'archive');
    await mkdir(folder, { recursive: true });
    const { source } = this.#place;
    if (source.download !== undefined) await source.download(place.descriptor, archive);
    else await pipeline(Readable.from(source.blob(place.descriptor)), createWriteStream(archive));
    const files = await readArchive(archive, join(folder, 'files'));
    await rm(archive);
    if (!(await holdsWhatItSays(files, { content, contents }, this.#digests)))
      throw new Failure('It holds other files than it says.');
    return files;
  }

  async previous(task: Task): Promise<ReadonlyMap<string, Key> | undefined> {
    const record = await this.#readRecord(task);
    if (record === undefined) return undefined;
    return await this.#question('The keys of the last build are not known', task, () =>
      this.#readKeys(record),
    );
  }

  async #readKeys({ keys }: FoundRecord): Promise<ReadonlyMap<string, Key>> {
    if (keys.size > LARGEST_KEYS) throw new Failure(`They have ${keys.size} bytes.`);
    for await (const { entry, content } of readTar(decompress(this.#place.source.blob(keys)))) {
      if (entry.name !== KEYS_FILE || entry.size > LARGEST_KEYS) break;
      const chunks: Buffer[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      return decodeKeys(Buffer.concat(chunks).toString('utf8'));
    }
    throw new Failure('They are not where they should be.');
  }

  async recorded(task: Task) {
    const { results = [] } = (await this.#readRecord(task)) ?? {};
    return new Map(results.map(({ name, keys, contents }) => [name, { keys, contents }]));
  }

  /** The record of the branch, its base or the default branch: the first that there is. It is asked for once. */
  #readRecord(task: Task): Promise<FoundRecord | undefined> {
    this.#record ??= this.#question(
      `What ${this.name} has of earlier builds is not known`,
      task,
      async () => {
        for (const branch of branchesOf(this.#run)) {
          const manifest = await this.#manifest(recordTag(this.#run, branch));
          const record = manifest === undefined ? undefined : readRecord(manifest);
          if (record === undefined) continue;
          for (const entry of record.results) this.#known.add(entry);
          return { ...record, branch };
        }
        return undefined;
      },
    );
    return this.#record;
  }

  async #question<T>(otherwise: string, task: Task, work: () => Promise<T>): Promise<T | undefined> {
    if (!this.#run.readable || this.#silent) return undefined;
    const { signal } = this.#run;
    let answered = false;
    const result = await attempt({ otherwise, patience: PATIENCE.question, signal }, task, async () => {
      const answer = await work();
      answered = true;
      return answer;
    });
    if (!answered) this.#silent = true;
    return result;
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
        this.#keepRecord(entries, keys, child),
      );
      const bytes = entries.filter(({ name }) => made.some((one) => 'files' in one && one.name === name));
      child.note(
        bytes.length === 0
          ? 'only the keys of this build'
          : `${formatBytes(bytes.reduce((sum, { size }) => sum + size, 0))} in ${bytes.length} results`,
      );
    });
  }

  #attempt<T>(otherwise: string, task: Task, work: () => Promise<T>): Promise<T | undefined> {
    return attempt({ otherwise, patience: PATIENCE.transfer, signal: this.#run.signal }, task, work);
  }

  #keep(result: MadeResult | KnownResult, task: Task): Promise<Entry | undefined> {
    return this.#attempt(`The result of ${result.name} is not kept`, task, async () => {
      const entry = 'files' in result ? await this.#upload(result) : this.#renamed(result);
      const there = 'files' in result ? [] : this.#known.get(result.found.key)!.keys;
      const added = result.keys.filter((key) => !there.includes(key));
      await Promise.all(
        added.map((key) => this.#put((form) => stageArtifact(entry, form), stageTag(key), task)),
      );
      return entry;
    });
  }

  async #upload({ name, keys, paths, files }: MadeResult): Promise<Entry> {
    const packed = await packTree(files, paths, this.#digests);
    if (packed === undefined) throw new Failure('It has devices, pipes or sockets.');
    const { content, contents, members, size } = packed;
    if (size > LARGEST) throw new Failure(`It has ${formatBytes(size)}, of at most ${formatBytes(LARGEST)}.`);
    const { signal } = this.#run;
    const place = await writeLayer(members, {
      compression: 'zstd',
      target: this.#place.target,
      ...(signal !== undefined && { signal }),
    });
    const { descriptor, diffId } = place;
    return { name, keys, content, contents, size: descriptor.size, place: { descriptor, diffId } };
  }

  #renamed(result: KnownResult): Entry {
    const entry = this.#known.get(result.found.key);
    if (entry === undefined) throw new Error('A result is kept that was not found.');
    return { ...entry, name: result.name, keys: keysOfKnown(result, entry.keys) };
  }

  async #keepRecord(entries: readonly Entry[], keys: ReadonlyMap<string, Key>, task: Task): Promise<void> {
    const before = await this.#readRecord(task);
    const results = nextEntries(before?.results ?? [], entries, keys);
    const bytes = Buffer.from(encodeKeys(keys));
    const text = digestOf(bytes);
    const [branch] = branchesOf(this.#run);
    if (before?.branch === branch && before !== undefined && saysTheSame(before, text, results)) return;
    const layer = await this.#writeKeys(bytes);
    const make = (form: ArtifactForm) => recordArtifact({ ...layer, text }, results, form);
    await this.#put(make, recordTag(this.#run, branch!), task);
  }

  async #writeKeys(bytes: Buffer): Promise<ArtifactLayer> {
    const own = { name: KEYS_FILE, mode: 0o644, uid: 0, gid: 0, size: bytes.length, mtime: 0 };
    async function* content() {
      yield bytes;
    }
    const members = [{ entry: { ...own, type: 'file' as const }, content }];
    return await writeLayer(members, { compression: 'zstd', target: this.#place.target });
  }

  /** Stores an artifact under a tag, as an image where the registry does not take artifacts. */
  async #put(make: (form: ArtifactForm) => Artifact, tag: string, task: Task): Promise<void> {
    const form = this.#form;
    try {
      await this.#putAs(make(form), tag);
    } catch (error) {
      if (form === 'image' || !(error instanceof Failure) || this.#run.signal?.aborted) throw error;
      task.log(`${error.message} What is kept is stored as an image in place of an artifact.`);
      await this.#putAs(make('image'), tag);
      this.#form = 'image';
    }
  }

  async #putAs({ manifest, config }: Artifact, tag: string): Promise<void> {
    const { target } = this.#place;
    await once(this.#configs, config.descriptor.digest, () => putConfig(target, config));
    await target.putManifest(manifest, MediaType.ociManifest, [tag]);
  }
}

async function putConfig(target: ImageTarget, { bytes, descriptor }: Artifact['config']): Promise<void> {
  if (await target.has(descriptor)) return;
  await target.put(descriptor, async function* () {
    yield bytes;
  });
}
