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
  /** Of a folder, by its path from the top of the checkout with a slash behind it, `''` for the top; undefined where nothing is tracked. */
  folder(path: string): IndexedFolder | undefined;
}

export interface IndexedFolder {
  /** The id of a tracked file that is as Git last saw it; undefined for any other, and wherever the index leaves a doubt. */
  blob(name: string, state: FileState): BlobName | undefined;
  has(name: string): boolean;
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
    const folders = parseEntries(bytes, idLength, algorithm);
    if (folders === undefined) return undefined;
    const before = mtimeMs - (mtimeMs % 1000 === 0 ? COARSE_TICK : TICK);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return {
      folder: (path) => {
        const entries = folders.get(path);
        if (entries === undefined) return undefined;
        return {
          has: (name) => entries.has(name),
          blob: (name, state) => {
            const at = entries.get(name);
            if (at === undefined || state.mtimeMs >= before || state.ctimeMs >= before) return undefined;
            if (!isAsSeen(view, at, state)) return undefined;
            return `blob:${bytes.toString('hex', at + STAT, at + STAT + idLength)}`;
          },
        };
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
function isAsSeen(view: DataView, at: number, state: FileState): boolean {
  return (
    // A size of 0 is also what Git writes for an entry that it does not trust itself.
    state.size > 0 &&
    state.size < 2 ** 32 &&
    view.getUint32(at + AT.size) === state.size &&
    view.getUint32(at + AT.ino) === state.ino % 2 ** 32 &&
    milliseconds(view, at + AT.mtime) === state.mtimeMs &&
    milliseconds(view, at + AT.ctime) === state.ctimeMs
  );
}

/** Seconds and nanoseconds made one number exactly as node:fs does it, so that equal times are equal numbers. */
function milliseconds(view: DataView, at: number): number {
  return view.getUint32(at) * 1000 + view.getUint32(at + 4) / 1_000_000;
}

/** Offsets of the entries that may be believed, by folder and name. */
type Entries = Map<string, Map<string, number>>;

function parseEntries(bytes: Buffer, idLength: number, algorithm: BlobAlgorithm): Entries | undefined {
  const version = bytes.readUInt32BE(4);
  if (bytes.toString('latin1', 0, 4) !== 'DIRC' || version < 2 || version > 4) return undefined;
  const end = bytes.length - idLength;
  if (!isWhole(bytes, end, algorithm)) return undefined;
  const folders: Entries = new Map();
  const reader = new EntryReader(bytes, version, idLength);
  let folder = '';
  let entries: Map<string, number> | undefined;
  for (let count = bytes.readUInt32BE(8); count > 0; count--) {
    const { at, trusted } = reader.next();
    if (reader.offset > end) return undefined;
    if (!trusted) continue;
    // Paths are sorted: the files of a folder mostly follow each other.
    if (entries === undefined || reader.isElsewhere()) {
      folder = reader.folder();
      entries = once(folders, folder);
    }
    entries.set(reader.name(), at);
  }
  return hasForeignParts(bytes, reader.offset, end) ? undefined : folders;
}

function once(folders: Entries, folder: string): Map<string, number> {
  let entries = folders.get(folder);
  if (entries === undefined) {
    entries = new Map();
    folders.set(folder, entries);
  }
  return entries;
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

const SLASH = 0x2f;

class EntryReader {
  offset = HEADER;
  readonly #bytes: Buffer;
  readonly #version: number;
  readonly #idLength: number;
  /** Where the path lies: in the index, or taken together from parts (version 4). */
  #path: Buffer = Buffer.alloc(0);
  #start = 0;
  #name = 0;
  #end = 0;
  /** The folder that was asked for last. */
  #folder: Buffer | undefined;

  constructor(bytes: Buffer, version: number, idLength: number) {
    this.#bytes = bytes;
    this.#version = version;
    this.#idLength = idLength;
  }

  /** Goes to the next entry; its path is to be had until the one after. */
  next(): { readonly at: number; readonly trusted: boolean } {
    const bytes = this.#bytes;
    const at = this.offset;
    const flags = bytes.readUInt16BE(at + STAT + this.#idLength);
    let path = at + STAT + this.#idLength + 2;
    const more = (flags & EXTENDED) === 0 ? 0 : bytes.readUInt16BE(path);
    if ((flags & EXTENDED) !== 0) path += 2;
    if (this.#version === 4) this.#readCompressed(path);
    else this.#readPadded(at, path, flags & NAME_LENGTH);
    this.#name = this.#end;
    while (this.#name > this.#start && this.#path[this.#name - 1] !== SLASH) this.#name--;
    const trusted =
      (flags & (ASSUME_VALID | STAGE)) === 0 &&
      (more & (SKIP_WORKTREE | INTENT_TO_ADD)) === 0 &&
      bytes.readUInt32BE(at + AT.mode) >>> 12 === REGULAR;
    return { at, trusted };
  }

  name(): string {
    return textOf(this.#path, this.#name, this.#end);
  }

  /** Whether the entry lies in another folder than the one that was asked for last. */
  isElsewhere(): boolean {
    const folder = this.#folder;
    if (folder?.length !== this.#name - this.#start) return true;
    for (let i = folder.length - 1; i >= 0; i--) if (folder[i] !== this.#path[this.#start + i]) return true;
    return false;
  }

  folder(): string {
    this.#folder = this.#path.subarray(this.#start, this.#name);
    return textOf(this.#path, this.#start, this.#name);
  }

  /** Paths end with one to eight NULs, so that the next entry starts at a multiple of eight from this one. */
  #readPadded(at: number, path: number, length: number): void {
    const end = length < NAME_LENGTH ? path + length : this.#bytes.indexOf(0, path);
    if (end < 0) throw new RangeError('A name without an end.');
    this.#path = this.#bytes;
    this.#start = path;
    this.#end = end;
    this.offset = at + ((end - at + 8) & ~7);
  }

  /** How many bytes to take off the path before, as an "offset varint" of pack files, and what comes in their place, up to a NUL. */
  #readCompressed(from: number): void {
    let at = from;
    let byte = this.#bytes[at++]!;
    let strip = byte & 0x7f;
    while ((byte & 0x80) !== 0) {
      byte = this.#bytes[at++]!;
      strip = (strip + 1) * 128 + (byte & 0x7f);
    }
    const end = this.#bytes.indexOf(0, at);
    if (end < 0 || strip > this.#path.length) throw new RangeError('A name that cannot be.');
    const kept = this.#path.subarray(0, this.#path.length - strip);
    this.#path = Buffer.concat([kept, this.#bytes.subarray(at, end)]);
    this.#end = this.#path.length;
    this.offset = end + 1;
  }
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  return text.includes('\ufffd') ? nameFromBytes(bytes.subarray(start, end)) : text;
}
