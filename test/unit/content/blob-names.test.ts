import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobNames, blobAlgorithmIn, type NamedFolder } from '../../../shared/content/index.ts';

let folder: string;
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'blob-names-')));
});
afterEach(() => rmSync(folder, { recursive: true }));

const environment = {
  ...process.env,
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'a',
  GIT_AUTHOR_EMAIL: 'a@example.com',
  GIT_COMMITTER_NAME: 'a',
  GIT_COMMITTER_EMAIL: 'a@example.com',
};

function git(cwd: string, ...args: string[]): string {
  const output = execFileSync('git', ['-c', 'protocol.file.allow=always', ...args], {
    cwd,
    env: environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return output.toString().trim();
}

function write(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

/** Files, and some time after them the index: what is younger than the index is not believed. */
async function commit(root: string, files: Readonly<Record<string, string>>): Promise<void> {
  write(root, files);
  await sleep(40);
  git(root, 'add', '--all');
  git(root, 'commit', '--allow-empty', '-m', 'some files');
}

async function repository(files: Readonly<Record<string, string>>, ...options: string[]): Promise<string> {
  const root = join(folder, 'repository');
  git(folder, 'init', '--quiet', ...options, root);
  await commit(root, files);
  return root;
}

/** Every regular file of a folder with the name that it is given, and which of them were not read. */
function nameAll(top: string): { names: Record<string, string | undefined>; known: string[] } {
  const blobs = BlobNames.open();
  const names: Record<string, string | undefined> = {};
  const known: string[] = [];
  const visit = (folder: NamedFolder, at: string) => {
    for (const name of readdirSync(join(top, at), 'utf8')) {
      const path = join(at, name);
      const stats = lstatSync(join(top, path));
      if (stats.isDirectory() && name !== '.git') visit(blobs.below(folder, name), path);
      if (!stats.isFile() || name === '.git') continue;
      const blob = blobs.known(folder, name, stats);
      if (blob !== undefined) known.push(path);
      names[path] = blob ?? blobs.read(join(top, path), stats.size, blobAlgorithmIn(folder));
    }
  };
  visit(blobs.top(top), '');
  expect(blobs.counts).toEqual({ known: known.length, read: Object.keys(names).length - known.length });
  return { names, known: known.sort() };
}

/** What Git itself makes of the bytes that are on disk. */
function expectTrue(top: string, names: Readonly<Record<string, string | undefined>>, format = 'sha1'): void {
  const other = join(folder, `other-${format}`);
  git(folder, 'init', '--quiet', `--object-format=${format}`, other);
  const paths = Object.keys(names);
  const ids = git(other, 'hash-object', '--no-filters', '--', ...paths.map((path) => join(top, path)));
  const wanted = ids.split('\n').map((id, index) => [paths[index], `blob:${id}`]);
  expect(names).toEqual(Object.fromEntries(wanted));
}

const some = { 'a.txt': 'one\n', 'b/c.txt': 'two\n', 'b/d/e.go': 'three\n', 'b.txt': 'four\n' };
const all = ['a.txt', 'b.txt', 'b/c.txt', 'b/d/e.go'];

describe('files that Git knows', () => {
  it.each([
    ['version 2', ['--index-version', '2']],
    ['version 4', ['--index-version', '4']],
  ])('are named by an index of %s', async (_, how) => {
    const root = await repository(some);
    git(root, 'update-index', ...how);
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(all);
  });

  it('are named by an index of version 3, but those that it says not to look at', async () => {
    const root = await repository(some);
    git(root, 'update-index', '--skip-worktree', 'b.txt');
    expect(readFileSync(join(root, '.git/index')).readUInt32BE(4)).toBe(3);
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(['a.txt', 'b/c.txt', 'b/d/e.go']);
  });

  it('are named by SHA-256 in a repository of that kind, and so are those that it does not know', async () => {
    const root = await repository(some, '--object-format=sha256');
    write(root, { 'b/new': 'new' });
    const { names, known } = nameAll(root);
    expectTrue(root, names, 'sha256');
    expect(known).toEqual(all);
  });

  it('are found from a folder further down, and through a link to it', async () => {
    const root = await repository(some);
    symlinkSync(join(root, 'b'), join(folder, 'link'));
    for (const top of [join(root, 'b'), join(folder, 'link')]) {
      const { names, known } = nameAll(top);
      expectTrue(top, names);
      expect(known).toEqual(['c.txt', 'd/e.go']);
    }
  });

  it('are found in a linked work tree', async () => {
    const root = await repository(some);
    const tree = join(folder, 'tree');
    git(root, 'worktree', 'add', '--quiet', tree);
    await sleep(40);
    git(tree, 'update-index', '--force-write-index');
    const { names, known } = nameAll(tree);
    expectTrue(tree, names);
    expect(known).toEqual(all);
  });

  it('are found in submodules and in repositories that merely lie there', async () => {
    const inner = await repository({ 'x.txt': 'x\n', 'y/z.txt': 'z\n' });
    const root = join(folder, 'outer');
    git(folder, 'init', '--quiet', root);
    git(root, 'submodule', '--quiet', 'add', inner, 'deep/module');
    git(root, 'clone', '--quiet', inner, 'loose');
    await commit(root, some);
    for (const one of ['deep/module', 'loose']) git(join(root, one), 'update-index', '--force-write-index');
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    const both = ['x.txt', 'y/z.txt'];
    expect(known.filter((path) => /^(deep|loose)/.test(path))).toEqual([
      ...both.map((path) => `deep/module/${path}`),
      ...both.map((path) => `loose/${path}`),
    ]);
  });

  it('are found in a sparse checkout with a sparse index', async () => {
    const root = await repository({ ...some, 'out/x': 'x', 'out/y/z': 'z' });
    git(root, 'sparse-checkout', 'set', '--cone', '--sparse-index', 'b');
    write(root, { 'out/x': 'other' });
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(all);
  });

  it('have names of any bytes and length', async () => {
    const long = `${'d'.repeat(200)}/`.repeat(18) + 'f'.repeat(200);
    expect(long.length).toBeLessThan(4000);
    const root = await repository({ ...some, 'new\nline': 'x', ünï: 'y', [long.slice(0, 3500)]: 'long' });
    git(root, 'update-index', '--index-version', '4');
    expect(nameAll(root).known).toHaveLength(7);
    git(root, 'update-index', '--index-version', '2');
    expect(nameAll(root).known).toHaveLength(7);
  });
});

describe('files that Git does not know as they are', () => {
  it.each<[string, (root: string) => void]>([
    ['is untracked', (root) => git(root, 'rm', '--cached', 'a.txt')],
    ['was written', (root) => writeFileSync(join(root, 'a.txt'), 'ONE\n')],
    ['was touched', (root) => utimesSync(join(root, 'a.txt'), 1, 1)],
    ['is younger than the index', (root) => future(root)],
    ['has another mode', (root) => chmodSync(join(root, 'a.txt'), 0o755)],
    ['is assumed to be unchanged', (root) => git(root, 'update-index', '--assume-unchanged', 'a.txt')],
    ['took the place of a link', (root) => swap(root)],
    ['is only meant to be added', (root) => intend(root)],
    ['is empty', (root) => empty(root)],
  ])('one that %s', async (_, change) => {
    const root = await repository(some);
    await sleep(40);
    change(root);
    for (const rewritten of [false, true]) {
      // A later index leaves what it says of a file as it was.
      if (rewritten) await sleep(40);
      if (rewritten) git(root, 'update-index', '--force-write-index');
      const { names, known } = nameAll(root);
      expectTrue(root, names);
      expect(known).toEqual(['b.txt', 'b/c.txt', 'b/d/e.go']);
    }
  });

  function future(root: string): void {
    utimesSync(join(root, 'a.txt'), 4e9, 4e9);
    git(root, 'add', 'a.txt');
  }

  function swap(root: string): void {
    rmSync(join(root, 'a.txt'));
    symlinkSync('b.txt', join(root, 'a.txt'));
    git(root, 'add', 'a.txt');
    rmSync(join(root, 'a.txt'));
    writeFileSync(join(root, 'a.txt'), 'b.txt');
  }

  function intend(root: string): void {
    git(root, 'rm', '--cached', 'a.txt');
    git(root, 'add', '--intent-to-add', 'a.txt');
  }

  function empty(root: string): void {
    writeFileSync(join(root, 'a.txt'), '');
    git(root, 'add', 'a.txt');
  }

  it('one in conflict', async () => {
    const root = await repository(some);
    git(root, 'checkout', '-q', '-b', 'other');
    await commit(root, { 'a.txt': 'theirs\n' });
    git(root, 'checkout', '-q', '-');
    await commit(root, { 'a.txt': 'ours\n' });
    expect(() => git(root, 'merge', 'other')).toThrow();
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).not.toContain('a.txt');
  });

  it('one that is written in the very moment in which Git looks at it', async () => {
    const root = await repository(some);
    for (let round = 0; round < 40; round++) {
      writeFileSync(join(root, 'a.txt'), `${1000 + round}`);
      git(root, 'add', 'a.txt');
      writeFileSync(join(root, 'a.txt'), `${2000 + round}`);
      const { names } = nameAll(root);
      expectTrue(root, { 'a.txt': names['a.txt'] });
    }
  });

  it('any, when there is no repository', () => {
    const top = join(folder, 'plain');
    write(top, some);
    const { names, known } = nameAll(top);
    expectTrue(top, names);
    expect(known).toEqual([]);
  });

  it('one that is gone has no name', async () => {
    const root = await repository(some);
    const path = join(root, 'gone');
    writeFileSync(path, 'x');
    rmSync(path);
    expect(BlobNames.open().read(path, 1, 'sha1')).toBeUndefined();
  });

  it('large ones', () => {
    const top = join(folder, 'plain');
    write(top, {
      large: 'x'.repeat(3 * 2 ** 20 + 1),
      even: 'y'.repeat(2 ** 20),
      odd: 'z'.repeat(2 ** 20 + 1),
    });
    expectTrue(top, nameAll(top).names);
  });
});

describe('an index that is not to be believed', () => {
  const spoiled: [string, (root: string) => void][] = [
    ['one byte of it is wrong', (root) => spoil(root, (bytes) => bytes.fill(7, 80, 81))],
    ['its end is missing', (root) => spoil(root, (bytes) => bytes.subarray(0, bytes.length - 30))],
    ['it is empty', (root) => spoil(root, () => Buffer.alloc(0))],
    ['it is split', (root) => git(root, 'update-index', '--split-index')],
    ['line ends are converted', (root) => git(root, 'config', 'core.autocrlf', 'input')],
    ['an included file says so', (root) => includeSetting(root)],
    ['attributes come from a commit', (root) => git(root, 'config', 'attr.tree', 'HEAD')],
    ['it is for another work tree', (root) => git(root, 'config', 'core.worktree', folder)],
    ['the configuration is none', (root) => appendFileSync(join(root, '.git/config'), '[core\n')],
  ];
  if (process.getuid?.() === 0)
    spoiled.push(['it is somebody else’s', (root) => chownSync(join(root, '.git/index'), 4242, 4242)]);

  function spoil(root: string, change: (bytes: Buffer) => Buffer): void {
    const index = join(root, '.git/index');
    writeFileSync(index, change(readFileSync(index)));
  }

  function includeSetting(root: string): void {
    writeFileSync(join(folder, 'more'), '[core]\n\tautocrlf = true # as on Windows\n');
    git(root, 'config', 'includeIf.gitdir:/elsewhere/.path', join(folder, 'more'));
  }

  it.each(spoiled)('because %s', async (_, change) => {
    const root = await repository(some);
    await sleep(40);
    change(root);
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual([]);
  });

  it('but settings that mean nothing for it do not count', async () => {
    const root = await repository(some);
    git(root, 'config', 'core.autocrlf', 'false');
    git(root, 'config', 'core.fileMode', 'false');
    git(root, 'config', 'http.https://example.com/.extraheader', 'AUTHORIZATION: basic "x" ; #');
    git(root, 'config', 'includeIf.gitdir:/elsewhere/.path', join(folder, 'absent'));
    expect(nameAll(root).known).toEqual(all);
  });
});

describe('files that Git converts', () => {
  it.each<[string, Readonly<Record<string, string>>, readonly string[]]>([
    ['line ends', { '.gitattributes': '*.txt eol=crlf\n' }, ['.gitattributes', 'b/d/e.go']],
    ['everything', { '.gitattributes': '* text=auto\n' }, []],
    ['a folder', { 'b/.gitattributes': '* text eol=crlf\n' }, ['a.txt', 'b.txt']],
    ['a name', { '.gitattributes': '/b/C.TXT eol=crlf\n' }, ['.gitattributes', 'a.txt', 'b.txt', 'b/d/e.go']],
    ['keywords', { '.gitattributes': '*.go ident\n' }, ['.gitattributes', 'a.txt', 'b.txt', 'b/c.txt']],
    [
      'an encoding',
      { '.gitattributes': '*.go working-tree-encoding=ISO-8859-1\n' },
      ['.gitattributes', 'a.txt', 'b.txt', 'b/c.txt'],
    ],
    [
      'a macro',
      { '.gitattributes': '[attr]windows text eol=crlf\n[attr]more windows\n*.go more\n' },
      ['.gitattributes', 'a.txt', 'b.txt', 'b/c.txt'],
    ],
    ['blanks', { '.gitattributes': '"b*/c.txt" eol=crlf\n' }, []],
    [
      'nothing',
      { '.gitattributes': '*.go -text diff=golang\n*.txt binary !eol linguist-vendored\n# * text\n' },
      ['.gitattributes', ...all],
    ],
  ])('by %s are read', async (_, attributes, unread) => {
    const origin = await repository({ ...some, 'b/d/e.go': '$Id$\n' });
    await commit(origin, attributes);
    const root = join(folder, 'clone');
    git(folder, 'clone', '--quiet', origin, root);
    await sleep(40);
    git(root, 'update-index', '--force-write-index');
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(unread);
  });

  it.each(['text=auto', 'text'])(
    'are read, for with %s git add takes other lines for those of the blob',
    async (attribute) => {
      const root = await repository({ '.gitattributes': `* ${attribute}\n`, 'a.txt': 'one\ntwo\n' });
      const stored = git(root, 'rev-parse', ':a.txt');
      write(root, { 'a.txt': 'one\r\ntwo\r\n' });
      // Git looks again at whatever was written in the second of its index.
      utimesSync(join(root, 'a.txt'), 1, 1);
      git(root, 'add', '.');
      const { size } = lstatSync(join(root, 'a.txt'));
      expect(git(root, 'ls-files', '--debug', 'a.txt')).toContain(`size: ${size}\t`);
      expect(git(root, 'rev-parse', ':a.txt')).toBe(stored);
      const { names, known } = nameAll(root);
      expect(known).toEqual([]);
      expectTrue(root, names);
    },
  );

  it.each<[string, (root: string) => void]>([
    ['of the repository alone', (root) => write(root, { '.git/info/attributes': '*.txt filter=lfs\n' })],
    ['of the user', (root) => userAttributes(root)],
    ['that are not tracked', (root) => write(root, { '.gitattributes': '*.txt filter=lfs -text\n' })],
  ])('by attributes %s are read', async (_, add) => {
    const root = await repository(some);
    add(root);
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(['b/d/e.go']);
  });

  function userAttributes(root: string): void {
    write(folder, { mine: '*.txt filter=lfs\n' });
    git(root, 'config', 'core.attributesFile', join(folder, 'mine'));
  }

  it.each<[string, (root: string) => void]>([
    ['changed', (root) => write(root, { 'b/.gitattributes': '# nothing any more\n' })],
    ['taken away', (root) => rmSync(join(root, 'b/.gitattributes'))],
  ])('are read where their attributes were %s', async (_, change) => {
    const origin = await repository({ ...some, 'b/.gitattributes': '*.txt eol=crlf\n' });
    const root = join(folder, 'clone');
    git(folder, 'clone', '--quiet', origin, root);
    await sleep(40);
    git(root, 'update-index', '--force-write-index');
    change(root);
    const { names, known } = nameAll(root);
    expectTrue(root, names);
    expect(known).toEqual(['a.txt', 'b.txt']);
    expect(readFileSync(join(root, 'b/c.txt'), 'utf8')).toBe('two\r\n');
  });
});

describe('names that were found by reading', () => {
  it('are remembered from run to run, and not beyond a change', async () => {
    const top = join(folder, 'plain');
    write(top, some);
    await sleep(40);
    const memory = join(folder, 'memory.json');
    const path = join(top, 'a.txt');
    const name = () => {
      const blobs = BlobNames.open(memory);
      const found = blobs.read(path, lstatSync(path).size, 'sha1');
      blobs.save();
      return found;
    };
    const first = name();
    const kept = readFileSync(join(folder, 'memory-sha1.json'), 'utf8');
    expect(kept).toContain(first?.slice('blob:'.length));
    writeFileSync(join(folder, 'memory-sha1.json'), kept.replaceAll(/[0-9a-f]{40}/g, '0'.repeat(40)));
    expect(name()).toBe(`blob:${'0'.repeat(40)}`);
    writeFileSync(path, 'ONE\n');
    expectTrue(top, { 'a.txt': name() });
  });
});
