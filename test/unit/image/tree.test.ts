import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { TarEntry } from '../../../shared/content/index.ts';
import { digestOf } from '../../../shared/content/index.ts';
import { applyLayers, type IndexedLayer } from '../../../shared/image/files/base.ts';
import { takeLayer } from '../../../shared/image/files/layer.ts';
import { indexMembers, layerIndex } from '../../../shared/image/files/layer-index.ts';
import {
  type Directory,
  fileSystem,
  follow,
  lookup,
  makeDirectories,
  put,
  type RegularFile,
  walk,
} from '../../../shared/image/files/tree.ts';

const own = { uid: 0, gid: 0, mtime: 0 };
const file = (name: string, text = name, mode = 0o644): [TarEntry, string] => [
  { ...own, name, type: 'file', mode, size: text.length },
  text,
];
const folder = (name: string, mode = 0o755): [TarEntry, string] => [
  { ...own, name, type: 'directory', mode, size: 0 },
  '',
];
const link = (
  name: string,
  linkname: string,
  type: 'symlink' | 'hardlink' = 'symlink',
): [TarEntry, string] => [{ ...own, name, type, mode: 0o777, size: 0, linkname }, ''];

async function* members(entries: readonly [TarEntry, string][]) {
  for (const [entry, text] of entries)
    yield {
      entry,
      content: (async function* () {
        yield Buffer.from(text);
      })(),
    };
}

async function layer(...entries: [TarEntry, string][]): Promise<IndexedLayer> {
  const descriptor = { mediaType: 'x', digest: digestOf(JSON.stringify(entries)), size: 1 };
  return { image: 'base', descriptor, index: await indexMembers(members(entries)) };
}

function names(root: Directory): string[] {
  return [...walk(root)].map(({ path, node }) =>
    node.type === 'symlink' ? `${path} -> ${node.target}` : `${path}${node.type === 'directory' ? '/' : ''}`,
  );
}

describe('layers of a base', () => {
  it('are applied in order: whiteouts remove, opaque folders hide what was below', async () => {
    const root = applyLayers([
      await layer(
        folder('a'),
        file('a/one'),
        file('a/two'),
        folder('b'),
        file('b/old'),
        folder('b/sub'),
        file('b/sub/old'),
      ),
      await layer(
        file('a/.wh.one'),
        file('a/three'),
        file('b/new'),
        file('b/.wh..wh..opq'),
        folder('b/sub'),
        file('b/sub/new'),
      ),
    ]);
    expect(names(root)).toEqual(['a/', 'a/three', 'a/two', 'b/', 'b/new', 'b/sub/', 'b/sub/new']);
  });

  it('write through links of the layers below them, and replace files by folders and back', async () => {
    const root = applyLayers([
      await layer(
        folder('usr'),
        folder('usr/bin'),
        link('bin', 'usr/bin'),
        file('x'),
        folder('y'),
        file('y/z'),
      ),
      await layer(file('bin/tool'), folder('x'), file('x/in'), file('y')),
    ]);
    expect(names(root)).toEqual(['bin -> usr/bin', 'usr/', 'usr/bin/', 'usr/bin/tool', 'x/', 'x/in', 'y']);
  });

  it('keep hard links one file, folders their children under new metadata, and make parents that are missing', async () => {
    const root = applyLayers([
      await layer(file('deep/a'), link('b', 'deep/a', 'hardlink')),
      await layer(folder('deep', 0o700)),
    ]);
    expect(lookup(root, 'b')).toBe(lookup(root, 'deep/a'));
    expect(lookup(root, 'deep')).toMatchObject({ type: 'directory', mode: 0o700 });
  });

  it('are indexed once, and again when the index was damaged', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'slipway-index-'));
    let read = 0;
    const digest = digestOf('layer');
    const index = () =>
      layerIndex(digest, directory, () => {
        read++;
        return members([file('etc/passwd', 'root:x:0:0'), file('bin', 'x'.repeat(100))]);
      });
    const first = await index();
    expect(await index()).toEqual(first);
    expect(read).toBe(1);
    expect(first[0]).toMatchObject({ text: 'root:x:0:0', digest: digestOf('root:x:0:0') });
    expect(first[1]!.text).toBeUndefined();
    writeFileSync(join(directory, 'layers', readdirSync(join(directory, 'layers'))[0]!), 'garbage');
    expect(await index()).toEqual(first);
    expect(read).toBe(2);
    rmSync(directory, { recursive: true });
    expect(existsSync(directory)).toBe(false);
  });
});

describe('links', () => {
  it('are followed inside the root alone', async () => {
    const root = applyLayers([
      await layer(
        folder('a'),
        folder('a/b'),
        file('a/b/c'),
        link('up', '../../../a'),
        link('abs', '/a/b'),
        link('a/rel', '../abs/c'),
        link('dangling', 'no/where'),
      ),
    ]);
    expect(follow(root, 'up/b/c')).toBe('a/b/c');
    expect(follow(root, '/abs/c')).toBe('a/b/c');
    expect(follow(root, 'a/rel')).toBe('a/b/c');
    expect(follow(root, 'dangling/x')).toBe('no/where/x');
    expect(follow(root, '../../a/./b//c')).toBe('a/b/c');
    expect(() => follow(root, 'a/b/c/d')).toThrow('/a/b/c is a file in the image');
  });

  it('in a circle are a sentence', async () => {
    const root = applyLayers([await layer(link('a', 'b'), link('b', 'a'))]);
    expect(() => follow(root, 'a')).toThrow('they form a loop');
  });
});

describe('a layer of our own', () => {
  const node = (text: string): RegularFile => ({
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: text.length,
    content: { kind: 'bytes', bytes: Buffer.from(text), digest: digestOf(text) },
  });

  it('has the folders above a change with their own metadata, once, before what they hold', async () => {
    const base = applyLayers([
      await layer(folder('srv', 0o711), folder('srv/app', 0o2775), file('srv/app/old')),
    ]);
    const fs = fileSystem(base);
    put(fs, 'srv/app/new', node('n'));
    makeDirectories(fs, 'srv/app/d/e', { mode: 0o755, uid: 7, gid: 8 });
    const entries = takeLayer(fs, 42).map(
      ({ entry }) => `${entry.name} ${entry.mode.toString(8)} ${entry.uid} ${entry.mtime}`,
    );
    expect(entries).toEqual([
      'srv 711 0 42',
      'srv/app 2775 0 42',
      'srv/app/d 755 7 42',
      'srv/app/d/e 755 7 42',
      'srv/app/new 644 0 42',
    ]);
    expect(takeLayer(fs, 42)).toEqual([]);
    expect(lookup(base, 'srv/app/new')).toBeUndefined();
  });

  it('says that a folder that took the place of a folder is a new one', async () => {
    const fs = fileSystem(applyLayers([await layer(folder('d'), file('d/old'))]));
    put(fs, 'd', node('file'));
    makeAgain(fs);
    const entries = takeLayer(fs, 0).map(({ entry }) => entry.name);
    expect(entries).toEqual(['d', 'd/.wh..wh..opq', 'd/new']);
  });

  function makeAgain(fs: ReturnType<typeof fileSystem>): void {
    put(fs, 'd', { type: 'directory', mode: 0o755, uid: 0, gid: 0, children: new Map() });
    put(fs, 'd/new', node('new'));
  }

  it('holds names of one file as hard links', () => {
    const fs = fileSystem();
    const same = node('same');
    put(fs, 'b', same);
    put(fs, 'a', same);
    expect(takeLayer(fs, 0).map(({ entry }) => [entry.name, entry.type, entry.linkname])).toEqual([
      ['a', 'file', undefined],
      ['b', 'hardlink', 'a'],
    ]);
  });
});
