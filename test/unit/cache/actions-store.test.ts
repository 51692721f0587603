import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { actionsStore, restore, save } from '../../../shared/cache/index.ts';
import { CacheService } from '../../lab/cache-service.ts';

let folder: string;
let service: CacheService;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'actions-store-'));
  service = await CacheService.start();
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe.each([1, 2] as const)('the Actions cache, service v%d', (version) => {
  const store = () => actionsStore(service.environment(version))!;
  const put = (key: string, content: Buffer | string) => {
    writeFileSync(join(folder, 'from'), content);
    return store().put(key, join(folder, 'from'));
  };
  const get = async (key: string, prefixes: string[] = []) => {
    const entry = await store().fetch({ key, prefixes }, join(folder, 'to'));
    return entry && { key: entry.key, content: readFileSync(entry.file) };
  };

  it('stores in parts and brings back in ranges', async () => {
    const content = randomBytes(20 * 2 ** 20 + 7);
    expect(await put('k', content)).toBe('stored');
    const found = await get('k');
    expect(found?.key).toBe('k');
    expect(found?.content.equals(content)).toBe(true);
    expect(service.calls.filter(({ name, range }) => name === 'blob' && range !== undefined)).toHaveLength(3);
  });

  it('finds exact keys before prefixes, and the newest of a prefix', async () => {
    await put('go-main-1', 'one');
    await put('go-main-2', 'two');
    expect((await get('go-main-1', ['go-']))?.key).toBe('go-main-1');
    expect((await get('go-x', ['go-none', 'go-main-', 'go-']))?.key).toBe('go-main-2');
    expect(await get('x', ['y'])).toBeUndefined();
  });

  it('says which keys it has', async () => {
    await put('a', 'x');
    await put('ab', 'x');
    expect(await store().has(['a', 'ab', 'abc', 'b'])).toEqual(new Set(['a', 'ab']));
  });

  it('leaves an entry that is there as it is', async () => {
    await put('k', 'one');
    expect(await put('k', 'two')).toBe('present');
    expect((await get('k'))?.content.toString()).toBe('one');
  });

  it('refuses keys that the service would refuse', async () => {
    await expect(put('a,b', 'x')).rejects.toThrow(/holds a comma/);
    await expect(get('x'.repeat(513))).rejects.toThrow(/longer than 512/);
  });

  it('tries again where the service is busy or a connection breaks, part by part', async () => {
    const content = randomBytes(9 * 2 ** 20);
    service.fault = ({ name }, count) => (name !== 'blob' && count === 1 ? { status: 503 } : undefined);
    expect(await put('k', content)).toBe('stored');
    service.fault = ({ name, range }, count) =>
      name === 'blob' && range !== undefined && count % 2 === 0 ? { cutAfter: 1000 } : undefined;
    expect((await get('k'))?.content.equals(content)).toBe(true);
  });

  it('gives up with the answer when it stays so', async () => {
    service.fault = () => ({ status: 429, headers: { 'retry-after': '0.01' } });
    await expect(get('k')).rejects.toThrow('the cache service answered 429');
    expect(service.calls).toHaveLength(3);
  });

  it('does not try again what is refused', async () => {
    service.fault = () => ({ status: 403 });
    await expect(put('k', 'x')).rejects.toThrow('the cache service answered 403');
    expect(service.calls).toHaveLength(1);
  });

  it.each([
    ['down', 403, {}],
    ['without the blob', 404, { name: 'blob' }],
  ] as const)('costs a restore nothing but time when it is %s', async (_, status, where) => {
    const files = [{ name: 'a', path: join(folder, 'from') }];
    writeFileSync(join(folder, 'from'), 'content');
    const saved = await save(store(), { temporary: folder, key: 'k', files });
    expect(saved.kind).toBe('saved');
    service.fault = ({ name }) => ('name' in where && where.name !== name ? undefined : { status });
    const result = await restore(store(), { temporary: folder, key: 'k', into: join(folder, 'into') });
    expect(result).toMatchObject({ kind: 'failed', because: expect.stringContaining(`answered ${status}`) });
  });

  it('is given up when it does not answer', async () => {
    service.fault = () => ({ silent: true });
    const result = await restore(store(), { temporary: folder, key: 'k', into: folder, patience: 100 });
    expect(result).toEqual({ kind: 'failed', because: 'no end after 100 ms' });
  });

  it.each([
    [
      'other bytes',
      (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 10), Buffer.from('x'), bytes.subarray(11)]),
    ],
    ['fewer bytes', (bytes: Buffer) => bytes.subarray(0, -5)],
    ['none', () => Buffer.alloc(0)],
  ])('is not believed when it sends %s', async (_, change) => {
    writeFileSync(join(folder, 'from'), randomBytes(1000));
    await save(store(), { temporary: folder, key: 'k', files: [{ name: 'a', path: join(folder, 'from') }] });
    service.entries[0]!.content = change(service.entries[0]!.content!);
    const result = await restore(store(), { temporary: folder, key: 'k', into: join(folder, 'into') });
    expect(result.kind).toBe('failed');
  });
});

describe('the Actions cache', () => {
  it.each([
    ['nothing', {}],
    ['a token alone', { ACTIONS_RUNTIME_TOKEN: 't' }],
    ['an address alone', { ACTIONS_RESULTS_URL: 'http://127.0.0.1/', ACTIONS_CACHE_SERVICE_V2: 'true' }],
    [
      'an Enterprise Server without a cache',
      {
        ACTIONS_RUNTIME_TOKEN: 't',
        ACTIONS_RESULTS_URL: 'http://127.0.0.1/',
        ACTIONS_CACHE_SERVICE_V2: 'true',
        GITHUB_SERVER_URL: 'https://git.example.com',
      },
    ],
  ])('is absent where the environment has %s', (_, env) => {
    expect(actionsStore(env)).toBeUndefined();
  });
});
