import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { type TarEntry, type TarMember, writeTar } from '../content/index.ts';
import { compressFrame, encodeFooter, encodeIndex, FRAME, type Frame, type Member } from './archive.ts';

/** A file to keep: where it is, and how the entry names it. */
export interface KeptFile {
  /** Relative to the folder that it will be restored into, with `/`. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
}

/** Files up to here are read at once; a larger one is streamed. */
const AT_ONCE = 32 * 2 ** 20;
const END_OF_ARCHIVE = 1024;

/** Writes an archive of the files. A file that is gone is left out. Gives the archive's size and what it holds. */
export async function pack(
  files: readonly KeptFile[],
  archive: string,
  signal?: AbortSignal,
): Promise<{ readonly bytes: number; readonly members: readonly Member[] }> {
  const handle = await open(archive, 'w');
  try {
    const writer = new ArchiveWriter(handle);
    const members: Member[] = [];
    for (const file of [...files].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      signal?.throwIfAborted();
      const member = await addFile(writer, file);
      if (member !== undefined) members.push(member);
    }
    await writer.push(Buffer.alloc(END_OF_ARCHIVE));
    return { bytes: await writer.finish(members), members };
  } finally {
    await handle.close();
  }
}

async function addFile(writer: ArchiveWriter, { name, path }: KeptFile): Promise<Member | undefined> {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || !stats.isFile()) return undefined;
  const executable = (stats.mode & 0o100) !== 0;
  const entry = { name, type: 'file', mode: executable ? 0o755 : 0o644, uid: 0, gid: 0, mtime: 0 } as const;
  if (stats.size > AT_ONCE)
    return addTar(writer, { ...entry, size: stats.size }, () => createReadStream(path));
  const content = readFileSync(path);
  return addTar(writer, { ...entry, size: content.length }, async function* () {
    yield content;
  });
}

/** Adds the member's header, content and padding, which is what writeTar gives less the end of the archive. */
async function addTar(
  writer: ArchiveWriter,
  entry: TarEntry,
  content: NonNullable<TarMember['content']>,
): Promise<Member> {
  let held: Buffer = Buffer.alloc(0);
  const start = writer.position;
  for await (const chunk of writeTar([{ entry, content }])) {
    const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    const ready = Math.max(0, bytes.length - END_OF_ARCHIVE);
    await writer.push(bytes.subarray(0, ready));
    held = bytes.subarray(ready);
  }
  const padded = Math.ceil(entry.size / 512) * 512;
  const { name, size } = entry;
  const member = { name, size, at: writer.position - padded };
  if (member.at <= start) throw new Error(`${name}: the tar member is shorter than its content`);
  return (entry.mode & 0o100) === 0 ? member : { ...member, executable: true };
}

/** Cuts a stream into frames, compresses several at once on the thread pool and writes them in order. */
class ArchiveWriter {
  /** Bytes of tar so far. */
  position = 0;
  readonly #handle: FileHandle;
  readonly #hash = createHash('sha256');
  readonly #frames: Frame[] = [];
  readonly #underway: { readonly raw: number; readonly compressed: Promise<Buffer> }[] = [];
  #pieces: Buffer[] = [];
  #filled = 0;
  #written = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async push(bytes: Buffer): Promise<void> {
    this.position += bytes.length;
    let rest = bytes;
    while (rest.length > 0) {
      const piece = rest.subarray(0, FRAME - this.#filled);
      this.#pieces.push(piece);
      this.#filled += piece.length;
      rest = rest.subarray(piece.length);
      if (this.#filled === FRAME) await this.#cut();
    }
  }

  async #cut(): Promise<void> {
    const bytes = Buffer.concat(this.#pieces, this.#filled);
    this.#pieces = [];
    this.#filled = 0;
    const compressed = compressFrame(bytes);
    compressed.catch(() => {}); // awaited in its turn; here only so that an early rejection is not "unhandled"
    this.#underway.push({ raw: bytes.length, compressed });
    if (this.#underway.length > availableParallelism()) await this.#writeNext();
  }

  async #writeNext(): Promise<void> {
    const next = this.#underway.shift();
    if (next === undefined) return;
    const bytes = await next.compressed;
    await this.#write(bytes);
    this.#frames.push({ length: bytes.length, raw: next.raw });
  }

  async #write(bytes: Buffer): Promise<void> {
    this.#hash.update(bytes);
    await writeAll(this.#handle, bytes);
    this.#written += bytes.length;
  }

  /** Ends the archive; gives its size in bytes. */
  async finish(members: readonly Member[]): Promise<number> {
    if (this.#filled > 0) await this.#cut();
    while (this.#underway.length > 0) await this.#writeNext();
    const indexOffset = this.#written;
    await this.#write(await encodeIndex({ frames: this.#frames, members }));
    const footer = encodeFooter(this.#hash.digest(), indexOffset);
    await writeAll(this.#handle, footer);
    return this.#written + footer.length;
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await handle.write(bytes, done)).bytesWritten;
}
