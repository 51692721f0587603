import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import type { BlobAlgorithm, BlobName } from './blob-name.ts';
import { nameFromBytes } from './bytes.ts';

/** What tells one state of a file from another without reading it: as lstat of node:fs gives it. */
export interface FileState {
  /** Bytes. */
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  readonly ino: number;
}

/** What the index of a Git checkout says of its files (gitformat-index(5), versions 2 to 4). */
export interface GitIndex {
  /** The id of a tracked file that is as Git last saw it; undefined for any other, and wherever the index leaves a doubt. */
  blob(path: string, state: FileState): BlobName | undefined;
  has(path: string): boolean;
}

const HEADER = 12;
/** Fields of an entry before its object id. */
const STAT = 40;
const AT = { ctime: 0, mtime: 8, ino: 20, mode: 24, size: 36 } as const;
const REGULAR = 0o10;

const ASSUME_VALID = 0x8000;
const EXTENDED = 0x4000;
const STAGE = 0x3000;
const NAME_LENGTH = 0x0fff;
const SKIP_WORKTREE = 0x4000;
const INTENT_TO_ADD = 0x2000;

/**
 * Milliseconds by which a file has to be older than the index. A write in the same tick of the file system's clock leaves no trace in
 * the times (Git: "racily clean"). Where the clock shows whole seconds, a tick is up to two of them.
 */
const TICK = 20;
const COARSE_TICK = 2_000;

/**
 * Reads an index. Undefined when there is none, when it is damaged, and when it has a part without which it cannot be understood: the
 * other half of a split index, or what a later Git may add.
 */
export function readGitIndex(path: string, algorithm: BlobAlgorithm): GitIndex | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return undefined;
  }
  try {
    // Of what is read, whatever takes its place meanwhile: Git writes another file and renames it.
    const { mtimeMs } = fstatSync(file);
    const bytes = readFileSync(file);
    const idLength = algorithm === 'sha1' ? 20 : 32;
    const entries = parseEntries(bytes, idLength, algorithm);
    if (entries === undefined) return undefined;
    const before = mtimeMs - (mtimeMs % 1000 === 0 ? COARSE_TICK : TICK);
    return {
      has: (name) => entries.has(name),
      blob: (name, state) => {
        const at = entries.get(name);
        if (at === undefined || state.mtimeMs >= before || state.ctimeMs >= before) return undefined;
        if (!isAsSeen(bytes, at, state)) return undefined;
        return `blob:${bytes.toString('hex', at + STAT, at + STAT + idLength)}`;
      },
    };
  } catch {
    return undefined;
  } finally {
    closeSync(file);
  }
}

/**
 * Git keeps the low 32 bits of what is larger. Modes do not count: a name is of bytes, and whoever changed a mode has changed ctime.
 * Nor do owners and the device, as far as ctime says the same.
 */
function isAsSeen(bytes: Buffer, at: number, state: FileState): boolean {
  return (
    // A size of 0 is also what Git writes for an entry that it does not trust itself.
    state.size > 0 &&
    state.size < 2 ** 32 &&
    bytes.readUInt32BE(at + AT.size) === state.size &&
    bytes.readUInt32BE(at + AT.ino) === state.ino % 2 ** 32 &&
    milliseconds(bytes, at + AT.mtime) === state.mtimeMs &&
    milliseconds(bytes, at + AT.ctime) === state.ctimeMs
  );
}

/** Seconds and nanoseconds made one number exactly as node:fs does it, so that equal times are equal numbers. */
function milliseconds(bytes: Buffer, at: number): number {
  return bytes.readUInt32BE(at) * 1000 + bytes.readUInt32BE(at + 4) / 1_000_000;
}

/** Offsets of the entries that may be believed, by path. */
function parseEntries(
  bytes: Buffer,
  idLength: number,
  algorithm: BlobAlgorithm,
): Map<string, number> | undefined {
  const version = bytes.readUInt32BE(4);
  if (bytes.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 4) return undefined;
  const end = bytes.length - idLength;
  if (!isWhole(bytes, end, algorithm)) return undefined;
  const entries = new Map<string, number>();
  const reader = new EntryReader(bytes, version, idLength);
  for (let count = bytes.readUInt32BE(8); count > 0; count--) {
    const { at, trusted } = reader.next();
    if (reader.offset > end) return undefined;
    if (trusted) entries.set(reader.name(), at);
  }
  return hasForeignParts(bytes, reader.offset, end) ? undefined : entries;
}

/** An index ends with a hash over what is before it, or with zeros (index.skipHash). */
function isWhole(bytes: Buffer, end: number, algorithm: BlobAlgorithm): boolean {
  const sum = bytes.subarray(end);
  return (
    sum.every((byte) => byte === 0) ||
    createHash(algorithm).update(bytes.subarray(0, end)).digest().equals(sum)
  );
}

/** Parts whose names begin with a capital letter may be passed over; "link" of a split index may not. */
function hasForeignParts(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 8 + bytes.readUInt32BE(at + 4)) {
    const first = bytes[at]!;
    // "sdir" says that folders outside of a sparse checkout are single entries, which are no files.
    if ((first < 0x41 || first > 0x5a) && bytes.toString('latin1', at, at + 4) !== 'sdir') return true;
  }
  return false;
}

class EntryReader {
  offset = HEADER;
  readonly #bytes: Buffer;
  readonly #version: number;
  readonly #idLength: number;
  #start = 0;
  #length = 0;
  /** The name of the entry before, which version 4 goes on from. */
  #previous: Buffer = Buffer.alloc(0);

  constructor(bytes: Buffer, version: number, idLength: number) {
    this.#bytes = bytes;
    this.#version = version;
    this.#idLength = idLength;
  }

  /** Goes to the next entry; its name is to be had until the one after. */
  next(): { readonly at: number; readonly trusted: boolean } {
    const bytes = this.#bytes;
    const at = this.offset;
    const flags = bytes.readUInt16BE(at + STAT + this.#idLength);
    let name = at + STAT + this.#idLength + 2;
    const more = (flags & EXTENDED) === 0 ? 0 : bytes.readUInt16BE(name);
    if ((flags & EXTENDED) !== 0) name += 2;
    if (this.#version === 4) this.#readCompressed(name);
    else this.#readPadded(at, name, flags & NAME_LENGTH);
    const trusted =
      (flags & (ASSUME_VALID | STAGE)) === 0 &&
      (more & (SKIP_WORKTREE | INTENT_TO_ADD)) === 0 &&
      bytes.readUInt32BE(at + AT.mode) >>> 12 === REGULAR;
    return { at, trusted };
  }

  name(): string {
    const text =
      this.#version === 4
        ? this.#previous.toString('utf8')
        : this.#bytes.toString('utf8', this.#start, this.#start + this.#length);
    if (!text.includes('\ufffd')) return text;
    return nameFromBytes(
      this.#version === 4 ? this.#previous : this.#bytes.subarray(this.#start, this.#start + this.#length),
    );
  }

  /** Names end with one to eight NULs, so that the next entry starts at a multiple of eight from this one. */
  #readPadded(at: number, name: number, length: number): void {
    this.#start = name;
    this.#length = length < NAME_LENGTH ? length : this.#bytes.indexOf(0, name) - name;
    if (this.#length < 0) throw new RangeError('A name without an end.');
    this.offset = at + ((name - at + this.#length + 8) & ~7);
  }

  /** How many bytes to take off the name before, as an "offset varint" of pack files, and what comes in their place, up to a NUL. */
  #readCompressed(from: number): void {
    let at = from;
    let byte = this.#bytes[at++]!;
    let strip = byte & 0x7f;
    while ((byte & 0x80) !== 0) {
      byte = this.#bytes[at++]!;
      strip = (strip + 1) * 128 + (byte & 0x7f);
    }
    const end = this.#bytes.indexOf(0, at);
    if (end < 0 || strip > this.#previous.length) throw new RangeError('A name that cannot be.');
    const kept = this.#previous.subarray(0, this.#previous.length - strip);
    this.#previous = Buffer.concat([kept, this.#bytes.subarray(at, end)]);
    this.offset = end + 1;
  }
}
