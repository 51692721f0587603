import {
  closeSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { type ArchiveIndex, decompressFrame, type Member, readAt, readIndex } from './archive.ts';

export interface UnpackOptions {
  /** Times that the files get; default: now. */
  readonly modified?: Date | undefined;
  /** Bytes that the archive may unpack to. */
  readonly limit: number;
  readonly signal?: AbortSignal | undefined;
}

const MEMBER_LIMIT = 1_000_000;

/**
 * Unpacks an archive into a folder. Everything is checked before the first file is written; each file appears whole. A file that is
 * there already with the same size stays: what is restored by key does not change under its name. Throws ArchiveError.
 */
export async function unpack(
  archive: string,
  folder: string,
  options: UnpackOptions,
): Promise<{ readonly members: readonly Member[]; readonly written: number }> {
  const handle = await open(archive, 'r');
  const files = new FileWriter(folder, options.modified);
  try {
    const index = await readIndex(handle, { bytes: options.limit, members: MEMBER_LIMIT });
    for (const parent of new Set(index.members.map(({ name }) => dirname(join(folder, name)))))
      mkdirSync(parent, { recursive: true });
    await eachFrame(handle, index, options.signal, (content, start) =>
      files.take(index.members, content, start),
    );
    // Members without content lie in no frame.
    for (const member of index.members) if (member.size === 0) files.whole(member, Buffer.alloc(0));
    return { members: index.members, written: files.written };
  } finally {
    files.abandon();
    await handle.close();
  }
}

/** Decompresses frames side by side on the thread pool and hands them on in order, so that writing one overlaps with reading others. */
async function eachFrame(
  handle: FileHandle,
  { frames }: ArchiveIndex,
  signal: AbortSignal | undefined,
  take: (content: Buffer, start: number) => void,
): Promise<void> {
  const ahead = availableParallelism() + 1;
  const underway: Promise<Buffer>[] = [];
  let [next, position, start] = [0, 0, 0];
  const read = (): void => {
    const { length, raw } = frames[next++]!;
    const at = position;
    position += length;
    const content = readAt(handle, at, length).then((bytes) => decompressFrame(bytes, raw));
    content.catch(() => {}); // awaited in its turn
    underway.push(content);
  };
  for (const { raw } of frames) {
    while (next < frames.length && underway.length < ahead) read();
    signal?.throwIfAborted();
    take(await underway.shift()!, start);
    start += raw;
  }
}

/** Writes members out of frames that come in order. Synchronous: the pool is busy with decompression, and a file is one short call. */
class FileWriter {
  written = 0;
  readonly #folder: string;
  readonly #modified: Date | undefined;
  #next = 0;
  /** A member that began in an earlier frame. */
  #unfinished:
    | { readonly member: Member; readonly fd: number | undefined; readonly temporary: string }
    | undefined;

  constructor(folder: string, modified: Date | undefined) {
    this.#folder = folder;
    this.#modified = modified;
  }

  take(members: readonly Member[], content: Buffer, start: number): void {
    const end = start + content.length;
    if (this.#unfinished !== undefined) this.#continue(content, start, end);
    for (
      let member = members[this.#next];
      member !== undefined && member.at < end;
      member = members[++this.#next]
    ) {
      if (member.size === 0) continue;
      if (member.at + member.size <= end)
        this.whole(member, content.subarray(member.at - start, member.at - start + member.size));
      else {
        this.#begin(member);
        this.#continue(content, start, end);
      }
    }
  }

  whole(member: Member, content: Buffer): void {
    this.#begin(member);
    if (this.#unfinished!.fd !== undefined) writeAll(this.#unfinished!.fd, content);
    this.#end();
  }

  /** Takes back what was begun and cannot be ended: nobody else would ever remove it from a folder that is Go's own. */
  abandon(): void {
    if (this.#unfinished?.fd === undefined) return;
    closeSync(this.#unfinished.fd);
    rmSync(this.#unfinished.temporary, { force: true });
    this.#unfinished = undefined;
  }

  #begin(member: Member): void {
    const path = join(this.#folder, member.name);
    const temporary = `${path}.${process.pid}.part`;
    const there = lstatSync(path, { throwIfNoEntry: false });
    const same = there?.isFile() === true && there.size === member.size;
    const fd = same ? undefined : openSync(temporary, 'w', member.executable ? 0o755 : 0o644);
    this.#unfinished = { member, fd, temporary };
  }

  #continue(content: Buffer, start: number, end: number): void {
    const { member, fd } = this.#unfinished!;
    const from = Math.max(member.at, start);
    const to = Math.min(member.at + member.size, end);
    if (fd !== undefined) writeAll(fd, content.subarray(from - start, to - start));
    if (to === member.at + member.size) this.#end();
  }

  #end(): void {
    const { member, fd, temporary } = this.#unfinished!;
    this.#unfinished = undefined;
    if (fd === undefined) return;
    if (this.#modified !== undefined) futimesSync(fd, this.#modified, this.#modified);
    closeSync(fd);
    replace(temporary, join(this.#folder, member.name));
    this.written++;
  }
}

function writeAll(fd: number, content: Buffer): void {
  for (let done = 0; done < content.length; ) done += writeSync(fd, content, done);
}

function replace(temporary: string, path: string): void {
  try {
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
