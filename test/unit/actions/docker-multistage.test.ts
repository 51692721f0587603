import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { keyTagUse, readBuilder } from '../../../actions/docker-multistage/request.ts';
import { readInputs } from '../../../shared/host/index.ts';
import { memoryHost, runAction } from '../image/host.ts';

it('masks the values of secrets, wherever they come from', () => {
  const host = memoryHost('/w');
  const given: Readonly<Record<string, string>> = {
    secrets: 'token=from-an-input',
    'secret-envs': 'npm=NPM_TOKEN\nabsent=NOT_SET',
  };
  const { secrets } = readBuilder(
    host,
    readInputs(definition, (name) => given[name]),
    { NPM_TOKEN: 'from-a-variable' },
  );
  expect(secrets).toEqual([
    { id: 'token', value: 'from-an-input' },
    { id: 'npm', variable: 'NPM_TOKEN' },
    { id: 'absent', variable: 'NOT_SET' },
  ]);
  expect(host.secrets.filter(Boolean)).toEqual(['from-an-input', 'from-a-variable']);
});

it.each([
  ['a branch', true, { trusted: true, branch: 'main' }, { read: true, write: true }],
  ['a fork', true, { trusted: false, branch: 'pull/7' }, { read: true, write: false }],
  ['a release', true, { trusted: true, tag: 'v1.0.0' }, { read: false, write: true }],
  ['nobody, where it is off', false, { trusted: true }, { read: false, write: false }],
])('takes images by the tags of their keys as is safe for %s', (_, wanted, run, use) => {
  expect(keyTagUse({ 'reuse-tag': wanted }, run)).toEqual(use);
});

describe('a registry without TLS', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is spoken to when its name is given', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'slipway-insecure-'));
    writeFileSync(join(folder, 'Dockerfile'), 'FROM registry.invalid/base:1\nCOPY Dockerfile /\n');
    const asked: (string | undefined)[] = [];
    // A proxy is asked by the whole address, so no name has to be looked up.
    const proxy = http.createServer((request, response) => {
      asked.push(request.url);
      response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    vi.stubEnv('HTTP_PROXY', `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`);
    vi.stubEnv('http_proxy', undefined);
    vi.stubEnv('NO_PROXY', '');
    vi.stubEnv('no_proxy', '');
    const inputs = { 'insecure-registries': 'registry.invalid', plan: 'true' };
    await expect(runAction(folder, inputs)).rejects.toThrow('the registry registry.invalid does not have it');
    expect(asked[0]).toBe('http://registry.invalid/v2/base/manifests/1');
    proxy.close();
    rmSync(folder, { recursive: true });
  });

  it.each(['http://registry.internal', 'registry.internal/app'])('is no %s', async (name) => {
    await expect(runAction('/', { 'insecure-registries': name })).rejects.toThrow(
      `Input "insecure-registries" has "${name}"; accepted is a host`,
    );
  });
});
