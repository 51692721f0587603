import { createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { type TarEntry, type TarMember, writeTar } from '../../../../shared/content/index.ts';
import { Failure } from '../../../../shared/host/index.ts';
import { openDigests } from '../../../../shared/image/files/digests.ts';
import { emptyDirectory } from '../../../../shared/image/files/tree.ts';
import { readArchive } from '../../../../shared/image/results/archive.ts';
import { contentDigest, membersOf } from '../../../../shared/image/results/members.ts';
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
    const packed = (await packTree(sampleTree(), openDigests()))!;
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
