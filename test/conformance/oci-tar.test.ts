import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nameFromBytes, nameToBytes, readTar, type TarEntry, writeTar } from '../../shared/content/index.ts';
import { describeWith, go } from '../lab/index.ts';

/** A member as the Go program prints it. */
interface Listed {
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly linkname: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Record<string, string>;
  readonly digest: string;
}

const FLAG = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  character: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

const base64 = (name: string) => nameToBytes(name).toString('base64');

function specOf(entry: TarEntry, content: Buffer) {
  return {
    name: base64(entry.type === 'directory' ? `${entry.name}/` : entry.name),
    type: FLAG[entry.type],
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    size: content.length,
    mtime: entry.mtime,
    linkname: base64(entry.linkname ?? ''),
    major: entry.device?.major ?? 0,
    minor: entry.device?.minor ?? 0,
    xattrs: Object.fromEntries(
      Object.entries(entry.xattrs ?? {}).map(([name, value]) => [
        name,
        Buffer.from(value).toString('base64'),
      ]),
    ),
    content: content.toString('base64'),
  };
}

const file = (name: string, more: Partial<TarEntry> = {}, content = ''): [TarEntry, Buffer] => [
  { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size: content.length, mtime: 1_700_000_000, ...more },
  Buffer.from(content),
];

const nameOf = (length: number) => 'n'.repeat(length);
const deep = (parts: number, last = 'leaf') => `${'folder/'.repeat(parts)}${last}`;

const MEMBERS: readonly [TarEntry, Buffer][] = [
  file('plain.txt', {}, 'hello\n'),
  file('empty'),
  file('folder', { type: 'directory', mode: 0o755 }),
  file('sticky', { type: 'directory', mode: 0o1777 }),
  file('setuid', { mode: 0o6755 }, 'x'),
  file('link', { type: 'symlink', mode: 0o777, linkname: '../elsewhere/plain.txt' }),
  file('hard', { type: 'hardlink', linkname: 'plain.txt' }),
  file('dev/null', { type: 'character', device: { major: 1, minor: 3 } }),
  file('dev/sda', { type: 'block', device: { major: 8, minor: 16 } }),
  file('pipe', { type: 'fifo' }),
  ...[99, 100, 101, 155, 156, 255, 256, 300].map((length) => file(nameOf(length), {}, 'x')),
  ...[13, 14, 15, 21, 22, 23, 36, 37, 50].map((parts) => file(deep(parts), {}, 'x')),
  ...[13, 14, 22, 36, 37].map((parts) => file(deep(parts), { type: 'directory', mode: 0o755 })),
  file(`${nameOf(155)}/${nameOf(100)}`, {}, 'x'),
  file(`${nameOf(156)}/${nameOf(99)}`, {}, 'x'),
  file(`${nameOf(20)}/${nameOf(101)}`, {}, 'x'),
  file('to-100', { type: 'symlink', linkname: nameOf(100) }),
  file('to-101', { type: 'symlink', linkname: nameOf(101) }),
  file('to-grün', { type: 'symlink', linkname: 'grün' }),
  file('grün/日本語.txt', {}, 'x'),
  file('日本', { type: 'directory', mode: 0o755 }),
  file(deep(20, 'ü'), {}, 'x'),
  file(nameFromBytes(Buffer.from([0x62, 0x61, 0x64, 0xff, 0xfe])), {}, 'x'),
  file('uid-fits', { uid: 0o7777777, gid: 0o7777777 }),
  file('uid-does-not', { uid: 0o10000000, gid: 4_294_967_294 }),
  file('before-1970', { mtime: -1 }),
  file('epoch', { mtime: 0 }),
  file('last-octal-second', { mtime: 8 ** 11 - 1 }),
  file('first-beyond', { mtime: 8 ** 11 }),
  file('capability', { xattrs: { 'security.capability': Buffer.from([1, 0, 0, 2, 0, 4, 0, 0]) } }, 'x'),
  file('two-attributes', { xattrs: { 'user.b': Buffer.from('2=2\n'), 'user.a': Buffer.from('1') } }, 'x'),
  file(deep(16), { xattrs: { 'user.a': Buffer.from('1') } }, 'x'),
  file('block', {}, 'b'.repeat(512)),
  file('block-and-one', {}, 'b'.repeat(513)),
];

function run(program: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function oursOf(path: string): Promise<Listed[]> {
  const listed: Listed[] = [];
  for await (const { entry, content } of readTar(createReadStream(path))) {
    const hash = createHash('sha256');
    for await (const chunk of content) hash.update(chunk);
    listed.push({
      name: base64(entry.name),
      type: FLAG[entry.type],
      mode: entry.mode,
      uid: entry.uid,
      gid: entry.gid,
      size: entry.size,
      mtime: entry.mtime,
      linkname: base64(entry.linkname ?? ''),
      major: entry.device?.major ?? 0,
      minor: entry.device?.minor ?? 0,
      xattrs: Object.fromEntries(
        Object.entries(entry.xattrs ?? {}).map(([name, value]) => [
          name,
          Buffer.from(value).toString('base64'),
        ]),
      ),
      digest: hash.digest('hex'),
    });
  }
  return listed;
}

/** Go keeps slashes, `./` and the flag of sparse files, which our entries have no use for. */
function plain(listed: Listed): Listed {
  const strip = (encoded: string) =>
    Buffer.from(
      Buffer.from(encoded, 'base64')
        .toString('latin1')
        .replace(/^(\.\/)+/, '')
        .replace(/\/+$/, ''),
      'latin1',
    ).toString('base64');
  const type = listed.type === 'S' || listed.type === '\0' ? '0' : listed.type;
  const linkname = type === '1' ? strip(listed.linkname) : listed.linkname;
  return { ...listed, name: strip(listed.name), linkname, type };
}

describeWith('the tar codec', { go: go() }, ({ go: { program: goProgram } = { program: 'go' } as never }) => {
  let directory: string;
  let peer: string;

  const theirsOf = (path: string): Listed[] =>
    run(peer, ['list', path])
      .trim()
      .split('\n')
      .filter(Boolean)
      .map((line) => plain(JSON.parse(line) as Listed));

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-tar-'));
    peer = join(directory, 'oci-tar');
    run(goProgram, ['build', '-o', peer, join(import.meta.dirname, 'oci-tar', 'main.go')]);
  });

  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each(
    MEMBERS.map(
      ([entry, content]) =>
        [`${entry.type} ${entry.name.slice(0, 60)} (${entry.name.length})`, entry, content] as const,
    ),
  )('writes the bytes that archive/tar writes for %s', async (_, entry, content) => {
    const [spec, theirs] = [join(directory, 'spec.json'), join(directory, 'theirs.tar')];
    await writeFile(spec, JSON.stringify([specOf(entry, content)]));
    run(peer, ['write', spec, theirs]);
    const parts: Buffer[] = [];
    for await (const part of writeTar([
      {
        entry,
        content: async function* () {
          yield content;
        },
      },
    ]))
      parts.push(part);
    const [ours, expected] = [Buffer.concat(parts), await readFile(theirs)];
    const differs = ours.findIndex((byte, i) => byte !== expected[i]);
    expect({ length: ours.length, differs }).toEqual({ length: expected.length, differs: -1 });
  });

  it('reads what archive/tar wrote as archive/tar does', async () => {
    const [spec, path] = [join(directory, 'all.json'), join(directory, 'all.tar')];
    await writeFile(spec, JSON.stringify(MEMBERS.map(([entry, content]) => specOf(entry, content))));
    run(peer, ['write', spec, path]);
    const ours = await oursOf(path);
    expect(ours).toHaveLength(MEMBERS.length);
    expect(ours).toEqual(theirsOf(path));
  });

  it('is understood by GNU tar and by Python', async () => {
    const path = join(directory, 'ours.tar');
    // Attributes and devices are not for a listing.
    const members = MEMBERS.map(([entry, content]) => ({
      entry,
      content: async function* () {
        yield content;
      },
    }));
    await pipeline(writeTar(members), createWriteStream(path));
    const wanted = MEMBERS.map(([{ name, type }]) =>
      nameToBytes(type === 'directory' ? `${name}/` : name).toString('hex'),
    );
    const gnu = run('tar', ['--quoting-style=escape', '-tf', path]).trim().split('\n');
    expect(gnu).toHaveLength(MEMBERS.length);
    const python = run('python3', [
      '-c',
      "import sys,tarfile\nfor m in tarfile.open(sys.argv[1]): print((m.name+('/' if m.isdir() else '')).encode('utf8','surrogateescape').hex())",
      path,
    ]);
    expect(python.trim().split('\n')).toEqual(wanted);
  });

  /** A folder with what archives have trouble with. */
  async function tree(): Promise<string> {
    const root = join(directory, 'tree');
    if (existsSync(root)) return root;
    await mkdir(join(root, deep(30)), { recursive: true });
    await mkdir(join(root, 'empty'));
    await writeFile(join(root, 'a.txt'), 'content');
    await writeFile(join(root, nameOf(120)), 'long');
    await writeFile(join(root, deep(30), nameOf(200)), 'deep');
    await writeFile(join(root, 'grün'), 'x');
    await writeFile(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x62, 0xff])]), 'bytes');
    await symlink('../'.repeat(40), join(root, 'up'));
    run('ln', ['a.txt', 'hard'], root);
    run('mkfifo', ['pipe'], root);
    return root;
  }

  /** Data in the middle and at the end, or none at all. */
  async function sparse(pieces: number): Promise<string> {
    const root = join(directory, `sparse-${pieces}`);
    await mkdir(root, { recursive: true });
    const path = join(root, 'disk.img');
    await writeFile(path, '');
    for (let i = 0; i < pieces; i++)
      run('dd', [
        'if=/dev/urandom',
        `of=${path}`,
        'bs=4096',
        'count=1',
        `seek=${i * 64 + 16}`,
        'conv=notrunc',
        'status=none',
      ]);
    await truncate(path, 20_000_000);
    await writeFile(join(root, 'after'), 'the next member');
    return root;
  }

  it.each(['v7', 'oldgnu', 'gnu', 'ustar', 'posix'])(
    'reads what GNU tar wrote in format %s',
    async (format) => {
      const path = join(directory, `gnu-${format}.tar`);
      // What a format cannot say is left out by tar, with a warning and code 2.
      spawnSync('tar', [`--format=${format}`, '-cf', path, '-C', await tree(), '.']);
      const ours = await oursOf(path);
      expect(ours.length).toBeGreaterThan(20);
      expect(ours).toEqual(theirsOf(path));
    },
  );

  it.each(
    ['oldgnu', 'gnu', 'posix 0.0', 'posix 0.1', 'posix 1.0'].flatMap((format) =>
      [0, 1, 3, 40].map((pieces) => [format, pieces] as const),
    ),
  )('expands sparse files in format %s with %i pieces', async (format, pieces) => {
    const [name, version] = format.split(' ');
    const path = join(directory, 'sparse.tar');
    const args = [
      `--format=${name}`,
      '--sparse',
      ...(version === undefined ? [] : [`--sparse-version=${version}`]),
    ];
    run('tar', [...args, '-cf', path, '-C', await sparse(pieces), '.']);
    const ours = await oursOf(path);
    expect(ours.find(({ size }) => size === 20_000_000)).toBeDefined();
    expect(ours).toEqual(theirsOf(path));
  });

  it.each(['USTAR_FORMAT', 'GNU_FORMAT', 'PAX_FORMAT'])('reads what Python wrote in %s', async (format) => {
    const path = join(directory, 'python.tar');
    const script = `
import io, sys, tarfile
with tarfile.open(sys.argv[1], 'w', format=tarfile.${format}) as archive:
    for name, data in (('a', b'1'), ('d/' * 40 + 'x', b'22'), ('gr\\u00fcn', b'333')):
        info = tarfile.TarInfo(name); info.size = len(data); info.mtime = 1700000000.75 if '${format}' == 'PAX_FORMAT' else 1700000000
        if '${format}' != 'USTAR_FORMAT': info.uid = 3000000000
        archive.addfile(info, io.BytesIO(data))`;
    run('python3', ['-c', script, path]);
    expect(await oursOf(path)).toEqual(theirsOf(path));
    expect(await oursOf(path)).toHaveLength(3);
  });
});
