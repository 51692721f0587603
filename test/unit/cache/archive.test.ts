import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { compressFrame, encodeFooter, encodeIndex, FRAME } from '../../../shared/cache/archive.ts';
import { ArchiveError, pack, unpack } from '../../../shared/cache/index.ts';

let folder: string;
let archive: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'archive-'));
  archive = join(folder, 'entry.tar.zst');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, content: string | Buffer, mode = 0o644) => {
  const path = join(folder, 'in', name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  chmodSync(path, mode);
  return { name, path };
};
const out = (name = '') => join(folder, 'out', name);
const open = (limit = 1e9) => unpack(archive, out(), { limit });

describe('an archive', () => {
  it('gives back every file: empty, small, of the size of a frame, over several frames, with any name', async () => {
    const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/ä ü.txt`;
    const files = [
      put('empty', ''),
      put('a/empty-too', ''),
      put('a/small', 'hello'),
      put('exact', randomBytes(FRAME)),
      put('large', randomBytes(2 * FRAME + 17)),
      put('streamed', Buffer.alloc(33 * 2 ** 20, 'abcdefg')),
      put('z/program', '#!/bin/sh', 0o755),
      put(long, 'long'),
      put('zz-last', ''),
    ];
    const packed = await pack(files, archive);
    expect(packed.bytes).toBe(statSync(archive).size);
    expect((await open()).written).toBe(files.length);
    for (const { name, path } of files)
      expect(readFileSync(out(name)).equals(readFileSync(path)), name).toBe(true);
    expect(statSync(out('z/program')).mode & 0o777).toBe(0o755);
    expect(statSync(out('a/small')).mode & 0o777).toBe(0o644);
  });

  it('is a tar archive that other tools read', async () => {
    const files = [put('a/small', 'hello'), put('large', randomBytes(2 * FRAME + 5)), put('n/ü', 'x')];
    await pack(files, archive);
    mkdirSync(out(), { recursive: true });
    execFileSync('tar', ['--zstd', '-xf', archive, '-C', out()]);
    for (const { name, path } of files)
      expect(readFileSync(out(name)).equals(readFileSync(path)), name).toBe(true);
  });

  it('has the same bytes for the same content, whatever the order, the times and the owner', async () => {
    const files = [put('b', 'two'), put('a', 'one')];
    await pack(files, archive);
    const first = readFileSync(archive);
    await pack(files.toReversed(), archive);
    expect(readFileSync(archive).equals(first)).toBe(true);
  });

  it('leaves out what is gone or no file', async () => {
    symlinkSync('/etc/passwd', join(folder, 'link'));
    const { members } = await pack(
      [put('a', 'x'), { name: 'gone', path: join(folder, 'gone') }, { name: 'folder', path: folder }],
      archive,
    );
    expect(members.map(({ name }) => name)).toEqual(['a']);
  });

  it('may be empty', async () => {
    await pack([], archive);
    expect(await open()).toEqual({ members: [], written: 0 });
  });

  it('gives the times that are asked for', async () => {
    await pack([put('a', 'x')], archive);
    await unpack(archive, out(), { limit: 10, modified: new Date(86_400_000) });
    expect(statSync(out('a')).mtimeMs).toBe(86_400_000);
  });

  it('leaves a file of the same size alone and replaces a broken one, with nothing else left behind', async () => {
    await pack([put('a', 'right'), put('b', 'right')], archive);
    mkdirSync(out(), { recursive: true });
    writeFileSync(out('a'), 'there!'.slice(0, 5));
    writeFileSync(out('b'), 'rig');
    expect((await open()).written).toBe(1);
    expect(readFileSync(out('a'), 'utf8')).toBe('there');
    expect(readFileSync(out('b'), 'utf8')).toBe('right');
    expect(readdirSync(out()).sort()).toEqual(['a', 'b']);
  });
});

it('unpacking that is stopped in the middle of a file leaves nothing of it, and no open file', async () => {
  await pack([put('a', 'whole'), put('b', randomBytes(2 * FRAME))], archive);
  let frames = 0;
  const throwIfAborted = () => {
    if (++frames === 3) throw new Error('stopped');
  };
  const before = openFiles();
  await expect(
    unpack(archive, out(), { limit: 1e9, signal: { throwIfAborted } as AbortSignal }),
  ).rejects.toThrow('stopped');
  expect(readdirSync(out())).toEqual(['a']);
  expect(openFiles()).toBe(before);
});

/** Files below the test's folder that this process has open, where the system tells. */
function openFiles(): number {
  if (!existsSync('/proc/self/fd')) return 0;
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  }).length;
}

describe('an archive that was damaged', () => {
  beforeEach(() => pack([put('a', randomBytes(100_000)), put('b', 'x')], archive));

  it.each([
    ['an empty file', (size: number) => 0 * size],
    ['a cut head', () => 20],
    ['a cut half', (size: number) => size / 2],
    ['a missing last byte', (size: number) => size - 1],
  ])('is refused: %s', async (_, length) => {
    truncateSync(archive, Math.floor(length(statSync(archive).size)));
    await expect(open()).rejects.toThrow(ArchiveError);
    expect(existsSync(out())).toBe(false);
  });

  it('is refused for any byte that changed', async () => {
    const good = readFileSync(archive);
    for (let at = 0; at < good.length; at += Math.ceil(good.length / 60)) {
      const bad = Buffer.from(good);
      bad[at]! ^= 0x40;
      writeFileSync(archive, bad);
      await expect(open(), `byte ${at} of ${good.length}`).rejects.toThrow(ArchiveError);
    }
    expect(existsSync(out())).toBe(false);
  });

  it('is refused when it is something else', async () => {
    writeFileSync(archive, zstdCompressSync(randomBytes(5000)));
    await expect(open()).rejects.toThrow(/not written by Slipway/);
  });
});

describe('a planted archive, with a valid digest, is refused before anything is written', () => {
  const plant = async (index: unknown, raw = Buffer.alloc(2048)) => {
    const frame = await compressFrame(raw);
    const packed = await encodeIndex(index as never);
    const body = Buffer.concat([frame, packed]);
    const sha = createHash('sha256').update(body).digest();
    writeFileSync(archive, Buffer.concat([body, encodeFooter(sha, frame.length)]));
    return { length: frame.length, raw: raw.length };
  };
  const named = async (name: unknown) => {
    const { length, raw } = await plant({});
    await plant({
      frames: [{ length, raw }],
      members: [
        { name: 'first', size: 1, at: 0 },
        { name, size: 3, at: 512 },
      ],
    });
  };

  it('and an honest one of the same make is taken', async () => {
    await named('fine/name');
    expect((await open()).written).toBe(2);
  });

  it.each([
    '../escape',
    'a/../../escape',
    '/etc/cron.d/x',
    '..',
    '.',
    '',
    'a//b',
    'a/./b',
    'a/',
    'a\\..\\b',
    'C:/windows',
    'nul\0byte',
    'first',
    7,
    null,
  ])('for the name %j', async (name) => {
    await named(name);
    await expect(open()).rejects.toThrow(ArchiveError);
    expect(existsSync(out())).toBe(false);
    expect(existsSync(join(folder, 'escape'))).toBe(false);
  });

  it.each([
    ['a member beyond the end', [{ name: 'a', size: 4000, at: 0 }]],
    [
      'members that overlap, to grow without end',
      [
        { name: 'a', size: 1024, at: 0 },
        { name: 'b', size: 1024, at: 512 },
      ],
    ],
    ['a negative size', [{ name: 'a', size: -1, at: 0 }]],
    ['a fraction', [{ name: 'a', size: 0.5, at: 0 }]],
    ['no list', 'members'],
  ])('for %s', async (_, members) => {
    const { length, raw } = await plant({});
    await plant({ frames: [{ length, raw }], members });
    await expect(open()).rejects.toThrow(ArchiveError);
    expect(existsSync(out())).toBe(false);
  });

  it('for frames that are not where the index says, or unpack to more', async () => {
    const { length, raw } = await plant({});
    const members = [{ name: 'a', size: 1, at: 0 }];
    for (const frames of [
      [{ length: length + 1, raw }],
      [{ length, raw: 2 * FRAME }],
      [{ length, raw: 0 }],
      [],
    ]) {
      await plant({ frames, members });
      await expect(open(), JSON.stringify(frames)).rejects.toThrow(ArchiveError);
    }
    expect(existsSync(out())).toBe(false);
    await plant({ frames: [{ length, raw: 1000 }], members });
    await expect(open()).rejects.toThrow(ArchiveError);
    expect(readdirSync(out())).toEqual([]);
  });

  it('for a size over the limit', async () => {
    await pack([put('a', 'x'.repeat(1000))], archive);
    await expect(open(999)).rejects.toThrow('it unpacks to 1000 bytes, more than the 999 that are allowed');
    expect(existsSync(out())).toBe(false);
  });
});
