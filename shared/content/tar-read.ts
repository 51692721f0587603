import { Failure } from '../host/index.ts';
import { nameFromBytes } from './bytes.ts';
import type { TarEntry } from './tar-entry.ts';
import { BLOCK, type Header, HeaderFault, parseHeader } from './tar-header.ts';
import { type PaxRecords, parseRecords, recordNumber } from './tar-pax.ts';
import { ByteSource } from './tar-source.ts';
import { expand, gnuSparseMap, paxSparseMap, type SparseMap } from './tar-sparse.ts';
import { padding } from './tar-write.ts';

/** A member as it is read. `content` can be read once, and only until the next member is asked for; what is not read is skipped. */
export interface TarReading {
  readonly entry: TarEntry;
  readonly content: AsyncIterable<Buffer>;
}

/** Bytes that an extended header or a long name may have: what Go's archive/tar grants, far above any real one. */
const LONGEST_HEADER = 2 ** 20;
const ZERO_BLOCK = Buffer.alloc(BLOCK);

const TYPE: Readonly<Record<string, TarEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  D: 'directory',
  '6': 'fifo',
};

/**
 * The members of a tar archive, in order: ustar, PAX with global headers, GNU long names, base-256 numbers and all its sparse
 * formats (whose content is given in full), star, and V7. Names lose a leading `./` and trailing slashes and nothing else (the
 * root itself is the empty name): see safeRelative before using one as a path. The source is read to its end, behind the mark
 * that ends the archive too, so that whatever verifies it sees every byte; it is closed when the reader stops early. Throws a
 * Failure for an archive that is damaged or cut short. An archive without an end mark is accepted where it ends between members.
 */
export async function* readTar(source: AsyncIterable<Uint8Array>): AsyncGenerator<TarReading> {
  const bytes = new ByteSource(source);
  const extensions = new Extensions();
  let start = 0;
  try {
    for (;;) {
      start = bytes.offset;
      const block = bytes.take(BLOCK) ?? (await bytes.upTo(BLOCK));
      if (block.length === 0) return;
      if (block.length < BLOCK) throw cutShort(bytes.offset);
      if (block[0] === 0 && block.equals(ZERO_BLOCK)) break;
      const header = parseHeader(block);
      if (await extensions.take(header, bytes)) continue;
      const member = await memberOf(header, block, extensions.next(), bytes);
      if (member === undefined) continue;
      yield member.reading;
      await member.skip();
    }
    await readEnd(bytes);
  } catch (error) {
    if (!(error instanceof HeaderFault)) throw error;
    throw new Failure(`The tar archive is damaged at byte ${start}: ${error.message}.`, { cause: error });
  } finally {
    await bytes.close();
  }
}

function cutShort(offset: number, name?: string): Failure {
  const inside = name === undefined ? '' : `, inside "${name}"`;
  return new Failure(`The tar archive is cut short: it ends at byte ${offset}${inside}.`);
}

async function readEnd(bytes: ByteSource): Promise<void> {
  const second = await bytes.upTo(BLOCK);
  if (second.length === BLOCK && !second.equals(ZERO_BLOCK))
    throw new HeaderFault('a single block of zeros is followed by more');
  while ((await bytes.some(Number.MAX_SAFE_INTEGER)) !== undefined);
}

/** Headers that speak of the members behind them: PAX records, global ones, and GNU's long names. */
class Extensions {
  #global: PaxRecords = new Map();
  #local = new Map<string, Buffer>();

  /** Whether the header was such a one, which is then read with its body. */
  async take(header: Header, bytes: ByteSource): Promise<boolean> {
    const { flag } = header;
    if (!'xXgLK'.includes(flag)) return false;
    const body = await wholeBody(header, bytes);
    if (flag === 'x' || flag === 'X')
      for (const [keyword, value] of parseRecords(body)) this.#local.set(keyword, value);
    else if (flag === 'g') this.#global = new Map([...this.#global, ...parseRecords(body)]);
    else this.#local.set(flag === 'L' ? 'path' : 'linkpath', untilNul(body));
    return true;
  }

  /** What holds for the member that comes next. An empty value takes back a record. */
  next(): PaxRecords {
    if (this.#global.size === 0 && this.#local.size === 0) return this.#global;
    const records = new Map([...this.#global, ...this.#local].filter(([, value]) => value.length > 0));
    this.#local = new Map();
    return records;
  }
}

async function wholeBody(header: Header, bytes: ByteSource): Promise<Buffer> {
  const { size } = header;
  if (size < 0 || size > LONGEST_HEADER) throw new HeaderFault(`an extended header claims ${size} bytes`);
  const body = await bytes.upTo(size + padding(size));
  if (body.length < size) throw cutShort(bytes.offset);
  return body.subarray(0, size);
}

function untilNul(body: Buffer): Buffer {
  const end = body.indexOf(0);
  return Buffer.from(end === -1 ? body : body.subarray(0, end));
}

async function memberOf(
  header: ReturnType<typeof parseHeader>,
  block: Buffer,
  records: PaxRecords,
  bytes: ByteSource,
): Promise<{ reading: TarReading; skip: () => Promise<void> } | undefined> {
  const plain = entryOf(header, records);
  const bodiless = plain !== undefined && plain.type !== 'file' && header.flag !== 'D';
  const stored = bodiless ? 0 : numberOf(records, 'size', header.size);
  if (stored < 0) throw new HeaderFault(`the size ${stored} is negative`);
  const body = new Body(bytes, stored, plain?.name ?? '');
  const map = plain?.type === 'file' ? await sparseMapOf(header, block, records, body, bytes) : undefined;
  if (plain === undefined) {
    await body.skip();
    return undefined;
  }
  const size = plain.type === 'file' ? (map?.size ?? stored) : 0;
  return {
    reading: {
      entry: { ...plain, size },
      content:
        plain.type !== 'file' ? NO_CONTENT : map === undefined ? body.read() : expand(map, body.read()),
    },
    skip: () => body.skip(),
  };
}

const NO_CONTENT: AsyncIterable<Buffer> = {
  async *[Symbol.asyncIterator]() {},
};

async function sparseMapOf(
  header: ReturnType<typeof parseHeader>,
  block: Buffer,
  records: PaxRecords,
  body: Body,
  bytes: ByteSource,
): Promise<SparseMap | undefined> {
  if (header.flag === 'S' && header.dialect === 'gnu')
    return await gnuSparseMap(Buffer.from(block), body.remaining, (count) => exactly(bytes, count));
  if (header.flag === 'S') throw new HeaderFault('a sparse file in a format other than GNU');
  return await paxSparseMap(records, body.remaining, (count) => body.take(count));
}

async function exactly(bytes: ByteSource, count: number): Promise<Buffer> {
  const taken = bytes.take(count) ?? (await bytes.upTo(count));
  if (taken.length < count) throw cutShort(bytes.offset);
  return taken;
}

/** The member, its size still open; undefined for one that says something about the archive alone (a label, an access list). */
function entryOf(header: Header & { dialect: string }, records: PaxRecords): TarEntry | undefined {
  const type = TYPE[header.flag];
  if (type === undefined && 'VA'.includes(header.flag)) return undefined;
  const rawName = nameBytes(header, records);
  if (type === undefined)
    throw new HeaderFault(`"${nameFromBytes(rawName)}" has the unknown type "${printable(header.flag)}"`);
  // Archives from before there was a type for directories mark them by a trailing slash.
  const directory = header.flag === '\0' && rawName.at(-1) === 0x2f;
  const linked = type === 'symlink' || type === 'hardlink';
  const linkname = nameFromBytes(withoutNul(records.get('linkpath') ?? header.linkname));
  const device = type === 'character' || type === 'block';
  const xattrs = xattrsOf(records);
  return {
    name: plainName(nameFromBytes(rawName)),
    type: directory ? 'directory' : type,
    mode: header.mode & 0o7777,
    uid: numberOf(records, 'uid', header.uid),
    gid: numberOf(records, 'gid', header.gid),
    size: 0,
    mtime: numberOf(records, 'mtime', header.mtime),
    ...(linked && { linkname: type === 'hardlink' ? plainName(linkname) : linkname }),
    ...(device && { device: { major: header.major, minor: header.minor } }),
    ...(xattrs !== undefined && { xattrs }),
  };
}

function nameBytes(header: Header, records: PaxRecords): Uint8Array {
  const record = records.get('GNU.sparse.name') ?? records.get('path');
  if (record !== undefined) return withoutNul(record);
  return header.prefix.length === 0
    ? header.name
    : Buffer.concat([header.prefix, Buffer.from('/'), header.name]);
}

function withoutNul(name: Uint8Array): Uint8Array {
  if (name.includes(0)) throw new HeaderFault('a name holds a NUL byte');
  return name;
}

function plainName(name: string): string {
  if (!name.startsWith('.') && !name.endsWith('/')) return name;
  return name
    .replace(/^(\.\/+)+/, '')
    .replace(/^\.$/, '')
    .replace(/\/+$/, '');
}

function printable(flag: string): string {
  return /^[!-~]$/.test(flag) ? flag : `\\x${flag.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

function numberOf(records: PaxRecords, keyword: string, fallback: number): number {
  const record = records.get(keyword);
  return record === undefined ? fallback : recordNumber(keyword, record);
}

function xattrsOf(records: PaxRecords): Record<string, Uint8Array> | undefined {
  const named = [...records].filter(([keyword]) => keyword.startsWith('SCHILY.xattr.'));
  if (named.length === 0) return undefined;
  return Object.fromEntries(named.map(([keyword, value]) => [keyword.slice('SCHILY.xattr.'.length), value]));
}

/** The bytes of one member that are still to come. */
class Body {
  remaining: number;
  readonly #bytes: ByteSource;
  readonly #padding: number;
  readonly #name: string;
  #left = false;

  constructor(bytes: ByteSource, size: number, name: string) {
    this.#bytes = bytes;
    this.remaining = size;
    this.#padding = padding(size);
    this.#name = name;
  }

  async take(count: number): Promise<Buffer> {
    const taken = await exactly(this.#bytes, count);
    this.remaining -= count;
    return taken;
  }

  async *read(): AsyncGenerator<Buffer> {
    while (this.remaining > 0) yield await this.#some();
    if (this.#left) throw new Error(`"${this.#name}" was read after the archive had moved on`);
  }

  async #some(): Promise<Buffer> {
    const chunk = this.#bytes.takeSome(this.remaining) ?? (await this.#bytes.some(this.remaining));
    if (chunk === undefined) throw cutShort(this.#bytes.offset, this.#name);
    this.remaining -= chunk.length;
    return chunk;
  }

  /** Passes over what was not read, and over the padding, which the last member of an archive may lack. */
  async skip(): Promise<void> {
    while (this.remaining > 0) await this.#some();
    this.#left = true;
    if (this.#padding > 0 && this.#bytes.take(this.#padding) === undefined)
      await this.#bytes.upTo(this.#padding);
  }
}
