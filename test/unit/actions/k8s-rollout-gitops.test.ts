import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { definition } from '../../../actions/k8s-rollout/definition.ts';
import { changeFolder, render } from '../../../actions/k8s-rollout/rendered.ts';
import { main } from '../../../actions/k8s-rollout/run.ts';
import { readInputs } from '../../../shared/host/index.ts';
import type { Manifest } from '../../../shared/kubernetes/index.ts';
import { type MemoryHost, memoryHost } from '../image/host.ts';

const DIGEST = `sha256:${'0'.repeat(64)}`;
const object = (kind: string, name: string, more: object = {}, apiVersion = 'v1') => ({
  apiVersion,
  kind,
  metadata: { name },
  ...more,
});
const storefront = (greeting: string) => [
  object('ConfigMap', 'storefront', { data: { greeting } }),
  object(
    'Deployment',
    'storefront',
    {
      spec: {
        selector: { matchLabels: { app: 'storefront' } },
        template: {
          metadata: { labels: { app: 'storefront' } },
          spec: {
            containers: [
              { name: 'app', image: 'placeholder', envFrom: [{ configMapRef: { name: 'storefront' } }] },
            ],
          },
        },
      },
    },
    'apps/v1',
  ),
];

/** A checkout of a repository on a server. */
class Checkout implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'slipway-gitops-'));
  readonly origin = join(this.folder, 'origin.git');
  readonly work = join(this.folder, 'work');

  constructor() {
    this.git('.', 'init', '--quiet', '--bare', '--initial-branch=main', this.origin);
    this.git('.', 'clone', '--quiet', `file://${this.origin}`, 'work');
    this.write(...storefront('hello'));
    this.git('work', 'add', '--all');
    this.git('work', 'commit', '--quiet', '-m', 'start');
    this.git('work', 'push', '--quiet', 'origin', 'HEAD');
  }

  git(directory: string, ...args: string[]): string {
    return execFileSync('git', args, {
      cwd: join(this.folder, directory),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  }

  write(...items: readonly object[]): void {
    const file = join(this.work, 'deploy/all.json');
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  }

  files(branch: string): string[] {
    return this.git('origin.git', 'ls-tree', '-r', '--name-only', branch).split('\n');
  }

  show(path: string): string {
    return this.git('origin.git', 'show', path);
  }

  host(): MemoryHost {
    return {
      ...memoryHost(this.work),
      run: {
        trusted: true,
        repository: 'shop/storefront',
        sha: 'abc',
        url: 'https://github.com/shop/storefront/actions/runs/7',
        branch: 'main',
        actor: { name: 'octocat', email: '1+octocat@users.noreply.github.com' },
      },
    };
  }

  async roll(inputs: Readonly<Record<string, string>>, host = this.host()): Promise<MemoryHost> {
    const given: Readonly<Record<string, string>> = {
      images: `app=ghcr.io/shop/storefront:1.4@${DIGEST}`,
      namespace: 'shop',
      gitops: 'production:clusters/eu',
      ...inputs,
    };
    const read = readInputs(definition, (name) => given[name]);
    await main(host, read);
    return host;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

describe('gitops', () => {
  let checkout: Checkout;
  beforeEach(() => {
    for (const [name, value] of Object.entries({
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_CONFIG_SYSTEM: '/dev/null',
      GIT_AUTHOR_NAME: 'Someone',
      GIT_AUTHOR_EMAIL: 'someone@example.com',
      GIT_COMMITTER_NAME: 'Someone',
      GIT_COMMITTER_EMAIL: 'someone@example.com',
      RUNNER_TEMP: '',
    }))
      vi.stubEnv(name, value);
    checkout = new Checkout();
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    checkout[Symbol.dispose]();
  });

  it('commits rendered, pinned manifests, one file an object, with the images in the message', async () => {
    const { outputs } = await checkout.roll({});
    expect(outputs).toMatchObject({ result: 'complete', changed: 'true' });
    expect(outputs.revision).toBe(checkout.git('origin.git', 'rev-parse', 'production'));
    expect(checkout.files('production')).toEqual([
      'clusters/eu/shop.configmap.storefront.yaml',
      'clusters/eu/shop.deployment.storefront.yaml',
    ]);
    const text = checkout.show('production:clusters/eu/shop.deployment.storefront.yaml');
    expect(text).toMatch(
      /^# Rendered by Slipway for release storefront\. Changes made here are overwritten\.\napiVersion: apps\/v1\nkind: Deployment\n/,
    );
    expect(text).toContain(`image: ghcr.io/shop/storefront:1.4@${DIGEST}\n`);
    expect(text).toMatch(/slipway\.dev\/configuration: "?[0-9a-f]{64}/);
    expect(checkout.git('origin.git', 'log', '-1', '--format=%an%n%B', 'production')).toBe(
      `octocat\nRoll out storefront\n\nghcr.io/shop/storefront:1.4@${DIGEST}\n\nSource: shop/storefront@abc\nRun: https://github.com/shop/storefront/actions/runs/7`,
    );
  });

  it('commits nothing when nothing changed, and only what did when something did', async () => {
    const first = await checkout.roll({});
    const second = await checkout.roll({});
    expect(second.outputs).toMatchObject({ changed: 'false', revision: first.outputs.revision });
    expect(second.summaries[0]!.markdown).toContain('Nothing changed in clusters/eu of production.');
    checkout.write(...storefront('bye'));
    const third = await checkout.roll({});
    expect(third.outputs.changed).toBe('true');
    expect(third.summaries[0]!.markdown).toMatch(/- {3}data\.greeting: hello\n\+ {3}data\.greeting: bye/);
    expect(third.summaries[0]!.markdown).toContain('this run has not seen it in service');
  });

  it('shows with plan what would be committed, and commits nothing', async () => {
    const { outputs, summaries } = await checkout.roll({ plan: 'true' });
    expect(outputs.result).toBe('planned');
    expect(summaries[0]!.markdown).toContain('Would be committed to clusters/eu of production: 2 new.');
    expect(checkout.git('origin.git', 'branch', '--list')).toBe('* main');
  });

  it('keeps what is rendered no more unless it may prune, and never touches what others wrote', async () => {
    await checkout.roll({ gitops: 'rendered' });
    checkout.git('work', 'pull', '--quiet');
    const [, deployment] = storefront('x');
    checkout.write({ ...deployment!, metadata: { name: 'storefront' } });
    const kept = await checkout.roll({ gitops: 'rendered' });
    expect(kept.summaries[0]!.markdown).toContain(
      'kept because prune is off: shop.configmap.storefront.yaml',
    );
    await checkout.roll({ gitops: 'rendered', prune: 'true' });
    expect(checkout.files('main')).toEqual(['deploy/all.json', 'rendered/shop.deployment.storefront.yaml']);
  });

  it.each([
    ['data', { data: { password: 'aHVzaC1odXNo' } }],
    ['stringData', { stringData: { password: 'hush-hush' } }],
  ])('refuses a Secret whose %s everyone could read', async (_, data) => {
    checkout.write(...storefront('hello'), object('Secret', 'db', data));
    await expect(checkout.roll({})).rejects.toThrow(
      'Nothing was committed. Secret shop/db would be readable',
    );
    expect(checkout.git('origin.git', 'branch', '--list')).toBe('* main');
  });

  it('tells a branch that takes no pushes in outputs and report too', async () => {
    checkout.write(...storefront('hello'));
    const hook = join(checkout.origin, 'hooks/pre-receive');
    mkdirSync(dirname(hook), { recursive: true });
    writeFileSync(hook, '#!/bin/sh\necho "protected branch" >&2\nexit 1\n', { mode: 0o755 });
    const host = checkout.host();
    await expect(checkout.roll({}, host)).rejects.toThrow('The branch production cannot be pushed');
    expect(host.outputs).toMatchObject({ result: 'failed', changed: 'false' });
    expect(JSON.parse(readFileSync(host.outputs.report!, 'utf8'))).toMatchObject({
      version: 1,
      result: 'failed',
      gitops: { because: expect.stringContaining('cannot be pushed'), pushed: false },
    });
  });

  it('goes by the manifests alone when the cluster that is named does not answer', async () => {
    const { annotations, outputs } = await checkout.roll({
      server: 'https://127.0.0.1:1',
      token: 'hush-hush',
    });
    expect(outputs.result).toBe('complete');
    expect(annotations.map(({ message }) => message).join('\n')).toContain(
      'The preflight goes by the manifests alone, because the cluster cannot be asked: ',
    );
  });
});

describe('the folder', () => {
  const manifest = (kind: string, name: string, apiVersion = 'v1', namespace?: string): Manifest => ({
    object: { apiVersion, kind, metadata: { name, ...(namespace && { namespace }) } },
    locate: () => undefined,
  });

  it('has names that follow from the object alone', () => {
    const names = [
      manifest('Service', 'web', 'v1', 'shop'),
      manifest('Service', 'web', 'serving.knative.dev/v1', 'shop'),
      manifest('ClusterRole', 'system:shop:reader', 'rbac.authorization.k8s.io/v1'),
    ];
    expect([...render(names, 'web').keys()]).toEqual([
      'shop.service.web.yaml',
      'shop.service.serving.knative.dev.web.yaml',
      'clusterrole.system_shop_reader.yaml',
    ]);
  });

  it.each([
    ['was not rendered by Slipway', 'kind: Service\n'],
    [
      'belongs to release other',
      '# Rendered by Slipway for release other. Changes made here are overwritten.\n',
    ],
  ])('has no file written over that %s', (why, text) => {
    const rendered = render([manifest('Service', 'web', 'v1', 'shop')], 'web');
    expect(() => changeFolder(rendered, 'web', new Map([['shop.service.web.yaml', text]]), true)).toThrow(
      `Service shop/web would be written to shop.service.web.yaml, which ${why}`,
    );
  });
});
