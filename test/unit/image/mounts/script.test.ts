import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { gatherScript, surveyScript } from '../../../../shared/image/mounts/script.ts';
import { parseSurvey } from '../../../../shared/image/mounts/survey.ts';

const NOW = Date.now() / 1000;
const OLD = Math.floor(NOW) - 90_000;

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'mount-script-'));
  mkdirSync(join(root, 'mount/0'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function put(path: string, text: string, time = NOW): void {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  utimesSync(file, time, time);
}

/** Runs a script as the appended stages do, with its folders below one of this test. */
function sh(script: string): void {
  execFileSync('/bin/sh', [
    '-c',
    script.replaceAll('/.slipway', root).replaceAll('/tmp/slipway', join(root, 'work')),
  ]);
}

const survey = () => {
  sh(surveyScript([0]));
  return parseSurvey(readFileSync(join(root, 'out/0'), 'utf8'));
};

function gathered(part = 0): Record<string, string> {
  const folder = join(root, `out/${part}/mount`);
  return Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]),
  );
}

/** A build cache with its 256 folders. */
function objects(): void {
  for (let at = 0; at < 256; at++) mkdirSync(join(root, 'mount/0', at.toString(16).padStart(2, '0')));
  put('mount/0/README', 'This directory holds cached build artifacts from the Go build system.\n');
  put('mount/0/trim.txt', '1');
}

describe('objects of Go', () => {
  beforeEach(objects);

  it('are all kept where there was no seed, without what Go keeps for itself', () => {
    put('mount/0/00/aa-a', 'action');
    put('mount/0/ff/bb-d', 'data');
    put('mount/0/ff/bb-tmp', 'half');
    expect(survey()).toMatchObject({
      kind: 'objects',
      kept: { files: 2, bytes: 10 },
      fresh: { files: 2, bytes: 10 },
    });
    rmSync(join(root, 'out'), { recursive: true });
    sh(gatherScript({ at: 0, kind: 'objects', delta: false, parts: 4, time: OLD }));
    expect(gathered(0)).toMatchObject({ '00/aa-a': 'action', README: expect.anything() });
    expect(gathered(3)).toEqual({ 'ff/bb-d': 'data' });
    for (const file of ['0/mount/00/aa-a', '3/mount/ff/bb-d', '0/slipway/marker'])
      expect(statSync(join(root, 'out', file)).mtimeMs / 1000).toBe(OLD);
  });

  it('are pruned to those that are newer than the seed', () => {
    for (const [name, time] of [
      ['00/used-d', NOW],
      ['00/idle-d', OLD],
      ['11/new-a', NOW],
    ] as const)
      put(`mount/0/${name}`, name, time);
    put('seed/0/slipway/marker', '', OLD);
    put('seed/0/mount/00/used-d', '00/used-d', OLD);
    put('seed/0/mount/00/idle-d', '00/idle-d', OLD);
    expect(survey()).toEqual({
      kind: 'objects',
      kept: { files: 2, bytes: 17 },
      fresh: { files: 1, bytes: 8 },
      seed: { files: 2, bytes: 18 },
      all: { files: 5, bytes: expect.any(Number) },
    });
    rmSync(join(root, 'out'), { recursive: true });
    sh(gatherScript({ at: 0, kind: 'objects', delta: false, parts: 1, time: OLD }));
    expect(Object.keys(gathered()).sort()).toEqual(['00/used-d', '11/new-a', 'README']);
    rmSync(join(root, 'out'), { recursive: true });
    sh(gatherScript({ at: 0, kind: 'objects', delta: true, parts: 1, time: OLD }));
    expect(Object.keys(gathered()).sort()).toEqual(['11/new-a']);
  });
});

describe('modules of Go', () => {
  it('are kept as the zips of those that were unpacked, and what is known of all', () => {
    const list = [
      'cache/download/example.com/!used/@v/v1.0.0.zip',
      'cache/download/example.com/!used/@v/v1.0.0.ziphash',
      'cache/download/example.com/!used/@v/v1.0.0.mod',
      'cache/download/example.com/!used/@v/v1.0.0.lock',
      'cache/download/example.com/idle/@v/v2.0.0.zip',
      'cache/download/example.com/idle/@v/v2.0.0.info',
      'cache/download/sumdb/sum/tile/1',
      'example.com/!used@v1.0.0/used.go',
      'cache/lock',
    ];
    for (const name of list) put(`mount/0/${name}`, name);
    expect(survey()).toMatchObject({ kind: 'modules', kept: { files: 4 } });
    rmSync(join(root, 'out'), { recursive: true });
    sh(gatherScript({ at: 0, kind: 'modules', delta: false, parts: 1, time: OLD }));
    expect(Object.keys(gathered()).sort()).toEqual([
      'cache/download/example.com/!used/@v/v1.0.0.mod',
      'cache/download/example.com/!used/@v/v1.0.0.zip',
      'cache/download/example.com/idle/@v/v2.0.0.info',
      'cache/download/sumdb/sum/tile/1',
    ]);
  });
});

describe('any other mount', () => {
  it('is kept whole, odd names and modes too', () => {
    put('mount/0/a b/$(x) "q"', '1');
    put('mount/0/.hidden', '22');
    chmodSync(join(root, 'mount/0/.hidden'), 0o600);
    chmodSync(join(root, 'mount/0'), 0o1777);
    expect(survey()).toEqual({
      kind: 'other',
      kept: { files: 2, bytes: 3 },
      fresh: { files: 2, bytes: 3 },
      seed: { files: 0, bytes: 0 },
      all: { files: 2, bytes: 3 },
    });
    rmSync(join(root, 'out'), { recursive: true });
    sh(gatherScript({ at: 0, kind: 'other', delta: false, parts: 1, time: OLD }));
    expect(gathered()).toEqual({ 'a b/$(x) "q"': '1', '.hidden': '22' });
    expect(statSync(join(root, 'out/0/mount')).mode & 0o7777).toBe(0o1777);
    expect(statSync(join(root, 'out/0/mount/.hidden')).mode & 0o777).toBe(0o600);
    expect(statSync(join(root, 'out/0/mount/.hidden')).mtimeMs / 1000).toBeCloseTo(NOW, 0);
  });

  it('that is empty is told as such', () => {
    expect(survey()).toMatchObject({ kind: 'other', all: { files: 0, bytes: 0 } });
    expect(existsSync(join(root, 'out/0'))).toBe(true);
  });

  it('has as new what its seed lacks and what was changed since', () => {
    put('mount/0/same', '1', OLD - 10);
    put('mount/0/copied', '22', OLD - 10);
    put('mount/0/changed', '333', NOW);
    put('seed/0/slipway/marker', '', OLD);
    put('seed/0/mount/same', '1', OLD - 10);
    put('seed/0/mount/changed', '3', OLD - 10);
    expect(survey()).toMatchObject({
      kept: { files: 3 },
      fresh: { files: 2, bytes: 5 },
      seed: { files: 2, bytes: 2 },
    });
  });
});
