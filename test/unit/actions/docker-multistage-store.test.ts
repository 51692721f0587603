import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openResults, parseStore } from '../../../actions/docker-multistage/stores.ts';
import { Failure, type Host } from '../../../shared/host/index.ts';
import { openLayout, RegistryClient, registrySource, registryTarget } from '../../../shared/oci/index.ts';
import { requestFor } from '../../conformance/image/native.ts';
import { memoryHost } from '../image/host.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-store-'));
beforeAll(() => {
  mkdirSync(join(root, 'results'));
  writeFileSync(join(root, 'file'), '');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the input store', () => {
  it.each([
    ['auto', { kind: 'auto' }],
    ['', { kind: 'auto' }],
    ['none', { kind: 'none' }],
    ['actions', { kind: 'actions' }],
    ['results', { kind: 'folder', path: join(root, 'results') }],
    ['./new/folder', { kind: 'folder', path: join(root, 'new/folder') }],
    ['/elsewhere', { kind: 'folder', path: '/elsewhere' }],
    [
      'registry:ghcr.io/org/app-cache',
      { kind: 'registry', repository: { registry: 'ghcr.io', repository: 'org/app-cache' } },
    ],
    [
      'registry:localhost:5000/app',
      { kind: 'registry', repository: { registry: 'localhost:5000', repository: 'app' } },
    ],
  ])('takes "%s"', (text, choice) => {
    expect(parseStore(text, root)).toEqual(choice);
  });

  it.each([
    ['action', /Input "store" is "action"; accepted is auto, actions, none, .* Did you mean "actions"\?$/],
    ['s3://bucket/cache', /Input "store" is "s3:\/\/bucket\/cache"; accepted is auto/],
    ['file', /which is a file/],
    ['registry:ghcr.io/org/app:tag', /without tag or digest: registry:ghcr\.io\/org\/app\.$/],
    ['registry:', /^Input "store" is "registry:": /],
    ['registry:ghcr.io/Org/x', /^Input "store" is "registry:ghcr\.io\/Org\/x": /],
  ])('refuses "%s" in one sentence', (text, message) => {
    expect(() => parseStore(text, root)).toThrow(Failure);
    expect(() => parseStore(text, root)).toThrow(message);
  });
});

describe('results of stages are kept', () => {
  const client = new RegistryClient({ credentials: {} as never, secret: () => {} });
  afterAll(() => client.close());
  const request = () => requestFor(root);
  const host = (more: Partial<Host> = {}): Host => ({ ...memoryHost(root), ...more });
  const repository = { registry: 'ghcr.io', repository: 'org/app' };
  const pushed = {
    kind: 'registry',
    target: registryTarget(client, repository),
    source: registrySource(client, repository),
    tags: ['1'],
  } as const;
  const actions = { ACTIONS_RUNTIME_TOKEN: 't', ACTIONS_CACHE_URL: 'http://127.0.0.1:9/' };

  it('in the repository that is pushed to, else in the Actions cache, else in a folder of the user', async () => {
    const layout = { kind: 'layout', target: await openLayout(join(root, 'layout')), tags: [] } as const;
    const name = (...args: [Partial<Host>, Parameters<typeof openResults>[3], Record<string, string>]) =>
      openResults(host(args[0]), { kind: 'auto' }, request(), args[1], client, args[2])?.name;
    expect(name({ kind: 'github' }, [layout, pushed], actions)).toBe('ghcr.io/org/app');
    expect(name({ kind: 'github' }, [layout], actions)).toBe('the GitHub Actions cache');
    expect(name({ kind: 'github' }, [layout], {})).toBeUndefined();
    expect(name({ kind: 'terminal' }, [layout], { XDG_CACHE_HOME: '/cache' })).toBe(
      'the cache folder /cache/slipway/results',
    );
  });

  it('nowhere where that is asked for, and nowhere silently where it cannot be', () => {
    expect(openResults(host(), { kind: 'none' }, request(), [pushed], client, {})).toBeUndefined();
    expect(() => openResults(host(), { kind: 'actions' }, request(), [pushed], client, {})).toThrow(
      /has no access to a GitHub Actions cache/,
    );
  });

  it('by trusted runs alone', () => {
    const results = openResults(
      host({ run: { trusted: false } }),
      { kind: 'auto' },
      request(),
      [pushed],
      client,
      {},
    );
    expect(results?.writable).toBe(false);
  });
});
