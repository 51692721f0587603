import { describe, expect, it } from 'vitest';
import {
  nameFromBytes,
  readTar,
  safeRelative,
  type TarEntry,
  writeTar,
} from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';

const file = (name: string, size: number, more: Partial<TarEntry> = {}): TarEntry => ({
  name,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size,
  mtime: 0,
  ...more,
});

async function* chunks(...parts: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

const archive = (...members: [TarEntry, (string | Uint8Array)?][]) =>
  bytesOf(
    writeTar(
      members.map(([entry, content = '']) => ({
        entry,
        content: () => chunks(Buffer.from(content as string)),
      })),
    ),
  );

/** The archive cut into chunks of `step` bytes, so that no boundary is where the reader would like it. */
async function listed(bytes: Uint8Array, step = bytes.length || 1) {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += step) parts.push(bytes.subarray(at, at + step));
  const found: { entry: TarEntry; content: string }[] = [];
  for await (const { entry, content } of readTar(chunks(...parts)))
    found.push({ entry, content: (await bytesOf(content)).toString('latin1') });
  return found;
}

/** Writes the right checksum into a header that a test has changed. */
function resum(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

const long = `${'deep/'.repeat(40)}leaf`;

const MEMBERS: [string, TarEntry, (string | Uint8Array)?][] = [
  ['a plain file', file('a.txt', 5), 'hello'],
  ['an empty file', file('empty', 0)],
  ['a directory', file('dir', 0, { type: 'directory', mode: 0o1777 })],
  ['the root', file('', 0, { type: 'directory', mode: 0o755 })],
  ['a symbolic link out', file('l', 0, { type: 'symlink', mode: 0o777, linkname: '../../etc/passwd' })],
  ['a hard link', file('h', 0, { type: 'hardlink', linkname: 'a.txt' })],
  ['a device', file('dev/null', 0, { type: 'character', device: { major: 1, minor: 3 } })],
  ['a block device', file('dev/sda', 0, { type: 'block', device: { major: 8, minor: 0 } })],
  ['a fifo', file('pipe', 0, { type: 'fifo' })],
  ['setuid', file('su', 1, { mode: 0o4755 }), 'x'],
  ['a name that is split', file(`${'d'.repeat(80)}/${'f'.repeat(90)}`, 1), 'x'],
  ['a name too long for ustar', file(long, 3), 'abc'],
  ['a name of 300 characters without a slash', file('n'.repeat(300), 1), 'x'],
  ['a long link target', file('l', 0, { type: 'symlink', linkname: 't'.repeat(120) })],
  ['letters beyond ASCII', file('grün/日本.txt', 1), 'x'],
  ['a name that is not UTF-8', file(nameFromBytes(Buffer.from([0x61, 0xff, 0xfe, 0x62])), 1), 'x'],
  ['large owners', file('o', 0, { uid: 4_000_000_000, gid: 2_097_152 })],
  ['a time before 1970', file('t', 0, { mtime: -5 })],
  ['a time after 2242', file('t', 0, { mtime: 8 ** 11 })],
  [
    'attributes',
    file('ping', 1, { xattrs: { 'security.capability': Buffer.from([1, 0, 0, 2, 10, 61]) } }),
    'x',
  ],
  ['exactly one block', file('b', 512), 'b'.repeat(512)],
  ['content of several chunks', file('c', 70_000), 'c'.repeat(70_000)],
  ['a name with a dot in front', file('.hidden', 1), 'x'],
  ['a name with two dots in front', file('..data', 1), 'x'],
];

describe('a tar archive', () => {
  it.each(MEMBERS)('carries %s', async (_, entry, content = '') => {
    const bytes = await archive([file('before', 3), 'abc'], [entry, content], [file('after', 1), 'z']);
    expect(bytes.length % 512).toBe(0);
    const found = await listed(bytes);
    expect(found.map(({ entry: { name } }) => name)).toEqual(['before', entry.name, 'after']);
    const xattrs = entry.xattrs && { xattrs: entry.xattrs };
    expect(found[1]).toEqual({
      entry: { ...entry, ...xattrs },
      content: Buffer.from(content as string).toString('latin1'),
    });
  });

  it.each([1, 7, 511, 513, 100_000])('reads the same in chunks of %i bytes', async (step) => {
    const bytes = await archive(
      ...MEMBERS.map(([, entry, content = '']): [TarEntry, string | Uint8Array] => [entry, content]),
    );
    expect(await listed(bytes, step)).toEqual(await listed(bytes));
  });

  it('is the same bytes however the content was cut', async () => {
    const content = Buffer.alloc(100_000, 'abc');
    const whole = await bytesOf(writeTar([{ entry: file('f', 100_000), content: () => chunks(content) }]));
    const cut = await bytesOf(
      writeTar([
        {
          entry: file('f', 100_000),
          content: () =>
            chunks(content.subarray(0, 1), content.subarray(1, 60_000), content.subarray(60_000)),
        },
      ]),
    );
    expect(cut.equals(whole)).toBe(true);
  });

  it.each([
    ['less', 4, 'only 3'],
    ['more', 2, 'more'],
  ])('refuses %s content than announced', async (_, size, came) => {
    await expect(archive([file('f', size), 'abc'])).rejects.toThrow(
      `The file "f" changed while it was read: ${size} bytes were announced and ${came} came.`,
    );
  });

  it('skips what its reader leaves unread and closes the source when the reader stops', async () => {
    let closed = false;
    const bytes = await archive(
      [file('a', 2000), 'a'.repeat(2000)],
      [file('b', 1), 'b'],
      [file('c', 1), 'c'],
    );
    async function* source() {
      try {
        for (let at = 0; at < bytes.length; at += 100) yield bytes.subarray(at, at + 100);
      } finally {
        closed = true;
      }
    }
    const names: string[] = [];
    for await (const { entry } of readTar(source())) {
      names.push(entry.name);
      if (entry.name === 'b') break;
    }
    expect(names).toEqual(['a', 'b']);
    expect(closed).toBe(true);
  });

  it('reads its source to the end, behind the end mark too', async () => {
    let read = 0;
    const bytes = Buffer.concat([await archive([file('a', 1), 'a']), Buffer.alloc(20_000)]);
    async function* source() {
      for (let at = 0; at < bytes.length; at += 100) {
        read += Math.min(100, bytes.length - at);
        yield bytes.subarray(at, at + 100);
      }
    }
    for await (const _ of readTar(source()));
    expect(read).toBe(bytes.length);
  });

  it('refuses content that is read too late', async () => {
    const bytes = await archive([file('a', 3), 'abc'], [file('b', 1), 'b']);
    const contents: AsyncIterable<Buffer>[] = [];
    for await (const { content } of readTar(chunks(bytes))) contents.push(content);
    await expect(bytesOf(contents[0]!)).rejects.toThrow('read after the archive had moved on');
  });
});

describe('old and foreign archives', () => {
  it('reads V7 headers, whose directories end with a slash', async () => {
    const bytes = await archive([file('old', 0)]);
    bytes.fill(0, 156, 512);
    bytes.write('old/\0', 0, 'latin1');
    resum(bytes);
    expect((await listed(bytes))[0]!.entry).toMatchObject({ name: 'old', type: 'directory' });
  });

  it('takes a checksum of signed bytes', async () => {
    const bytes = await archive([file('x', 0)]);
    bytes[1] = 0xe9;
    let sum = 8 * 32;
    for (let i = 0; i < 512; i++) if (i < 148 || i > 155) sum += (bytes[i]! << 24) >> 24;
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    expect((await listed(bytes))[0]!.entry.name).toBe(nameFromBytes(Buffer.from([0x78, 0xe9])));
  });

  it('reads numbers in base 256', async () => {
    const bytes = await archive([file('x', 0)]);
    bytes.set([0x80, 0, 0, 0, 0xee, 0x6b, 0x28, 0], 108);
    bytes.set([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf6], 136);
    expect((await listed(resum(bytes)))[0]!.entry).toMatchObject({ uid: 4_000_000_000, mtime: -10 });
  });

  it('lets global records hold for all that follows, until a local one says otherwise', async () => {
    const records = Buffer.alloc(512);
    records.write('11 uid=500\n');
    const header = (await archive([file('pax_global_header', 11), records.subarray(0, 11)])).subarray(0, 512);
    header.write('g', 156);
    const rest = await archive([file('a', 0)], [file('b', 0, { uid: 3_000_000 })], [file('c', 0)]);
    const found = await listed(Buffer.concat([resum(header), records, rest]));
    expect(found.map(({ entry }) => entry.uid)).toEqual([500, 3_000_000, 500]);
  });
});

/** A change of the archive of one member, and what its reader then says. `edit` may change the header in place. */
const damaged: [string, (bytes: Buffer) => unknown, string][] = [
  ['a wrong checksum', (b) => cut(b.fill('z', 0, 1)), 'at byte 0: the checksum of the header is wrong'],
  ['text that is no archive', () => cut(Buffer.alloc(1024, 'x')), 'at byte 0: "xxxxxxxx" is no number'],
  ['a cut header', (b) => cut(b.subarray(0, 300)), 'cut short: it ends at byte 300'],
  ['a cut content', (b) => cut(b.subarray(0, 514)), 'cut short: it ends at byte 514, inside "a"'],
  ['an unknown type', (b) => b.write('Z', 156), '"a" has the unknown type "Z"'],
  ['a letter in a number', (b) => b.write('00x0000\0', 108), '"00x0000" is no number'],
  ['a negative size', (b) => b.fill(0xff, 124, 136), 'the size -1 is negative'],
  ['a size beyond all bounds', (b) => b.set([0x80, 0, 0x7f], 124), 'is beyond all bounds'],
  [
    'an extended header that claims gigabytes',
    (b) => b.write('x', 156) + b.write('77777777777\0', 124),
    'an extended header claims 8589934591 bytes',
  ],
  [
    'a malformed record',
    (b) => b.write('x', 156) + b.write('99 path=\n', 512),
    'an extended header record is malformed',
  ],
  [
    'more behind a zero block',
    (b) => cut(Buffer.concat([Buffer.alloc(512), b])),
    'a single block of zeros is followed by more',
  ],
];

/** Marks bytes that stand as they are; anything else was an edit in place, whose checksum is to be right. */
const cut = (bytes: Buffer) => ({ bytes });

function apply(bytes: Buffer, edit: (bytes: Buffer) => unknown): Buffer {
  const result = edit(bytes);
  return typeof result === 'object' && result !== null && Object.hasOwn(result, 'bytes')
    ? (result as { bytes: Buffer }).bytes
    : resum(bytes);
}

describe('a damaged archive', () => {
  it.each(damaged)('is refused for %s', async (_, damage, sentence) => {
    const bytes = apply(await archive([file('a', 9), 'content!!']), damage);
    const error = await listed(bytes).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).message).toContain(sentence);
  });
});

/** An archive of one file behind an extended header with these records. */
async function extended(records: Record<string, string>, content: string): Promise<Buffer> {
  const body = Object.entries(records)
    .map(([keyword, value]) => {
      const rest = ` ${keyword}=${value}\n`;
      const length = rest.length + String(rest.length + 2).length;
      return `${length}${rest}`;
    })
    .join('');
  const header = (await archive([file('pax', body.length), body])).subarray(
    0,
    512 + Math.ceil(body.length / 512) * 512,
  );
  header.write('x', 156);
  resum(header);
  return Buffer.concat([
    header,
    await archive([file('stored', content.length), content], [file('after', 1), 'z']),
  ]);
}

describe('a sparse file', () => {
  const records = (map: string, size = 20) => ({
    'GNU.sparse.name': 'real',
    'GNU.sparse.realsize': String(size),
    'GNU.sparse.map': map,
  });

  it('is given in full, under its own name', async () => {
    const found = await listed(await extended(records('2,3,10,2'), 'abcde'));
    expect(found.map(({ entry }) => [entry.name, entry.size])).toEqual([
      ['real', 20],
      ['after', 1],
    ]);
    expect(found[0]!.content).toBe('\0\0abc\0\0\0\0\0de'.padEnd(20, '\0'));
  });

  it.each([
    ['pieces that overlap', records('2,3,4,2'), 'overlap or lie outside'],
    ['a piece behind the end', records('18,5'), 'overlap or lie outside'],
    ['fewer bytes in its map than are there', records('2,3'), 'does not fit the bytes that are there'],
    ['more bytes in its map than are there', records('2,9'), 'does not fit the bytes that are there'],
    ['half a piece', records('2,3,4'), 'has an offset without a length'],
    ['a letter in its map', records('2,x'), '"x" in a sparse map is no number'],
    ['no size', { 'GNU.sparse.map': '0,5' }, 'a sparse file has no size'],
    [
      'a map in front that does not end',
      { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '20' },
      'a sparse map has no end',
    ],
  ])('with %s is refused', async (_, given, sentence) => {
    await expect(listed(await extended(given, 'abcde'))).rejects.toThrow(sentence);
  });
});

describe('safeRelative', () => {
  it.each([
    ['a/b', 'a/b'],
    ['a//b/./c/', 'a/b/c'],
    ['a/../b', 'b'],
    ['', ''],
    ['.', ''],
    ['..data/x', '..data/x'],
    ['../a', undefined],
    ['a/../../b', undefined],
    ['/etc/passwd', undefined],
    ['a\0b', undefined],
  ])('%j is %j', (name, expected) => {
    expect(safeRelative(name)).toBe(expected);
  });
});
