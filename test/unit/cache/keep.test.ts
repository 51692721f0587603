import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  describeRestored,
  describeSaved,
  directoryStore,
  pack,
  restore,
  type Store,
  save,
} from '../../../shared/cache/index.ts';

let folder: string;
let options: { temporary: string };
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keep-'));
  options = { temporary: join(folder, 'temporary') };
  mkdirSync(options.temporary);
  writeFileSync(join(folder, 'a'), 'content');
});
afterEach(() => rmSync(folder, { recursive: true }));

const store = () => directoryStore(join(folder, 'store'), { limit: 1e9 });
const files = () => [{ name: 'a', path: join(folder, 'a') }];
const into = () => join(folder, 'into');
const archive = () => {
  const [name] = readdirSync(join(folder, 'store'));
  return join(folder, 'store', name!);
};
const faulty = (fault: Partial<Store>): Store => ({ ...store(), ...fault });

describe('restore and save', () => {
  it('bring files back, and say how they did', async () => {
    const saved = await save(store(), { ...options, key: 'k-1', files: files() });
    expect(saved).toMatchObject({ kind: 'saved', files: 1 });
    expect(await save(store(), { ...options, key: 'k-1', files: files() })).toEqual({ kind: 'present' });
    const near = await restore(store(), { ...options, key: 'k-2', prefixes: ['k-'], into: into() });
    expect(near).toMatchObject({
      kind: 'restored',
      key: 'k-1',
      exact: false,
      files: [{ name: 'a', size: 7 }],
    });
    expect(await restore(store(), { ...options, key: 'k-1', into: into() })).toMatchObject({ exact: true });
    expect(readFileSync(join(into(), 'a'), 'utf8')).toBe('content');
    expect(readdirSync(options.temporary)).toEqual([]);
    expect(describeRestored(near)).toMatch(/^7 B in 1 files, .* \(a near key\)$/);
    expect(describeSaved(saved)).toMatch(/stored, 1 files/);
  });

  it('find nothing in an empty store', async () => {
    expect(await restore(store(), { ...options, key: 'k', into: into() })).toEqual({ kind: 'none' });
  });

  it.each<[string, Partial<Store>, string]>([
    [
      'down',
      { fetch: async () => Promise.reject(new Error('connect ECONNREFUSED')) },
      'connect ECONNREFUSED',
    ],
    ['slow', { fetch: (_, __, signal) => sleep(60_000, undefined, { signal }) }, 'no end after 50 ms'],
    ['deaf to being given up', { fetch: () => sleep(120, undefined) }, 'no end after 50 ms'],
    [
      'mistaken about the key',
      { fetch: async () => ({ key: 'other', file: archive() }) },
      'it is the entry of another key, "other"',
    ],
    ['pointing at nothing', { fetch: async () => ({ key: 'k', file: '/nonexistent' }) }, 'ENOENT'],
  ])('go on without a store that is %s', async (_, fault, because) => {
    await save(store(), { ...options, key: 'k', files: files() });
    const result = await restore(faulty(fault), { ...options, key: 'k', into: into(), patience: 50 });
    expect(result).toMatchObject({ kind: 'failed', because: expect.stringContaining(because) });
    expect(existsSync(into())).toBe(false);
    expect(readdirSync(options.temporary)).toEqual([]);
  });

  it('go on without an entry that is cut off', async () => {
    await save(store(), { ...options, key: 'k', files: files() });
    truncateSync(archive(), 60);
    const result = await restore(store(), { ...options, key: 'k', into: into() });
    expect(result).toMatchObject({ kind: 'failed' });
    expect(describeRestored(result)).toMatch(/^not usable: /);
    expect(existsSync(into())).toBe(false);
  });

  it('report a save that fails', async () => {
    const full = faulty({ put: async () => Promise.reject(new Error('ENOSPC: no space left on device')) });
    const result = await save(full, { ...options, key: 'k', files: files() });
    expect(result).toEqual({ kind: 'failed', because: 'ENOSPC: no space left on device' });
    expect(describeSaved(result)).toBe('not saved: ENOSPC: no space left on device');
    expect(readdirSync(options.temporary)).toEqual([]);
  });

  it('throw what cancels them', async () => {
    const reason = new Error('cancelled');
    const request = { ...options, key: 'k', into: into(), signal: AbortSignal.abort(reason) };
    const waits = faulty({ fetch: (_, __, signal) => sleep(60_000, undefined, { signal }) });
    await expect(restore(waits, request)).rejects.toBe(reason);
  });

  it('pack what they are given and nothing else', async () => {
    const { members } = await pack(files(), join(folder, 'archive'));
    expect(members.map(({ name }) => name)).toEqual(['a']);
  });
});
