import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CopyStep } from '../../../shared/dockerfile/index.ts';
import { type ImageRequest, stageFiles } from '../../../shared/image/index.ts';
import { embedPatterns, layOut, settleModes } from '../../../shared/lift/lay-out.ts';
import type { StageTree } from '../../../shared/lift/stage-tree.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'slipway-lay-out-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function write(files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, 'context', name)), { recursive: true });
    writeFileSync(join(root, 'context', name), text);
  }
}

async function tree(destination = '/src/'): Promise<StageTree> {
  const copy: CopyStep = {
    kind: 'copy',
    from: { kind: 'context' },
    sources: ['.'],
    inline: [],
    destination,
    ...{ chown: undefined, chmod: undefined, checksum: undefined, unpack: undefined },
    ...{
      link: false,
      parents: false,
      exclude: [],
      keepGitDir: false,
      createdBy: '',
      lines: { start: 1, end: 1 },
    },
  };
  const request = {
    context: join(root, 'context'),
    dockerfile: join(root, 'Dockerfile'),
    epoch: 0,
  } as ImageRequest;
  const laid = await stageFiles(request, [copy], []);
  if (laid.kind !== 'files') throw new Error(laid.because.reason);
  return laid.root;
}

const files = (folder: string) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length))
    .sort();

it('lays out what Go can read, and no more', async () => {
  write({
    'go.mod': 'module x\n',
    'main.go': 'package main\n\n//go:embed web/*.html "a b.txt"\nvar x string\n',
    'main_test.go': 'package main\n',
    'asm_amd64.s': '',
    'README.md': '',
    'a b.txt': '',
    'web/a.html': '',
    'web/deep/b.html': '',
    'docs/page.html': '',
    'vendor/modules.txt': '',
    'cmd/default.pgo': '',
    'assets/taken.css': '',
    '.dockerignore': 'ignored.go\n',
    'ignored.go': 'package main\n',
  });
  symlinkSync('main.go', join(root, 'context', 'linked'));
  layOut(await tree(), join(root, 'out'), { folders: ['/src/docs'], entries: [], whole: ['/src/assets'] });
  expect(files(join(root, 'out'))).toEqual([
    '/src/a b.txt',
    '/src/asm_amd64.s',
    '/src/assets/taken.css',
    '/src/cmd/default.pgo',
    '/src/go.mod',
    '/src/linked',
    '/src/main.go',
    '/src/vendor/modules.txt',
    '/src/web/a.html',
    '/src/web/deep/b.html',
  ]);
  expect(statSync(join(root, 'out/src/docs')).isDirectory()).toBe(true);
});

it('lays out the entries of a folder that is written into', async () => {
  write({ 'main.go': 'package main\n', app: 'no program', 'web/a.html': '', 'web/deep/b.html': '' });
  layOut(await tree(), join(root, 'out'), { folders: [], entries: ['/src'], whole: [] });
  expect(files(join(root, 'out'))).toEqual(['/src/app', '/src/main.go']);
  expect(readdirSync(join(root, 'out/src'))).toContain('web');
});

it('leaves the user’s own files untouched, their times too', async () => {
  write({ 'go.mod': 'module x\n', 'main.go': 'package main\n' });
  const before = statSync(join(root, 'context/main.go'), { bigint: true });
  layOut(await tree(), join(root, 'out'), { folders: [], entries: [], whole: ['/src'] });
  writeFileSync(join(root, 'out/src/main.go'), 'changed');
  const after = statSync(join(root, 'context/main.go'), { bigint: true });
  expect([after.ctimeNs, after.nlink]).toEqual([before.ctimeNs, before.nlink]);
  expect(readFileSync(join(root, 'context/main.go'), 'utf8')).toBe('package main\n');
});

it('keeps links inside of the folder, wherever they point', async () => {
  write({ 'main.go': 'package main\n' });
  symlinkSync('/src/main.go', join(root, 'context', 'absolute.go'));
  symlinkSync('../../../../../../../../../../../../../../etc/hostname', join(root, 'context', 'up.go'));
  layOut(await tree(), join(root, 'out'), { folders: [], entries: [], whole: [] });
  expect(readFileSync(join(root, 'out/src/absolute.go'), 'utf8')).toBe('package main\n');
  expect(statSync(join(root, 'out/src/up.go'), { throwIfNoEntry: false })).toBeUndefined();
});

it('gives what was made the modes of a container’s umask, and leaves those of the context', async () => {
  write({ 'bin/tool.sh': '' });
  const staged = await tree();
  layOut(staged, join(root, 'out'), { folders: [], entries: [], whole: ['/src/bin'] });
  const mode = (name: string) => (statSync(join(root, 'out', name)).mode & 0o777).toString(8);
  const own = mode('src/bin/tool.sh');
  mkdirSync(join(root, 'out/src/bin/made'), { mode: 0o700 });
  writeFileSync(join(root, 'out/src/bin/made/app'), '', { mode: 0o700 });
  settleModes(staged, join(root, 'out'), '/src/bin');
  expect([mode('src/bin/made'), mode('src/bin/made/app'), mode('src/bin/tool.sh')]).toEqual([
    '755',
    '755',
    own,
  ]);
});

it.each([
  ['//go:embed a b/*', ['a', 'b/*']],
  ['//go:embed "with blank" `raw` all:dir', ['with blank', 'raw', 'dir']],
  ['\t//go:embed x\r\n//go:embed y', ['x', 'y']],
  ['// go:embed no', []],
  ['package embed', []],
])('finds the patterns of %j', (source, expected) => {
  expect(embedPatterns(Buffer.from(source))).toEqual(expected);
});
