import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directoryStore, type Restored, save } from '../../../shared/cache/index.ts';
import {
  announcedModule,
  filesToKeep,
  type GoCache,
  gainOf,
  isComplete,
  modulesCache,
  noteHeld,
  objectsCacheOf,
  programsCache,
  type RestoredCache,
} from '../../../shared/go/caches.ts';
import { restoreGoCaches } from '../../../shared/go/keep.ts';
import type { Task } from '../../../shared/host/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'caches-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, text = 'x', time?: number) => {
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  if (time !== undefined) utimesSync(path, time / 1000, time / 1000);
};
const cache = (kind: GoCache['kind'], sums: string[] = []): GoCache => ({
  kind,
  key: 'k',
  prefixes: [],
  folder,
  sums,
});
const restored = (
  kind: GoCache['kind'],
  files: Record<string, number> = {},
  exact = false,
): RestoredCache => ({
  cache: cache(kind),
  since: 0,
  exact,
  files,
});
const silent: Task = { task: (_, work) => work(silent), log: () => {}, note: () => {} };
const kept = (files: Record<string, number>) => Object.entries(files).map(([name, size]) => ({ name, size }));

describe('what a cache keeps', () => {
  it('of objects: what this run made or may have used, and nothing that is no object', () => {
    const now = Date.now();
    const a = (n: number, kind = 'a') =>
      `${String(n).padStart(2, '0')}/${String(n).repeat(64).slice(0, 64)}-${kind}`;
    put(a(11), 'used', now);
    put(a(11, 'd'), 'used', now);
    put(a(22), 'not used', now - 25 * 3_600_000);
    put(a(33), 'not used, and old enough that a use would show', now - 61 * 60_000);
    put(a(44), 'of an earlier step: a use does not show', now - 30 * 60_000);
    put('trim.txt', 'now', now);
    put('README', 'now', now);
    put('33/short-a', 'now', now);
    put('fuzz/x', 'now', now);
    const names = filesToKeep({ ...restored('objects'), since: now - 5000 }).map(({ name }) => name);
    expect(names.sort()).toEqual([a(11), a(11, 'd'), a(44)]);
  });

  it('of modules: what go.sum lists, under the names of the module proxy', () => {
    const sums = [
      'github.com/BurntSushi/toml v1.0.0',
      'github.com/BurntSushi/toml v1.0.0/go.mod',
      'b v2.0.0/go.mod',
      'gone v1.0.0',
    ];
    const toml = 'github.com/!burnt!sushi/toml/@v/v1.0.0';
    for (const end of ['.zip', '.ziphash', '.info', '.mod', '.lock']) put(toml + end);
    put('b/@v/v2.0.0.mod');
    put('b/@v/v2.0.0.zip');
    put('old/@v/v0.1.0.zip');
    const names = filesToKeep({ ...restored('modules'), cache: cache('modules', sums) }).map(
      ({ name }) => name,
    );
    expect(names.sort()).toEqual(['b/@v/v2.0.0.mod', `${toml}.info`, `${toml}.mod`, `${toml}.zip`].sort());
    expect(isComplete(cache('modules', sums))).toBe(false);
    expect(isComplete(cache('modules', sums.slice(0, 3)))).toBe(true);
  });
});

it('restored modules are verified by Go: an entry cannot bring the hashes that Go would believe', async () => {
  const store = directoryStore(join(folder, 'store'), { limit: 1e9 });
  for (const end of ['zip', 'ziphash', 'mod']) put(`planted/m/@v/v1.0.0.${end}`);
  const files = ['zip', 'ziphash', 'mod'].map((end) => ({
    name: `m/@v/v1.0.0.${end}`,
    path: join(folder, `planted/m/@v/v1.0.0.${end}`),
  }));
  await save(store, { temporary: folder, key: 'k', files });
  const into = { ...cache('modules', ['m v1.0.0']), folder: join(folder, 'mod') };
  await restoreGoCaches(store, [into], silent, { temporary: folder });
  expect(readdirSync(join(into.folder, 'm/@v')).sort()).toEqual(['v1.0.0.mod', 'v1.0.0.zip']);
});

describe('modules on this machine', () => {
  const modules = () => ({
    ...cache('modules', ['example.com/a v1.0.0', 'example.com/only-in-tests v1.0.0']),
    folder: join(folder, 'cache/download'),
  });
  const entry = (exact: boolean): Restored => ({
    kind: 'restored',
    key: 'k',
    exact,
    files: [{ name: 'example.com/a/@v/v1.0.0.zip', size: 1 }],
    milliseconds: 1,
  });

  it('are all there when those of the entry are, though go.sum lists more', () => {
    put('cache/download/example.com/a/@v/v1.0.0.zip');
    expect(isComplete(modules())).toBe(false);
    noteHeld(modules(), entry(false));
    expect(isComplete(modules())).toBe(false);
    noteHeld(modules(), entry(true));
    expect(isComplete(modules())).toBe(true);
    expect(isComplete({ ...modules(), key: 'of another go.sum' })).toBe(false);
    rmSync(join(folder, 'cache/download/example.com/a/@v/v1.0.0.zip'));
    expect(isComplete(modules())).toBe(false);
  });

  it('tells a download from a zip that Go only has to check', () => {
    put('cache/download/example.com/a/@v/v1.0.0.zip', 'x', 1_000_000);
    const line = (module: string) => announcedModule(`go: downloading ${module}`, folder, 2_000_000);
    expect(line('example.com/a v1.0.0')).toEqual({ module: 'example.com/a v1.0.0', downloaded: false });
    expect(line('example.com/b v1.0.0')?.downloaded).toBe(true);
    put('cache/download/example.com/b/@v/v1.0.0.zip', 'x', 2_000_001);
    expect(line('example.com/b v1.0.0')?.downloaded).toBe(true);
    expect(announcedModule('go: finding module', folder, 0)).toBeUndefined();
  });
});

describe('what is worth an upload', () => {
  const MB = 1e6;
  it.each<[string, RestoredCache, Record<string, number>, 'save' | 'skip', string]>([
    ['a first entry', restored('objects'), { a: MB }, 'save', 'nothing was restored'],
    ['nothing', restored('objects'), {}, 'skip', 'there is nothing to keep'],
    [
      'modules that were here',
      { ...restored('modules'), local: true },
      { a: MB },
      'skip',
      'all of it was on this machine before',
    ],
    [
      'the entry of the key itself',
      restored('objects', { a: MB }, true),
      { a: MB, b: MB },
      'skip',
      'the entry of this key is there already',
    ],
    ['the same', restored('objects', { a: MB }), { a: MB }, 'skip', 'nothing was gained'],
    [
      'a leaf',
      restored('objects', { a: 100 * MB }),
      { a: 100 * MB, b: 0.1 * MB },
      'skip',
      'only 0.1 % of it is new',
    ],
    [
      'a core package',
      restored('objects', { a: 100 * MB }),
      { a: 100 * MB, b: 5 * MB },
      'save',
      '5 % of it is new',
    ],
    [
      'much dead weight',
      restored('objects', { a: 60 * MB, old: 40 * MB }),
      { a: 60 * MB },
      'save',
      '40 % of the restored entry was not used',
    ],
    [
      'some dead weight',
      restored('objects', { a: 90 * MB, old: 10 * MB }),
      { a: 90 * MB },
      'skip',
      'nothing was gained',
    ],
    [
      'one small module',
      restored('modules', { a: 100 * MB }),
      { a: 100 * MB, b: 10 },
      'save',
      '0.0 % of it is new',
    ],
    ['programs', restored('programs', { a: MB }), { a: MB }, 'save', 'programs were built'],
  ])('%s', (_, before, now, kind, because) => {
    expect(gainOf(before, kept(now))).toEqual({ kind, because });
  });
});

describe('keys', () => {
  const identity = () =>
    ({
      module: { root: folder, path: 'example.com/m' },
      goVersion: 'go1.26.8',
      request: { directory: folder },
    }) as never;

  it('name the branch, and fall back to its base and the default branch, to no other', () => {
    const { key, prefixes } = programsCache(identity(), {
      branch: 'feature/a',
      baseBranch: 'release',
      defaultBranch: 'main',
      sha: 'abc',
    });
    const base = /^slipway-go-programs-v1-[0-9a-f]{16}-/.exec(key)![0];
    expect(key).toBe(`${base}feature/a~abc`);
    expect(prefixes).toEqual([`${base}feature/a~`, `${base}release~`, `${base}main~`]);
  });

  it.each([
    ['main', 'main-2'],
    ['main', 'main/x'],
    ['a_b', 'a,b'],
    ['a'.repeat(80), 'a'.repeat(81)],
    ['ä', 'ö'],
  ])('of the branch %j are not found by %j, nor the other way round', (one, other) => {
    const of = (branch: string) => programsCache(identity(), { branch, sha: 'abc' });
    for (const [a, b] of [
      [of(one), of(other)],
      [of(other), of(one)],
    ] as const)
      expect(a.prefixes.filter((prefix) => b.key.startsWith(prefix))).toEqual([]);
  });

  it('of objects begin with what another variant of the build left, on the same branches alone', () => {
    const environment = { GOHOSTOS: 'linux', GOHOSTARCH: 'amd64', GOVERSION: 'go1.26.0', GOCACHE: '/c' };
    const of = (variant: string, branch: string) =>
      objectsCacheOf(['m'], environment, { branch, defaultBranch: 'main', sha: 'abc' }, [variant]);
    const [one, other, stranger] = [of('one', 'topic'), of('other', 'main'), of('other', 'elsewhere')];
    const found = (cache: GoCache, key: string) =>
      cache.prefixes.findIndex((prefix) => key.startsWith(prefix));
    expect(found(one, one.key)).toBe(0);
    expect(found(one, of('one', 'main').key)).toBeLessThan(found(one, of('other', 'topic').key));
    expect(found(one, other.key)).toBeGreaterThan(0);
    expect(found(one, stranger.key)).toBe(-1);
  });

  it('are short enough for a file name and hold no comma, whatever the branch', () => {
    const { key } = programsCache(identity(), { branch: 'ü,/'.repeat(99), sha: 'a'.repeat(40) });
    expect(encodeURIComponent(`${key}-partial-${Date.now().toString(36)}.tar.zst`).length).toBeLessThan(255);
    expect(key).not.toContain(',');
  });

  it('of modules are those of go.sum, of the workspace too', () => {
    const plan = (workspace?: string) =>
      ({
        module: { root: join(folder, 'm'), path: 'm', ...(workspace && { workspace }) },
        flags: { mod: '' },
      }) as never;
    const environment = { GOMODCACHE: '/mod' } as never;
    put('m/main.go');
    expect(modulesCache(plan(), environment)).toBeUndefined();
    put('m/go.sum', 'a v1.0.0 h1:x=\na v1.0.0/go.mod h1:y=\n\nbroken\n');
    const alone = modulesCache(plan(), environment)!;
    expect(alone).toMatchObject({ folder: '/mod/cache/download', sums: ['a v1.0.0', 'a v1.0.0/go.mod'] });
    expect(alone.key.startsWith(alone.prefixes[0]!)).toBe(true);
    put('go.work', 'go 1.24\nuse (\n\t./m\n\t./lib // c\n)\n');
    put('lib/go.sum', 'b v1.0.0 h1:z=\n');
    const both = modulesCache(plan(join(folder, 'go.work')), environment)!;
    expect(both.sums).toEqual(['a v1.0.0', 'a v1.0.0/go.mod', 'b v1.0.0']);
    expect(both.key).not.toBe(alone.key);
    put('m/vendor/modules.txt');
    expect(modulesCache(plan(), environment)).toBeUndefined();
  });
});
