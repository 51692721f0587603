import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  lstatSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../../../../shared/host/index.ts';
import { createContents } from '../../../../shared/image/files/contents.ts';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { diskTree } from '../../../../shared/image/files/disk.ts';
import type { RegularFile } from '../../../../shared/image/files/tree.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'contents-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

const contents = createContents('', () => {
  throw new Error('no archives');
});

/** A file of a folder, with its name in keys. */
function named(path: string): { readonly file: RegularFile; readonly name: string; readonly read: number } {
  const digests = openDigests();
  const tree = diskTree(folder, undefined, undefined, digests.blobs);
  const file = tree.children.get(path) as RegularFile;
  return { file, name: digests.name(file), read: digests.blobs.counts.read };
}

async function collect(chunks: AsyncIterable<Uint8Array>, copy = false): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(copy ? Buffer.from(chunk) : chunk);
  return Buffer.concat(all);
}

const sizes = [0, 1, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * 2 ** 20 + 5];
const noise = (size: number) => Buffer.from(Array.from({ length: size }, (_, at) => (at * 7919) >> 3));

describe('a file that is as it was named', () => {
  it.each(sizes)('gives its %i bytes, lent or kept', async (size) => {
    writeFileSync(join(folder, 'file'), noise(size));
    const { file, name } = named('file');
    expect(await collect(contents.open(file, name))).toEqual(noise(size));
    expect(await collect(contents.lend(file, name), true)).toEqual(noise(size));
  });

  it('may be read by several at one time', async () => {
    writeFileSync(join(folder, 'file'), noise(2 ** 20));
    writeFileSync(join(folder, 'other'), noise(2 ** 20).reverse());
    const [one, two] = await Promise.all(
      ['file', 'other', 'file', 'other'].map((path) => collect(contents.lend(named(path).file), true)),
    );
    expect(one).toEqual(noise(2 ** 20));
    expect(two).toEqual(noise(2 ** 20).reverse());
  });

  it('may be left unread', async () => {
    writeFileSync(join(folder, 'file'), noise(2 ** 20));
    const { file, name } = named('file');
    for await (const chunk of contents.lend(file, name)) {
      expect(chunk.length).toBe(256 * 1024);
      break;
    }
    expect(await collect(contents.lend(file, name), true)).toEqual(noise(2 ** 20));
  });
});

describe('a file that changed since it was named', () => {
  it.each<[string, (path: string, size: number) => void]>([
    ['other bytes', (path, size) => writeFileSync(path, Buffer.alloc(size, 'x'))],
    ['more bytes', (path) => appendFileSync(path, 'x')],
    ['fewer bytes', (path, size) => writeFileSync(path, noise(size - 1))],
    ['no bytes', (path) => writeFileSync(path, '')],
    ['nothing at all', (path) => rmSync(path)],
    [
      'other bytes and the old time',
      (path, size) => keepTime(path, () => writeFileSync(path, Buffer.alloc(size, 'y'))),
    ],
  ])('is refused with %s', async (_, change) => {
    for (const size of [1000, 2 ** 20]) {
      const path = join(folder, 'file');
      writeFileSync(path, noise(size));
      const { file, name } = named('file');
      change(path, size);
      const read = collect(contents.lend(file, name));
      await expect(read).rejects.toThrow(Failure);
      await expect(read).rejects.toThrow(`${path} changed while the image was being made`);
    }
  });

  function keepTime(path: string, change: () => void): void {
    const { atime, mtime } = lstatSync(path);
    change();
    utimesSync(path, atime, mtime);
  }

  it('is refused when Git named it, too', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'one');
    await tracked();
    const { file, name, read } = named('file');
    expect(read).toBe(0);
    writeFileSync(path, 'two');
    await expect(collect(contents.open(file, name))).rejects.toThrow(/changed while/);
  });
});

describe('an index that is wrong about a file', () => {
  it('is told of, with what mends it', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'one\r\ntwo\r\n');
    // Older by more than a second, for many a Git looks again at whatever was written in the second of its index.
    utimesSync(path, 1, 1);
    writeFileSync(join(folder, '.gitattributes'), '* text\n');
    await tracked();
    // Git now says that the file is clean and that its lines end as they do in the repository, which nothing can tell any more.
    rmSync(join(folder, '.gitattributes'));
    git('rm', '--quiet', '--cached', '.gitattributes');
    const { file, name, read } = named('file');
    expect(read).toBe(0);
    await expect(collect(contents.open(file, name))).rejects.toThrow(/does not hold what Git's index says/);
    utimesSync(path, 2, 2);
    const again = named('file');
    expect(again.read).toBe(1);
    expect(String(await collect(contents.open(again.file, again.name)))).toBe('one\r\ntwo\r\n');
  });
});

function git(...args: string[]): void {
  const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
  execFileSync('git', args, { cwd: folder, env, stdio: 'ignore' });
}

async function tracked(): Promise<void> {
  await sleep(40);
  git('init', '--quiet');
  git('add', '--all');
}
