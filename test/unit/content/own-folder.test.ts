import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOwn, makeOwnFolder } from '../../../shared/content/index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'own-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('makeOwnFolder', () => {
  it('makes the folder and hides it from git', () => {
    makeOwnFolder(join(folder, 'service/.slipway'));
    expect(readFileSync(join(folder, 'service/.slipway/.gitignore'), 'utf8')).toBe('*\n');
  });

  it('leaves a .gitignore that is there as it is', () => {
    makeOwnFolder(folder);
    writeFileSync(join(folder, '.gitignore'), 'bin\n');
    makeOwnFolder(folder);
    expect(readFileSync(join(folder, '.gitignore'), 'utf8')).toBe('bin\n');
  });

  it('goes on where nothing can be written', () => {
    writeFileSync(join(folder, 'file'), '');
    makeOwnFolder(join(folder, 'file/.slipway'));
    expect(existsSync(join(folder, 'file/.slipway'))).toBe(false);
  });
});

describe('isOwn', () => {
  it.each<[string, boolean]>([
    ['.slipway', true],
    ['.slipway/bin/app', true],
    ['services/api/.slipway/go', true],
    ['.slipwayrc', false],
    ['a.slipway/x', false],
    ['.', false],
  ])('%s: %s', (path, own) => {
    expect(isOwn(path)).toBe(own);
  });
});
