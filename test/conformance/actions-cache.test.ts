import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { serviceV1 } from '../../shared/cache/actions-service-v1.ts';
import { serviceV2 } from '../../shared/cache/actions-service-v2.ts';
import { CacheService } from '../lab/cache-service.ts';

/**
 * GitHub's own client, @actions/cache, against the stand-in that our tests use, and against what our client writes and reads: what
 * one stores under its version hash the other finds, byte for byte.
 */
describe.each([1, 2] as const)('@actions/cache and ours, service v%d', (version) => {
  let folder: string;
  let service: CacheService;
  let before: NodeJS.ProcessEnv;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'actions-cache-'));
    service = await CacheService.start();
    before = { ...process.env };
    // Their client speaks to a runner on standard output, and this may be one.
    vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    for (const name of ['ACTIONS_CACHE_SERVICE_V2', 'ACTIONS_RESULTS_URL', 'ACTIONS_CACHE_URL'])
      delete process.env[name];
    Object.assign(process.env, service.environment(version), {
      RUNNER_TEMP: folder,
      GITHUB_WORKSPACE: folder,
    });
    mkdirSync(join(folder, 'data'));
    writeFileSync(join(folder, 'data/file'), randomBytes(3_000_000));
  });
  afterEach(async () => {
    vi.restoreAllMocks();
    process.env = before;
    await service[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const ours = () => (version === 1 ? serviceV1(service.url, 'token') : serviceV2(service.url, 'token'));

  it('saves and restores against the stand-in', async () => {
    const cache = await import('@actions/cache');
    const content = readFileSync(join(folder, 'data/file'));
    await cache.saveCache([join(folder, 'data')], 'key-1');
    rmSync(join(folder, 'data'), { recursive: true });
    expect(await cache.restoreCache([join(folder, 'data')], 'key-2', ['key-'])).toBe('key-1');
    expect(readFileSync(join(folder, 'data/file')).equals(content)).toBe(true);
  });

  it('saves what ours looks up and downloads', async () => {
    const cache = await import('@actions/cache');
    await cache.saveCache([join(folder, 'data')], 'key-1');
    const [entry] = service.entries;
    const found = await ours().lookUp({ key: 'none', prefixes: ['key-'] }, entry!.version, undefined);
    expect(found?.key).toBe('key-1');
    const bytes = Buffer.from(await (await fetch(found!.url)).arrayBuffer());
    writeFileSync(join(folder, 'archive'), bytes);
    expect(execFileSync('tar', ['--zstd', '-tPf', join(folder, 'archive')]).toString()).toContain(
      'data/file',
    );
  });

  it('restores what ours uploaded, and sees that the key is taken', async () => {
    const cache = await import('@actions/cache');
    const path = join(folder, 'data');
    // The version hash of this path, as their client computes it.
    await cache.saveCache([path], 'probe');
    const hash = service.entries[0]!.version;
    execFileSync('tar', ['--zstd', '-cPf', join(folder, 'archive'), path]);
    const archive = readFileSync(join(folder, 'archive'));
    const upload = await ours().reserve('ours', hash, archive.length, undefined);
    for (let start = 0, index = 0; start < archive.length; start += 1_000_000, index++)
      await upload!.send(archive.subarray(start, start + 1_000_000), index, start);
    await upload!.finish(Math.ceil(archive.length / 1_000_000));
    const content = readFileSync(join(path, 'file'));
    rmSync(path, { recursive: true });
    expect(await cache.restoreCache([path], 'ours')).toBe('ours');
    expect(readFileSync(join(path, 'file')).equals(content)).toBe(true);
    expect(await ours().reserve('ours', hash, 1, undefined)).toBeUndefined();
  });
});
