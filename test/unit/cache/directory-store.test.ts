import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directoryStore } from '../../../shared/cache/index.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'store-'));
  file = join(folder, 'archive');
});
afterEach(() => rmSync(folder, { recursive: true }));

const store = (limit = 1e9) => directoryStore(join(folder, 'store'), { limit });
const put = (key: string, content: string, on = store()) => {
  writeFileSync(file, content);
  return on.put(key, file);
};
const get = async (key: string, prefixes: string[] = []) => {
  const entry = await store().fetch({ key, prefixes }, join(folder, 'to'));
  return entry && [entry.key, readFileSync(entry.file, 'utf8')];
};
const age = (key: string, seconds: number) => {
  const time = Date.now() / 1000 - seconds;
  utimesSync(join(folder, 'store', `${encodeURIComponent(key)}.tar.zst`), time, time);
};

describe('a folder as a store', () => {
  it('is empty at first', async () => {
    expect(await get('k', [''])).toBeUndefined();
    expect(await store().has(['k'])).toEqual(new Set());
  });

  it('gives the exact entry before any prefix, and the newest of the first prefix that has one', async () => {
    await put('go-main-1', 'old');
    await put('go-main-2', 'new');
    await put('go-other-3', 'other');
    age('go-main-2', 10);
    age('go-main-1', 20);
    expect(await get('go-main-1', ['go-'])).toEqual(['go-main-1', 'old']);
    expect(await get('go-main-9', ['go-none-', 'go-main-', 'go-'])).toEqual(['go-main-2', 'new']);
    expect(await get('go-x', ['go-'])).toEqual(['go-other-3', 'other']);
  });

  it('says which keys it has in one look', async () => {
    await put('a/b c', 'x');
    expect(await store().has(['a/b c', 'a', 'b'])).toEqual(new Set(['a/b c']));
  });

  it('never changes an entry', async () => {
    expect(await put('k', 'first')).toBe('stored');
    expect(await put('k', 'second')).toBe('present');
    expect(await get('k')).toEqual(['k', 'first']);
  });

  it.each(['../escape', '/abs', '.hidden', '..', 'a%2Fb', 'ü*?'])(
    'keeps the key %j inside of itself',
    async (key) => {
      expect(await put(key, 'x')).toBe('stored');
      expect(await get(key)).toEqual([key, 'x']);
      expect(readdirSync(folder).sort()).toEqual(['archive', 'store']);
      expect(readdirSync(join(folder, 'store'))).toHaveLength(1);
    },
  );

  it('drops what was not used for longest when it outgrows its limit, never what was just stored', async () => {
    await put('a', 'x'.repeat(100));
    await put('b', 'x'.repeat(100));
    await put('c', 'x'.repeat(100));
    for (const [key, seconds] of [
      ['a', 30],
      ['b', 20],
      ['c', 10],
    ] as const)
      age(key, seconds);
    await get('a');
    await put('d', 'x'.repeat(100), store(300));
    expect(await store().has(['a', 'b', 'c', 'd'])).toEqual(new Set(['a', 'c', 'd']));
    await put('e', 'x'.repeat(1000), store(300));
    expect(await store().has(['a', 'b', 'c', 'd', 'e'])).toEqual(new Set(['e']));
  });

  it('keeps its order of saving when an old entry is used', async () => {
    await put('k-1', 'old');
    await put('k-2', 'new');
    age('k-1', 20);
    age('k-2', 10);
    await get('k-1');
    expect(await get('none', ['k-'])).toEqual(['k-2', 'new']);
  });

  it('takes many writers of one key at once', async () => {
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => put('k', 'same')));
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
    expect(readdirSync(join(folder, 'store'))).toHaveLength(1);
  });

  it('clears away what a killed process left, and not what another one is writing', async () => {
    await put('k', 'x');
    const [old, fresh] = ['.old.part', '.fresh.part'].map((name) => join(folder, 'store', name));
    writeFileSync(old!, '');
    writeFileSync(fresh!, '');
    const time = Date.now() / 1000 - 7200;
    utimesSync(old!, time, time);
    await put('l', 'x');
    expect(readdirSync(join(folder, 'store')).filter((name) => name.endsWith('.part'))).toEqual([
      '.fresh.part',
    ]);
  });
});
