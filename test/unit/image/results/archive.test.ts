import { createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf, type TarEntry, type TarMember, writeTar } from '../../../../shared/content/index.ts';
import { Failure } from '../../../../shared/host/index.ts';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { type Directory, emptyDirectory } from '../../../../shared/image/files/tree.ts';
import { readArchive } from '../../../../shared/image/results/archive.ts';
import {
  contentDigest,
  holdsWhatItSays,
  membersOf,
  pathContents,
} from '../../../../shared/image/results/members.ts';
import { packTree } from '../../../../shared/image/results/pack.ts';
import { compress } from '../../../../shared/oci/index.ts';
import { fileOf, sampleTree } from './sample.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-archive-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function member(name: string, more: Partial<TarEntry> = {}, content = 'x'): TarMember {
  const type = more.type ?? 'file';
  const size = type === 'file' ? content.length : 0;
  const entry = { name, mode: 0o644, uid: 0, gid: 0, mtime: 0, size, ...more, type };
  if (type !== 'file') return { entry };
  async function* open() {
    yield Buffer.from(content);
  }
  return { entry, content: open };
}

async function write(members: readonly TarMember[]): Promise<{ file: string; folder: string }> {
  const folder = mkdtempSync(join(root, 'one-'));
  const file = join(folder, 'archive');
  await pipeline(Readable.from(compress(writeTar(members), 'zstd')), createWriteStream(file));
  return { file, folder: join(folder, 'files') };
}

describe('an archive of a stage’s files', () => {
  it('comes back as the tree that was written, plain or compressed', async () => {
    const packed = (await packTree(sampleTree(), ['/out'], openDigests()))!;
    const { file, folder } = await write(packed.members);
    const tree = await readArchive(file, folder);
    expect(await contentDigest(tree, openDigests())).toBe(packed.content);
    await pipeline(Readable.from(writeTar(packed.members)), createWriteStream(file));
    expect(await contentDigest(await readArchive(file, folder), openDigests())).toBe(packed.content);
  });

  it.each<[string, TarMember[], RegExp]>([
    ['climbs out', [member('ok'), member('../evil')], /"\.\.\/evil", which is no plain path/],
    ['climbs out further in', [member('a/../../evil')], /no plain path/],
    ['has an absolute name', [member('/etc/passwd')], /no plain path/],
    ['has the same name twice', [member('a'), member('b'), member('a')], /"a" twice/],
    [
      'has a device',
      [member('null', { type: 'character', device: { major: 1, minor: 3 } })],
      /character device/,
    ],
    ['has a pipe', [member('pipe', { type: 'fifo' })], /fifo device or pipe/],
    [
      'goes through a link',
      [member('l', { type: 'symlink', linkname: '/' }), member('l/etc/x')],
      /below a symlink/,
    ],
    ['goes through a file', [member('f'), member('f/x')], /below a file/],
    ['links to what is not in it', [member('h', { type: 'hardlink', linkname: '/etc/shadow' })], /hard link/],
    [
      'links to a link',
      [member('l', { type: 'symlink', linkname: 'x' }), member('h', { type: 'hardlink', linkname: 'l' })],
      /hard link/,
    ],
  ])('that %s is refused before anything is written', async (_, members, message) => {
    const { file, folder } = await write([member('first', {}, 'y'.repeat(30_000)), ...members]);
    const failure = await readArchive(file, folder).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Failure);
    expect((failure as Failure).message).toMatch(message);
    expect(() => readdirSync(folder)).toThrow();
  });

  it('that is too large or too many is refused', async () => {
    const { file, folder } = await write([
      member('a', {}, 'x'.repeat(600)),
      member('b', {}, 'x'.repeat(600)),
    ]);
    await expect(readArchive(file, folder, { bytes: 1000, members: 10 })).rejects.toThrow(/1000 bytes/);
    await expect(readArchive(file, folder, { bytes: 1e6, members: 1 })).rejects.toThrow(/1 members/);
  });
});

describe('the digest of a tree', () => {
  const digest = (change: (tree: ReturnType<typeof sampleTree>) => void) => {
    const tree = sampleTree();
    change(tree);
    return contentDigest(tree, openDigests());
  };
  const out = (tree: ReturnType<typeof sampleTree>) => (tree.children.get('out') as typeof tree).children;

  it('does not depend on the order in which names were added', async () => {
    const turned = sampleTree();
    const children = [...out(turned)].reverse();
    out(turned).clear();
    for (const [name, node] of children) out(turned).set(name, node);
    expect(await contentDigest(turned, openDigests())).toBe(await digest(() => {}));
  });

  it('depends on everything that a copy could see', async () => {
    const all = await Promise.all([
      digest(() => {}),
      digest((tree) => out(tree).set('large', fileOf('other'))),
      digest((tree) => out(tree).set('large', fileOf('x'.repeat(40_000), { mode: 0o600 }))),
      digest((tree) => out(tree).set('large', fileOf('x'.repeat(40_000), { uid: 1 }))),
      digest((tree) => out(tree).set('large', fileOf('x'.repeat(40_000), { gid: 1 }))),
      digest((tree) => out(tree).set('capable', fileOf('c'))),
      digest((tree) => out(tree).set('hard', fileOf('binary', { mode: 0o4750, uid: 12, gid: 34 }))),
      digest((tree) => out(tree).set('link', { type: 'symlink', uid: 5, gid: 6, target: '/etc/group' })),
      digest((tree) => out(tree).set('empty', emptyDirectory())),
      digest((tree) => out(tree).delete('odd\udcff')),
      digest((tree) => tree.children.set('out', { ...emptyDirectory(), children: out(tree) })),
    ]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('is none for what is not kept', async () => {
    const tree = emptyDirectory();
    tree.children.set('pipe', { type: 'fifo', mode: 0o644, uid: 0, gid: 0 });
    expect(membersOf(tree)).toBeUndefined();
    expect(await contentDigest(tree, openDigests())).toBeUndefined();
  });
});

describe('the digests of a tree path by path', () => {
  const paths = ['/a', '/b', '/b/deep', '/c'];
  const tree = (change: (folders: Record<'a' | 'b' | 'deep', Directory>) => void = () => {}) => {
    const [root, a, b, deep] = Array.from({ length: 4 }, () => emptyDirectory()) as [
      Directory,
      Directory,
      Directory,
      Directory,
    ];
    root.children.set('a', a).set('b', b).set('c', fileOf('c'));
    a.children.set('file', fileOf('a')).set('link', { type: 'symlink', uid: 0, gid: 0, target: 'file' });
    b.children.set('deep', deep).set('file', fileOf('b'));
    deep.children.set('file', fileOf('deep'));
    change({ a, b, deep });
    return root;
  };
  const changed = async (...change: Parameters<typeof tree>) => {
    const before = (await pathContents(tree(), paths, openDigests()))!;
    const after = (await pathContents(tree(...change), paths, openDigests()))!;
    return paths.filter((path) => before[path] !== after[path]);
  };
  const linkTo = (target: string) => ({ type: 'symlink', uid: 0, gid: 0, target }) as const;

  it('change with what copies of the path can see, and with nothing else', async () => {
    expect(await changed()).toEqual([]);
    expect(await changed(({ a }) => a.children.set('file', fileOf('other')))).toEqual(['/a']);
    expect(await changed(({ b }) => b.children.set('file', fileOf('other')))).toEqual(['/b']);
    expect(await changed(({ deep }) => deep.children.set('new', fileOf('n')))).toEqual(['/b', '/b/deep']);
    expect(await changed(({ a }) => Object.assign(a, { mode: 0o700, uid: 3 }))).toEqual([]);
    expect(await changed(({ deep }) => Object.assign(deep, { mode: 0o700 }))).toEqual(['/b']);
  });

  it.each(['/b/file', '../b/file', '/nowhere', '/a/file/below', 'link'])(
    'stand for the whole tree where a link leads out, as %s does: a pattern may follow it',
    async (target) => {
      const led = tree(({ a }) => a.children.set('link', linkTo(target)));
      const contents = (await pathContents(led, paths, openDigests()))!;
      expect(contents['/a']).toBe(await contentDigest(led, openDigests()));
      expect(contents['/b']).toBe((await pathContents(tree(), paths, openDigests()))!['/b']);
    },
  );

  it('are those of what a path leads to', async () => {
    const led = tree(({ b }) => b.children.set('deep', linkTo('../a')));
    const contents = (await pathContents(led, ['/b/deep/file'], openDigests()))!;
    const other = tree(({ a, b }) => {
      a.children.set('file', fileOf('other'));
      b.children.set('deep', linkTo('../a'));
    });
    expect(await pathContents(other, ['/b/deep/file'], openDigests())).not.toEqual(contents);
  });

  it('are none for what is not kept', async () => {
    const tree = emptyDirectory();
    tree.children.set('pipe', { type: 'fifo', mode: 0o644, uid: 0, gid: 0 });
    expect(await pathContents(tree, ['/pipe'], openDigests())).toBeUndefined();
  });

  it('are what a stored tree is held to, as the whole is', async () => {
    const digests = openDigests();
    const contents = (await pathContents(tree(), paths, digests))!;
    const content = (await contentDigest(tree(), digests))!;
    expect(await holdsWhatItSays(tree(), { content, contents }, digests)).toBe(true);
    expect(await holdsWhatItSays(tree(), { content: digestOf('x'), contents }, digests)).toBe(false);
    const lie = { ...contents, '/c': digestOf('x') };
    expect(await holdsWhatItSays(tree(), { content, contents: lie }, digests)).toBe(false);
  });
});
