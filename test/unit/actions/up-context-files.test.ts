import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contextFiles } from '../../../actions/up/context-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'context-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(...paths: readonly string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `text of ${path}`);
  }
}

function files() {
  return contextFiles({ context: folder, dockerfile: join(folder, 'Dockerfile') });
}

describe('contextFiles shows a stage what it can see', () => {
  it('shows files and folders of the context, and nothing above it', () => {
    write('cmd/app/main.go', 'go.mod');
    const { kind, read, list } = files();
    expect([kind('.'), kind('cmd'), kind('cmd/app/main.go'), kind('other')]).toEqual([
      'directory',
      'directory',
      'file',
      undefined,
    ]);
    expect([kind('..'), kind('../x'), read('../x')]).toEqual([undefined, undefined, undefined]);
    expect(read('go.mod')).toBe('text of go.mod');
    expect(list('.').toSorted()).toEqual(['cmd', 'go.mod']);
  });

  it('leaves out what .dockerignore leaves out, and keeps what it brings back', () => {
    write('bin/app', 'docs/a.md', 'docs/keep.md', 'main.go');
    writeFileSync(join(folder, '.dockerignore'), 'bin\ndocs\n!docs/keep.md\n');
    const { kind, read, list } = files();
    expect([kind('bin'), kind('bin/app'), read('bin/app')]).toEqual([undefined, undefined, undefined]);
    expect([kind('docs'), kind('docs/keep.md'), kind('docs/a.md')]).toEqual(['directory', 'file', undefined]);
    expect(list('docs')).toEqual(['keep.md']);
  });

  it('leaves out what Slipway writes', () => {
    write('.slipway/bin/app', 'api/.slipway/go/x.json', 'main.go', '.slipwayrc');
    const { kind, list } = files();
    expect([kind('.slipway'), kind('.slipway/bin/app'), kind('api/.slipway')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(list('.').toSorted()).toEqual(['.slipwayrc', 'api', 'main.go']);
  });
});
