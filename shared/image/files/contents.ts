import { createHash, type Hash } from 'node:crypto';
import { closeSync, createWriteStream, lstatSync, openSync, readSync } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { blobAlgorithm, type Digest, indexedBlob, startBlob } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import { once } from '../once.ts';
import { changed } from './digests.ts';
import { diskPath } from './disk.ts';
import type { LayerMembers } from './layer-index.ts';
import type { Archive, Content, RegularFile } from './tree.ts';

type Member = Extract<Content, { kind: 'member' }>;
type OnDisk = Extract<Content, { kind: 'disk' }>;

/** Gives the bytes of files, wherever they are. */
export interface Contents {
  /** Takes the members of archives out that these files need: each archive is read once. */
  prepare(files: Iterable<RegularFile>): Promise<void>;
  /**
   * The bytes of a file; of one of this machine checked against its name in keys (ContentDigests.name) where it is given. What
   * `prepare` has not seen is an error. Each chunk is there until the next one is asked for.
   */
  lend(file: RegularFile, name?: string): AsyncIterable<Uint8Array>;
  /** The same for those who keep chunks. */
  open(file: RegularFile, name?: string): AsyncIterable<Uint8Array>;
  read(file: RegularFile): Promise<Buffer>;
}

/** `directory` takes the files that come out of archives, named by their digests. */
export function createContents(
  directory: string,
  members: (archive: Archive) => Promise<LayerMembers>,
): Contents {
  const memory = sharedMemory();
  const contents: Contents = {
    prepare: async (files) => {
      for (const [archive, wanted] of byArchive(files))
        await takeOut(await members(archive), wanted, directory);
    },
    lend: (file, name) => open(file, directory, name, memory),
    open: (file, name) => open(file, directory, name, freshMemory),
    read: async (file) => {
      await contents.prepare([file]);
      const chunks: Uint8Array[] = [];
      for await (const chunk of contents.open(file)) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
  };
  return contents;
}

function byArchive(files: Iterable<RegularFile>): Map<Archive, Map<number, Digest>> {
  const archives = new Map<string, { archive: Archive; wanted: Map<number, Digest> }>();
  for (const { content } of files) {
    if (content.kind !== 'member') continue;
    const id = archiveId(content.archive);
    const one = once(archives, id, () => ({ archive: content.archive, wanted: new Map<number, Digest>() }));
    one.wanted.set(content.ordinal, content.digest);
  }
  return new Map([...archives.values()].map(({ archive, wanted }) => [archive, wanted]));
}

function archiveId(archive: Archive): string {
  return archive.kind === 'layer' ? `${archive.image} ${archive.layer.digest}` : archive.digest;
}

async function takeOut(members: LayerMembers, wanted: Map<number, Digest>, directory: string): Promise<void> {
  const missing = new Map<number, Digest>();
  for (const [ordinal, digest] of wanted)
    if (!(await exists(spooled(directory, digest)))) missing.set(ordinal, digest);
  if (missing.size === 0) return;
  await mkdir(directory, { recursive: true });
  let ordinal = 0;
  for await (const { content } of members) {
    const digest = missing.get(ordinal++);
    if (digest === undefined) continue;
    await spool(content, digest, directory);
    missing.delete(ordinal - 1);
    if (missing.size === 0) return;
  }
  throw new Error(`An archive of ${ordinal} members lacks ${missing.size} of those that its index names.`);
}

function spooled(directory: string, digest: Digest): string {
  return join(directory, digest.slice('sha256:'.length));
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** Writes bytes to a file that is named by their digest. */
export async function spool(
  content: AsyncIterable<Uint8Array>,
  expected: Digest | undefined,
  directory: string,
): Promise<{ readonly path: string; readonly digest: Digest }> {
  const hash = createHash('sha256');
  const temporary = join(directory, `${process.pid}.${Math.random().toString(36).slice(2)}.part`);
  try {
    await pipeline(
      Readable.from(observed(content, (chunk) => hash.update(chunk))),
      createWriteStream(temporary),
    );
    const digest: Digest = `sha256:${hash.digest('hex')}`;
    if (expected !== undefined && digest !== expected)
      throw new Error(`A member of an archive has the digest ${digest}, its index says ${expected}.`);
    const path = spooled(directory, digest);
    await rename(temporary, path);
    return { path, digest };
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function* observed(
  content: AsyncIterable<Uint8Array>,
  see: (chunk: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of content) {
    see(chunk);
    yield chunk;
  }
}

/** Where bytes are read into. Memory for every chunk anew is freed late, and large layers would fill gigabytes with it. */
interface Memory {
  /** For what is `size` bytes in all, as far as is known. */
  take(size: number): Buffer;
  giveBack(memory: Buffer): void;
}

const CHUNK = 256 * 1024;

const freshMemory: Memory = {
  // One byte more shows the end at once.
  take: (size) => Buffer.allocUnsafeSlow(Math.min(CHUNK, size + 1)),
  giveBack: () => {},
};

function sharedMemory(): Memory {
  const free: Buffer[] = [];
  return { take: () => free.pop() ?? Buffer.allocUnsafeSlow(CHUNK), giveBack: (memory) => free.push(memory) };
}

function open(
  file: RegularFile,
  directory: string,
  name: string | undefined,
  memory: Memory,
): AsyncIterable<Uint8Array> {
  const { content } = file;
  switch (content.kind) {
    case 'bytes':
      return one(content.bytes);
    case 'member':
      return readFrom(spooled(directory, (content satisfies Member).digest), file.size, memory);
    case 'disk':
      return name === undefined
        ? readFrom(content.path, file.size, memory)
        : verified(file, content, name, memory);
    case 'pending':
      throw new Error('The content of a stage that was not built yet is asked for.');
  }
}

/** In calls that wait: from the cache of the system they take less than a trip through the thread pool, where compression queues. */
async function* readFrom(path: string, size: number, memory: Memory): AsyncGenerator<Buffer> {
  const file = openFile(path);
  let chunk = memory.take(size);
  try {
    for (let filled = 0; ; filled = 0) {
      for (let got = -1; got !== 0 && filled < chunk.length; filled += got)
        got = readSync(file, chunk, filled, chunk.length - filled, null);
      if (filled > 0) yield chunk.subarray(0, filled);
      if (filled < chunk.length) return;
      memory.giveBack(chunk);
      chunk = memory.take(CHUNK);
    }
  } finally {
    memory.giveBack(chunk);
    closeSync(file);
  }
}

function openFile(path: string): number {
  try {
    return openSync(diskPath(path), 'r');
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOENT' ? changed(path) : error;
  }
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}

/** The plan keyed the image by this name: other bytes must not go out under that key. */
async function* verified(
  file: RegularFile,
  content: OnDisk,
  name: string,
  memory: Memory,
): AsyncGenerator<Uint8Array> {
  const hash = hashFor(name, file.size);
  yield* observed(readFrom(content.path, file.size, memory), (chunk) => hash.update(chunk));
  if (hash.digest('hex') !== digits(name)) throw otherThanNamed(content);
}

function hashFor(name: string, size: number): Hash {
  const blob = blobAlgorithm(name);
  return blob === undefined ? createHash('sha256') : startBlob(blob, size);
}

function digits(name: string): string {
  return name.slice(name.indexOf(':') + 1);
}

/** A file that Git's index still takes for what it was has not changed: then the index is wrong about it. */
function otherThanNamed({ path, blob, folder }: OnDisk): Failure {
  const now = lstatSync(diskPath(path), { throwIfNoEntry: false });
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (blob === undefined || now === undefined || indexedBlob(folder!, name, now) !== blob)
    return changed(path);
  return new Failure(
    `${path} does not hold what Git's index says, which happens when attributes or core.autocrlf were changed after the checkout; "git add --renormalize ." mends it, and so does touching the file.`,
  );
}
