import { nameFromBytes } from './bytes.ts';

/** Headers, and everything else in an archive, come in blocks of this many bytes (POSIX.1-2024, pax, "ustar Interchange Format"). */
export const BLOCK = 512;

/** One header block as it is written: names are bytes, numbers are plain, the type is a character such as `0` or `x`. */
export interface Header {
  readonly flag: string;
  readonly name: Uint8Array;
  readonly prefix: Uint8Array;
  readonly linkname: Uint8Array;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly major: number;
  readonly minor: number;
}

/** Offset and length of each field. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  flag: [156, 1],
  linkname: [157, 100],
  magic: [257, 8],
  major: [329, 8],
  minor: [337, 8],
  prefix: [345, 155],
} as const;

export type NumericField = 'mode' | 'uid' | 'gid' | 'size' | 'mtime' | 'major' | 'minor';

/** Whether a number can be written as octal digits with a NUL behind them. */
export function fitsField(field: NumericField, value: number): boolean {
  return value >= 0 && value < 8 ** (FIELD[field][1] - 1);
}

/** Bytes that fit the name field and the prefix field. */
export const NAME_LENGTH = FIELD.name[1];
export const PREFIX_LENGTH = FIELD.prefix[1];

const PLAIN = ['mode', 'uid', 'gid', 'size', 'mtime'] as const;
/** Left empty in extended headers, as Go does. */
const DEVICE = ['major', 'minor'] as const;

/** The block of a header; numbers that do not fit are written as 0 and names are cut, for a PAX record then carries them. */
export function formatHeader(header: Header): Buffer {
  const block = Buffer.alloc(BLOCK);
  writeText(block, FIELD.name, header.name);
  writeText(block, FIELD.linkname, header.linkname);
  writeText(block, FIELD.prefix, header.prefix);
  for (const field of header.flag === 'x' ? PLAIN : [...PLAIN, ...DEVICE])
    writeOctal(block, FIELD[field], fitsField(field, header[field]) ? header[field] : 0);
  block.write(header.flag, FIELD.flag[0], 'latin1');
  block.write('ustar\x0000', FIELD.magic[0], 'latin1');
  block.write(`${checksums(block).unsigned.toString(8).padStart(6, '0')}\0 `, FIELD.checksum[0], 'latin1');
  return block;
}

function writeText(block: Buffer, [offset, length]: readonly [number, number], text: Uint8Array): void {
  block.set(text.subarray(0, length), offset);
  // A name cut behind a slash would be taken for a directory by readers that look at this field alone.
  if (text.length <= length) return;
  for (let last = offset + length - 1; last > offset && block[last] === 0x2f; last--) block[last] = 0;
}

function writeOctal(block: Buffer, [offset, length]: readonly [number, number], value: number): void {
  block.write(value.toString(8).padStart(length - 1, '0'), offset, 'latin1');
}

/** The sum of a header's bytes with its checksum field taken as spaces; old archives hold the sum of signed bytes. */
function checksums(block: Uint8Array): { unsigned: number; signed: number } {
  let unsigned = 8 * 0x20;
  let high = 0;
  const [start, length] = FIELD.checksum;
  for (let i = 0; i < BLOCK; i++) {
    if (i === start) i += length;
    const byte = block[i]!;
    unsigned += byte;
    high += byte >> 7;
  }
  return { unsigned, signed: unsigned - 256 * high };
}

/** Why a header cannot be read; the reader adds where. */
export class HeaderFault extends Error {}

export type Dialect = 'v7' | 'ustar' | 'star' | 'gnu';

/** The header in a block. Throws HeaderFault for a block that is no header. */
export function parseHeader(block: Buffer): Header & { readonly dialect: Dialect } {
  const dialect = dialectOf(block);
  const extended = dialect !== 'v7';
  return {
    dialect,
    flag: String.fromCharCode(block[FIELD.flag[0]]!),
    name: textField(block, FIELD.name),
    prefix: prefixOf(block, dialect),
    linkname: textField(block, FIELD.linkname),
    mode: numericField(block, FIELD.mode),
    uid: numericField(block, FIELD.uid),
    gid: numericField(block, FIELD.gid),
    size: numericField(block, FIELD.size),
    mtime: numericField(block, FIELD.mtime),
    major: extended ? numericField(block, FIELD.major) : 0,
    minor: extended ? numericField(block, FIELD.minor) : 0,
  };
}

function dialectOf(block: Buffer): Dialect {
  const wanted = numericField(block, FIELD.checksum);
  const { unsigned, signed } = checksums(block);
  if (wanted !== unsigned && wanted !== signed) throw new HeaderFault('the checksum of the header is wrong');
  const magic = block.toString('latin1', FIELD.magic[0], FIELD.magic[0] + FIELD.magic[1]);
  if (magic === 'ustar  \0') return 'gnu';
  if (!magic.startsWith('ustar\0')) return 'v7';
  return block.toString('latin1', 508, 512) === 'tar\0' ? 'star' : 'ustar';
}

function prefixOf(block: Buffer, dialect: Dialect): Uint8Array {
  const [offset, length] = FIELD.prefix;
  if (dialect === 'ustar') return textField(block, FIELD.prefix);
  if (dialect === 'star') return textField(block, [offset, 131]);
  if (dialect === 'gnu' && !isTimes(block, offset)) return textField(block, [offset, length]);
  return Buffer.alloc(0);
}

// Go before 1.8 wrote GNU headers with a prefix, where the format has two times of access and change. Images hold such layers.
function isTimes(block: Buffer, offset: number): boolean {
  if (block[offset] === 0 && block[offset + 12] === 0) return true;
  try {
    numericField(block, [offset, 12]);
    numericField(block, [offset + 12, 12]);
    return true;
  } catch {
    return /[^\x01-\x7f]/.test(textField(block, FIELD.prefix).toString('latin1'));
  }
}

function textField(block: Buffer, [offset, length]: readonly [number, number]): Buffer {
  const end = block.indexOf(0, offset);
  return block.subarray(offset, end === -1 ? offset + length : Math.min(end, offset + length));
}

/** A number in octal digits, or in GNU's base 256 where the first bit is set. */
export function numericField(block: Buffer, [offset, length]: readonly [number, number]): number {
  if (block[offset]! >= 0x80) return base256(block.subarray(offset, offset + length));
  let value = 0;
  let at = offset;
  const end = offset + length;
  const blank = (byte: number) => byte === 0x20 || byte === 0;
  while (at < end && blank(block[at]!)) at++;
  for (; at < end && !blank(block[at]!); at++) {
    const digit = block[at]! - 0x30;
    if (digit < 0 || digit > 7)
      throw new HeaderFault(
        `"${nameFromBytes(block.subarray(offset, end)).replaceAll('\0', '')}" is no number`,
      );
    value = value * 8 + digit;
  }
  return safe(value);
}

function base256(bytes: Buffer): number {
  const negative = (bytes[0]! & 0x40) !== 0;
  let value = BigInt(bytes[0]! & 0x3f) - (negative ? 0x40n : 0n);
  for (const byte of bytes.subarray(1)) value = value * 256n + BigInt(byte);
  return safe(Number(value));
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new HeaderFault(`the number ${value} is beyond all bounds`);
  return value;
}
