import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FileDigests } from '../../../shared/content/index.ts';

const sha = (text: string) => createHash('sha256').update(text).digest('hex');

describe('digests of files', () => {
  let folder: string;
  let memory: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'digests-'));
    memory = join(folder, 'state', 'files.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (name: string, text: string, age = 3600) => {
    const path = join(folder, name);
    writeFileSync(path, text);
    const time = Date.now() / 1000 - age;
    utimesSync(path, time, time);
    return path;
  };

  it('are SHA-256 of the content', () => {
    expect(FileDigests.open().digest(write('a', 'hello'))).toBe(sha('hello'));
  });

  it('are undefined for what is no file', () => {
    const digests = FileDigests.open();
    mkdirSync(join(folder, 'sub'));
    symlinkSync(write('a', 'x'), join(folder, 'link'));
    expect(digests.digest(join(folder, 'absent'))).toBeUndefined();
    expect(digests.digest(join(folder, 'sub'))).toBeUndefined();
    expect(digests.digest(join(folder, 'link'))).toBeUndefined();
    expect(digests.digest(join(folder, 'link'), { through: true })).toBe(sha('x'));
  });

  it('are remembered across runs as long as the file was not touched', async () => {
    const path = write('a', 'one');
    await sleep(30);
    const first = FileDigests.open(memory);
    first.digest(path);
    first.save();
    const forged = join(folder, 'state', 'files.json');
    // A memory that lies shows that it is what answers.
    const entries = JSON.parse((await import('node:fs')).readFileSync(forged, 'utf8'));
    entries[0][2] = 'remembered';
    writeFileSync(forged, JSON.stringify(entries));
    expect(FileDigests.open(memory).digest(path)).toBe('remembered');
    writeFileSync(path, 'two');
    expect(FileDigests.open(memory).digest(path)).toBe(sha('two'));
  });

  it('see a change that keeps size and modification time', async () => {
    const path = write('a', 'one');
    const { mtime } = statSync(path);
    await sleep(30);
    const first = FileDigests.open(memory);
    first.digest(path);
    first.save();
    writeFileSync(path, 'two');
    utimesSync(path, mtime, mtime);
    expect(FileDigests.open(memory).digest(path)).toBe(sha('two'));
  });

  it('are not remembered for a file that was written a moment ago', () => {
    const path = join(folder, 'a');
    writeFileSync(path, 'one');
    const first = FileDigests.open(memory);
    first.digest(path);
    first.save();
    expect(JSON.parse(readText(memory))).toEqual([]);
  });

  it('take a damaged memory for an empty one', () => {
    mkdirSync(join(folder, 'state'));
    writeFileSync(memory, '{"not": a list');
    expect(FileDigests.open(memory).digest(write('a', 'x'))).toBe(sha('x'));
  });
});

function readText(path: string): string {
  return process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
}
