import { posix } from 'node:path';
import { Failure } from '../host/index.ts';
import { nameToBytes } from './bytes.ts';
import type { TarEntry } from './tar-entry.ts';
import {
  BLOCK,
  fitsField,
  formatHeader,
  type Header,
  NAME_LENGTH,
  type NumericField,
  PREFIX_LENGTH,
} from './tar-header.ts';
import { formatRecords } from './tar-pax.ts';

/** A member to write; `content` is opened once, when its turn comes, and must give exactly `entry.size` bytes. */
export interface TarMember {
  readonly entry: TarEntry;
  readonly content?: () => AsyncIterable<Uint8Array>;
}

const FLAG: Readonly<Record<TarEntry['type'], string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const EMPTY = Buffer.alloc(0);
const PADDING = Buffer.alloc(BLOCK);
/** Pieces up to here are gathered; larger ones are passed on by reference. */
const SMALL = 16 * 1024;
const GATHER = 64 * 1024;

/**
 * A tar archive as a stream of bytes that depend on the members alone, the same that Go's archive/tar writes: ustar where it
 * fits, else PAX records for what does not (POSIX.1-2024, pax). No access or change times, no user names. Chunks of content from
 * 16 KiB on are passed through by reference: where their memory is used again for the next one, a chunk of the archive has to be
 * done with before the next is asked for, too. Throws a Failure when a content has another length than its entry says.
 */
export async function* writeTar(
  members: AsyncIterable<TarMember> | Iterable<TarMember>,
): AsyncGenerator<Buffer> {
  const gather = new Gather();
  for await (const { entry, content } of members) {
    gather.add(headerBlocks(entry));
    if (entry.type !== 'file') {
      if (gather.full) yield gather.take();
      continue;
    }
    let written = 0;
    if (content !== undefined)
      for await (const chunk of content()) {
        written += chunk.length;
        if (written > entry.size) throw wrongLength(entry, written);
        if (chunk.length < SMALL) gather.add(chunk);
        else {
          if (gather.size > 0) yield gather.take();
          yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
        }
        if (gather.full) yield gather.take();
      }
    if (written !== entry.size) throw wrongLength(entry, written);
    gather.add(PADDING.subarray(0, padding(written)));
    if (gather.full) yield gather.take();
  }
  gather.add(PADDING);
  gather.add(PADDING);
  yield gather.take();
}

function wrongLength(entry: TarEntry, written: number): Failure {
  const came = written > entry.size ? 'more' : `only ${written}`;
  return new Failure(
    `The file "${entry.name}" changed while it was read: ${entry.size} bytes were announced and ${came} came.`,
  );
}

/** Bytes that fill the last block of a content of this size. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

/** Collects copies of small pieces, so that whoever hashes and compresses the archive is not called for every header. */
class Gather {
  size = 0;
  #bytes: Buffer | undefined;

  get full(): boolean {
    return this.size >= GATHER;
  }

  add(piece: Uint8Array): void {
    const wanted = this.size + piece.length;
    const length = this.#bytes?.length ?? 0;
    if (this.#bytes === undefined || wanted > length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(GATHER + SMALL + BLOCK, wanted));
      this.#bytes?.copy(larger, 0, 0, this.size);
      this.#bytes = larger;
    }
    this.#bytes.set(piece, this.size);
    this.size = wanted;
  }

  /** The bytes, which are the caller's from now on. */
  take(): Buffer {
    const bytes = this.#bytes?.subarray(0, this.size) ?? EMPTY;
    this.#bytes = undefined;
    this.size = 0;
    return bytes;
  }
}

function headerBlocks(entry: TarEntry): Buffer {
  const name = nameOf(entry);
  const linkname = linknameOf(entry);
  const split = splitName(name);
  const records = recordsOf(entry, name, linkname, split !== undefined);
  const main = { ...fieldsOf(entry), flag: FLAG[entry.type] };
  if (records.size === 0) return formatHeader({ ...main, linkname, prefix: EMPTY, ...(split ?? { name }) });
  const body = formatRecords(records);
  return Buffer.concat([
    formatHeader({ ...NOTHING, flag: 'x', name: extendedName(name), size: body.length }),
    body,
    PADDING.subarray(0, padding(body.length)),
    formatHeader({ ...main, name: ascii(name), prefix: EMPTY, linkname: ascii(linkname) }),
  ]);
}

const NOTHING: Header = {
  flag: '0',
  name: EMPTY,
  prefix: EMPTY,
  linkname: EMPTY,
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  major: 0,
  minor: 0,
};

function fieldsOf(entry: TarEntry): Omit<Header, 'flag' | 'name' | 'prefix' | 'linkname'> {
  const fields = {
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: entry.type === 'file' ? entry.size : 0,
    mtime: entry.mtime,
    major: entry.device?.major ?? 0,
    minor: entry.device?.minor ?? 0,
  };
  for (const [field, value] of Object.entries(fields))
    if (!Number.isSafeInteger(value)) throw new Error(`${entry.name}: ${field} ${value} is no whole number`);
  for (const field of ['mode', 'major', 'minor'] as const)
    if (!fitsField(field, fields[field]))
      throw new Failure(
        `"${entry.name}" cannot be stored in a tar archive: ${field} ${fields[field]} is out of range.`,
      );
  return fields;
}

function nameOf(entry: TarEntry): Buffer {
  const path = entry.name === '' ? '.' : entry.name;
  return checked(entry, nameToBytes(entry.type === 'directory' ? `${path}/` : path));
}

function linknameOf(entry: TarEntry): Buffer {
  const linked = entry.type === 'symlink' || entry.type === 'hardlink';
  if (linked && !entry.linkname) throw new Error(`${entry.name}: a ${entry.type} without a target`);
  return linked ? checked(entry, nameToBytes(entry.linkname!)) : EMPTY;
}

function checked(entry: TarEntry, bytes: Buffer): Buffer {
  if (!bytes.includes(0)) return bytes;
  throw new Failure(
    `"${entry.name.replaceAll('\0', '\\0')}" cannot be stored in a tar archive: it holds a NUL byte.`,
  );
}

/** What a ustar header cannot say. */
function recordsOf(entry: TarEntry, name: Buffer, linkname: Buffer, split: boolean): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  const number = (field: NumericField, value: number) => {
    if (!fitsField(field, value)) records.set(field, Buffer.from(String(value)));
  };
  if (!isAscii(name) || (name.length > NAME_LENGTH && !split)) records.set('path', name);
  if (!isAscii(linkname) || linkname.length > NAME_LENGTH) records.set('linkpath', linkname);
  number('uid', entry.uid);
  number('gid', entry.gid);
  number('size', entry.type === 'file' ? entry.size : 0);
  number('mtime', entry.mtime);
  for (const [attribute, value] of Object.entries(entry.xattrs ?? {}))
    records.set(`SCHILY.xattr.${attribute}`, Buffer.from(value));
  // A path that could be split goes into a record too, once there has to be an extended header: so does Go.
  if (records.size > 0 && name.length > NAME_LENGTH) records.set('path', name);
  return records;
}

/** A long name in two fields, cut at its last slash that lets both fit. */
function splitName(name: Buffer): { name: Buffer; prefix: Buffer } | undefined {
  if (name.length <= NAME_LENGTH || !isAscii(name)) return undefined;
  const last = name.length > PREFIX_LENGTH + 1 ? PREFIX_LENGTH : name.length - (name.at(-1) === 0x2f ? 2 : 1);
  const slash = name.lastIndexOf(0x2f, last);
  const rest = name.length - slash - 1;
  if (slash <= 0 || rest === 0 || rest > NAME_LENGTH) return undefined;
  return { prefix: name.subarray(0, slash), name: name.subarray(slash + 1) };
}

function isAscii(bytes: Buffer): boolean {
  return bytes.every((byte) => byte < 0x80);
}

function ascii(bytes: Buffer): Buffer {
  return isAscii(bytes) ? bytes : Buffer.from(bytes.filter((byte) => byte < 0x80));
}

/** A directory's extended header is called dir/PaxHeaders.0, a file's dir/PaxHeaders.0/file. */
function extendedName(name: Buffer): Buffer {
  const text = name.toString('latin1');
  const slash = text.lastIndexOf('/') + 1;
  const path = posix.join(text.slice(0, slash), 'PaxHeaders.0', text.slice(slash));
  const short = ascii(Buffer.from(path.replace(/\/$/, ''), 'latin1')).toString('latin1', 0, NAME_LENGTH);
  return Buffer.from(short.replace(/\/+$/, ''), 'latin1');
}
