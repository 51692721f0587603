import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';
import { safeRelative } from '../content/index.ts';

/**
 * The format of a cache entry: a tar archive, cut into pieces of equal length, each compressed as a zstd frame of its own (RFC 8878),
 * so that they are packed and unpacked side by side; then two skippable frames that other tools pass over:
 *
 *     frame …  │ skippable: index, zstd-compressed JSON │ skippable: SHA-256 of all before, offset of the index, mark
 *
 * `tar --zstd -tf` reads it. Slipway reads it by the index alone: it knows all names and sizes before it writes the first file, and
 * regular files are all that an index can name, so there are no links and devices to guard against.
 */
export interface ArchiveIndex {
  readonly frames: readonly Frame[];
  readonly members: readonly Member[];
}

export interface Frame {
  /** Bytes in the archive. */
  readonly length: number;
  /** Bytes of tar that it holds. */
  readonly raw: number;
}

/** A file in an archive. */
export interface Member {
  /** Relative, with `/`. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Where the content begins, counted in bytes of tar. */
  readonly at: number;
  readonly executable?: boolean;
}

/** An entry that is not what was stored, or that no honest run would have stored. */
export class ArchiveError extends Error {
  override readonly name = 'ArchiveError';
}

/** Bytes of tar in a frame: large enough that compression loses nothing, small enough that several fit in memory. */
export const FRAME = 8 * 2 ** 20;

const INDEX_MAGIC = 0x184d2a51;
const FOOTER_MAGIC = 0x184d2a50;
const MARK = Buffer.from('SLIPWAY1');
const FOOTER_LENGTH = 8 + 32 + 8 + MARK.length;
/** Bytes of index that are read at most: enough for some hundred thousand names. */
const INDEX_LIMIT = 256 * 2 ** 20;

const compressZstd = promisify(zstdCompress);
const decompressZstd = promisify(zstdDecompress);

/** Compresses at zstd's default level, 3, with a checksum of the content. */
export function compressFrame(bytes: Buffer): Promise<Buffer> {
  // A buffer that holds the whole answer: growing it in 16 KiB steps takes longer than the compression.
  const chunkSize = bytes.length + (bytes.length >> 8) + 1024;
  const params = { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 };
  return compressZstd(bytes, { chunkSize, params });
}

/** Decompresses a frame that must hold exactly `raw` bytes. */
export async function decompressFrame(bytes: Buffer, raw: number): Promise<Buffer> {
  const content = await decompressZstd(bytes, { chunkSize: Math.max(raw, 1024), maxOutputLength: raw }).catch(
    (error: unknown) => {
      throw new ArchiveError('a part of it cannot be decompressed', { cause: error });
    },
  );
  if (content.length !== raw) throw new ArchiveError('a part of it has another length than announced');
  return content;
}

/** The frame that holds the index. */
export async function encodeIndex(index: ArchiveIndex): Promise<Buffer> {
  return skippable(INDEX_MAGIC, await compressFrame(Buffer.from(JSON.stringify(index))));
}

/** The frame that ends the archive. */
export function encodeFooter(sha256: Buffer, indexOffset: number): Buffer {
  const offset = Buffer.alloc(8);
  offset.writeBigUInt64LE(BigInt(indexOffset));
  return skippable(FOOTER_MAGIC, Buffer.concat([sha256, offset, MARK]));
}

function skippable(magic: number, content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(magic, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/**
 * Reads and checks the index of an archive: that every byte is as it was written, that frames and members lie inside of the archive,
 * and that every name stays inside of the folder that it is unpacked to. Throws ArchiveError before anything is written.
 */
export async function readIndex(
  handle: FileHandle,
  limits: { readonly bytes: number; readonly members: number },
): Promise<ArchiveIndex> {
  const { size } = await handle.stat();
  const footer = await readAt(handle, size - FOOTER_LENGTH, FOOTER_LENGTH);
  if (footer.readUInt32LE(0) !== FOOTER_MAGIC || !footer.subarray(-MARK.length).equals(MARK))
    throw new ArchiveError('it is not whole, or not written by Slipway');
  const sha256 = await hashUpTo(handle, size - FOOTER_LENGTH);
  if (!sha256.equals(footer.subarray(8, 40)))
    throw new ArchiveError('its bytes are not those that were stored');
  const offset = Number(footer.readBigUInt64LE(40));
  if (offset > size - FOOTER_LENGTH - 8) throw new ArchiveError('its index lies outside of it');
  const packed = await readAt(handle, offset + 8, size - FOOTER_LENGTH - offset - 8);
  const index = parseIndex(await decompressIndex(packed));
  checkFrames(index, offset);
  checkMembers(index, limits);
  return index;
}

async function hashUpTo(handle: FileHandle, length: number): Promise<Buffer> {
  const hash = createHash('sha256');
  if (length === 0) return hash.digest();
  const stream = createReadStream('', {
    fd: handle,
    start: 0,
    end: length - 1,
    autoClose: false,
    highWaterMark: 4 * 2 ** 20,
  });
  for await (const chunk of stream) hash.update(chunk as Buffer);
  return hash.digest();
}

async function decompressIndex(packed: Buffer): Promise<string> {
  try {
    const bytes = await decompressZstd(packed, { chunkSize: 4 * 2 ** 20, maxOutputLength: INDEX_LIMIT });
    return bytes.toString('utf8');
  } catch (error) {
    throw new ArchiveError('its index cannot be read', { cause: error });
  }
}

function parseIndex(text: string): ArchiveIndex {
  try {
    const index = JSON.parse(text) as ArchiveIndex;
    if (index.frames.every(isFrame) && index.members.every(isMember)) return index;
  } catch {
    // Said below.
  }
  throw new ArchiveError('its index is malformed');
}

const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isFrame = (frame: Frame) =>
  isCount(frame.length) && isCount(frame.raw) && frame.raw > 0 && frame.raw <= FRAME;
const isMember = (member: Member) =>
  typeof member.name === 'string' && isCount(member.size) && isCount(member.at);

function checkFrames({ frames }: ArchiveIndex, end: number): void {
  if (frames.reduce((sum, frame) => sum + frame.length, 0) !== end)
    throw new ArchiveError('its parts do not add up to its length');
}

function checkMembers(
  { frames, members }: ArchiveIndex,
  limits: { readonly bytes: number; readonly members: number },
): void {
  if (members.length > limits.members)
    throw new ArchiveError(
      `it names ${members.length} files, more than the ${limits.members} that are allowed`,
    );
  const raw = frames.reduce((sum, frame) => sum + frame.raw, 0);
  let total = 0;
  let end = 0;
  const names = new Set<string>();
  for (const member of members) {
    checkName(member.name);
    if (names.has(member.name)) throw new ArchiveError(`it names "${member.name}" twice`);
    names.add(member.name);
    // In the order of the archive and without overlap, so that a small archive cannot unpack to any size.
    if (member.at < end || member.at + member.size > raw)
      throw new ArchiveError(`"${member.name}" lies outside of its place in it`);
    end = member.at + member.size;
    total += member.size;
  }
  if (total > limits.bytes)
    throw new ArchiveError(`it unpacks to ${total} bytes, more than the ${limits.bytes} that are allowed`);
}

function checkName(name: string): void {
  const safe = safeRelative(name) === name && name !== '' && name !== '.' && !/[\0\\]/.test(name);
  // On Windows a colon names a drive or a stream.
  if (
    !safe ||
    name.split('/').some((part) => part === '' || part === '.' || part === '..') ||
    /^[A-Za-z]:/.test(name)
  )
    throw new ArchiveError(`it names "${name.slice(0, 200)}", which is no path inside of a folder`);
}

export async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  if (position < 0) throw new ArchiveError('it is not whole, or not written by Slipway');
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) throw new ArchiveError('it is shorter than announced');
    done += bytesRead;
  }
  return buffer;
}
