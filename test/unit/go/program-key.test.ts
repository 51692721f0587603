import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileDigests, Key } from '../../../shared/content/index.ts';
import { explainDifferences } from '../../../shared/go/explain.ts';
import { settleFlags } from '../../../shared/go/flags.ts';
import { mainCandidates } from '../../../shared/go/packages.ts';
import { type BuildConditions, programKey } from '../../../shared/go/program-key.ts';
import type { SourceMap } from '../../../shared/go/sources.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'inputs-'));
  put('go.mod', 'module m');
  put('cmd/app/main.go', 'package main');
  put('cmd/app/data/a.txt', 'a');
  put('lib/lib.go', 'package lib');
  put('lib/lib_windows.go', 'package lib');
});
afterEach(() => rmSync(root, { recursive: true }));

function put(name: string, text: string): void {
  mkdirSync(dirname(join(root, name)), { recursive: true });
  writeFileSync(join(root, name), text);
}

const sources: SourceMap = {
  packages: [
    { directory: 'lib', embeds: [] },
    { directory: 'cmd/app', embeds: ['data'] },
  ],
  modules: ['go.mod', 'go.sum'],
};
const conditions = (changed: Partial<BuildConditions> = {}): BuildConditions => ({
  root,
  package: { importPath: 'm/cmd/app', directory: join(root, 'cmd/app') },
  target: { os: 'linux', arch: 'amd64' },
  flags: settleFlags({}, () => ({})),
  goVersion: 'go1.26.8',
  settings: {},
  vcs: undefined,
  folders: ['/here'],
  ...changed,
});
const key = (changed?: Partial<BuildConditions>) =>
  programKey(conditions(changed), sources, FileDigests.open());
const why = (work: () => void, changed?: Partial<BuildConditions>) => {
  const before = key();
  work();
  return explainDifferences(key(changed).differences(before));
};
const flags = (given: Parameters<typeof settleFlags>[0]) => ({ flags: settleFlags(given, () => ({})) });
const nothing = () => {};

describe('the key of a program changes with', () => {
  it.each<[string, () => void, string]>([
    ['a source file', () => put('lib/lib.go', 'package lib // x'), 'lib/lib.go changed'],
    ['an added source file', () => put('lib/new.go', 'package lib'), 'lib/new.go is new'],
    ['a removed source file', () => rmSync(join(root, 'lib/lib.go')), 'lib/lib.go is gone'],
    ['an embedded file', () => put('cmd/app/data/a.txt', 'b'), 'cmd/app/data/a.txt changed'],
    ['an added embedded file', () => put('cmd/app/data/b.md', 'b'), 'cmd/app/data/b.md is new'],
    ['go.mod', () => put('go.mod', 'module m // x'), 'go.mod changed'],
    ['go.sum', () => put('go.sum', 'x'), 'go.sum is new'],
    ['a module of its own below', () => put('lib/go.mod', 'module lib'), 'lib/go.mod is new'],
    ['a profile', () => put('cmd/app/default.pgo', 'x'), 'there is a profile (PGO)'],
    [
      'several files',
      () => [put('lib/lib.go', '1'), put('cmd/app/main.go', '2')],
      'lib/lib.go changed, and 1 more file',
    ],
  ])('%s', (_, work, because) => {
    expect(why(work)).toBe(because);
  });

  it.each<[string, Partial<BuildConditions>, string]>([
    ['Go', { goVersion: 'go1.27.0' }, 'Go changed: go1.26.8 → go1.27.0'],
    ['a flag', flags({ ldflags: '-s' }), 'ldflags changed: -s -w → -s'],
    ['a tag', flags({ tags: ['x'] }), 'tags changed: none → x'],
    ['cgo', flags({ cgo: 'on' }), 'cgo changed: false → true'],
    [
      'the environment',
      { settings: { GOEXPERIMENT: 'x' } },
      'the environment’s GOEXPERIMENT changed: none → x'.replace('’', "'"),
    ],
    [
      'the feature level of this architecture',
      { settings: { GOAMD64: 'v3' } },
      "the environment's GOAMD64 changed: none → v3",
    ],
    ['the target', { target: { os: 'linux', arch: 'arm64' } }, 'target changed: linux/amd64 → linux/arm64'],
  ])('%s', (_, changed, because) => {
    expect(why(nothing, changed)).toBe(because);
  });

  it('the commit, where Go records it', () => {
    const before = key({ ...flags({ buildvcs: 'on' }), vcs: 'a' });
    const after = key({ ...flags({ buildvcs: 'on' }), vcs: 'b' });
    expect(explainDifferences(after.differences(before))).toBe(
      'the commit that Go records in the program changed',
    );
  });

  it('the folder, where paths are not trimmed', () => {
    const [before, after] = ['/a', '/b'].map((folder) =>
      key({ ...flags({ trimpath: false }), folders: [folder] }),
    );
    expect(explainDifferences(after!.differences(before!))).toMatch(/^the folders changed/);
  });
});

describe('the key of a program does not change with', () => {
  it.each<[string, () => void, Partial<BuildConditions>]>([
    ['a test', () => put('lib/lib_test.go', 'package lib'), {}],
    ['a document', () => put('lib/README.md', 'x'), {}],
    ['a package that it does not use', () => put('other/other.go', 'package other'), {}],
    ['a file for another system', () => put('lib/lib_windows.go', 'package lib // x'), {}],
    ['a hidden file in an embedded folder', () => put('cmd/app/data/.b', 'b'), {}],
    ['a file that is ignored by its name', () => put('lib/_x.go', 'x'), {}],
    ['the commit, where Go does not record it', nothing, { vcs: 'b' }],
    ['the folder, where paths are trimmed', nothing, { folders: ['/there'] }],
    ['the feature level of another architecture', nothing, { settings: { GOARM: '6' } }],
  ])('%s', (_, work, changed) => {
    expect(why(work, changed)).toBe('nothing changed');
  });
});

describe('an explanation', () => {
  it('puts Go before flags before files', () => {
    const differences = Key.of({ files: { a: '2' }, flags: { x: 2 }, go: 'b' }).differences(
      Key.of({ files: { a: '1' }, flags: { x: 1 }, go: 'a' }),
    );
    expect(explainDifferences(differences)).toBe('Go changed: a → b, and 2 more differences');
  });
});

describe('candidates for main packages', () => {
  it('are files with the clause, where go list would look', () => {
    put('tools/gen.go', '//go:build ignore\n\npackage main');
    put('cmd/app/main_test.go', 'package main');
    put('vendor/x/main.go', 'package main');
    put('testdata/main.go', 'package main');
    put('.hidden/main.go', 'package main');
    put('nested/go.mod', 'module nested');
    put('nested/main.go', 'package main');
    const before = mainCandidates(root);
    expect(Object.keys(before)).toEqual(['cmd/app/main.go', 'tools/gen.go']);
    put('cmd/app/main.go', 'package main\n\nfunc main() {}');
    expect(mainCandidates(root)).toEqual(before);
    put('tools/gen.go', 'package main');
    expect(mainCandidates(root)).not.toEqual(before);
  });
});
