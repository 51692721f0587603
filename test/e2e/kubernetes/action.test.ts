import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ReportFile } from '../../../actions/k8s-rollout/cluster-run.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { GithubApi } from '../../unit/host/github-api.ts';
import { FakeRunner, type Step } from '../../unit/host/runner.ts';
import { rulesOf } from './roles.ts';
import { deployment, service } from './workload.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const ACTION = join(ROOT, 'actions/k8s-rollout');
const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

describeWith('the action k8s-rollout', parts, ({ kubernetes: lab, registry }) => {
  let runner: FakeRunner;
  let shop: { readonly name: string } & AsyncDisposable;
  const images: Record<string, string> = {};

  beforeAll(async () => {
    for (const version of ['v1', 'v2'])
      images[version] = (await registry.publish({ repository: 'action', version })).tagged;
    images.crash = (
      await registry.publish({ repository: 'action', version: 'crash', args: ['crash'] })
    ).tagged;
  });
  beforeEach(async () => {
    runner = new FakeRunner();
    shop = await lab.namespace('action');
  });
  afterEach(async () => {
    runner[Symbol.dispose]();
    await shop[Symbol.asyncDispose]();
  });

  /** Writes a file of the checkout. */
  function write(path: string, text: string): void {
    const file = join(runner.workspace, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  function writeShop(greeting: string, more: { readonly env?: Record<string, string> } = {}): void {
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'db' },
      stringData: { password: `pass-of-${greeting}` },
    };
    const settings = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'settings' },
      data: { greeting },
    };
    const web = deployment({ image: 'web:placeholder', replicas: 2, ...more }) as {
      spec: { template: { spec: { containers: object[] } } };
    };
    const { containers } = web.spec.template.spec;
    containers[0] = { ...containers[0], envFrom: [{ configMapRef: { name: 'settings' } }] };
    write(
      'deploy/shop.json',
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [settings, secret, service(), web] }),
    );
  }

  const inputs = (version: string, more: Readonly<Record<string, string>> = {}) => ({
    kubeconfig: lab.kubeconfig,
    namespace: shop.name,
    images: `web=${images[version]}`,
    'insecure-registries': registry.host,
    ...more,
  });
  const step = (
    name: 'main' | 'post',
    given: Readonly<Record<string, string>>,
    env?: Readonly<Record<string, string>>,
    onLine?: Parameters<FakeRunner['run']>[3],
  ) => runner.run(join(ACTION, `${name}.ts`), given, env, onLine);
  const reportOf = ({ outputs }: Step): ReportFile => JSON.parse(readFileSync(outputs.report!, 'utf8'));
  const live = async (kind: string, name: string) =>
    JSON.parse(
      (
        await lab.kubectl(['get', kind, name, '--namespace', shop.name, '--output', 'json'])
      ).stdout.toString(),
    );
  const errors = ({ annotations }: Step) => annotations.filter(({ level }) => level === 'error');

  it('rolls out, proves it, and says what changed; then goes back from what crashes, configuration too', async () => {
    writeShop('hello');
    const first = await step('main', inputs('v1', { checks: 'http://web/readyz' }));
    expect(errors(first)).toEqual([]);
    expect(first.code).toBe(0);
    expect(first.outputs).toMatchObject({ result: 'complete', cause: '', revision: '1', changed: 'true' });
    expect(first.summary).toMatch(
      /^## ✅ web\n\n<strong>Rolled out to action-\S+ on \S+ Revision 1 serves\.<\/strong>/,
    );
    expect(first.summary).toContain('| `http://web/readyz` | pass |');
    expect(first.summary).toContain('```mermaid\n---\ndisplayMode: compact');
    expect(first.summary).toMatch(
      /\| `Deployment web` \| Burstable \| web \| 10m, no limit \| 16Mi, at most 64Mi \|/,
    );
    const report = reportOf(first);
    expect(report).toMatchObject({ version: 1, result: 'complete' });
    expect(report.clusters[0]!.images).toMatchObject([
      { container: 'web', to: expect.stringMatching(/:v1@sha256:/) },
    ]);

    writeShop('broken');
    const second = await step('main', inputs('crash'));
    expect(second.code).toBe(1);
    expect(second.outputs).toMatchObject({
      result: 'undone',
      cause: 'crash',
      revision: '1',
      changed: 'true',
    });
    const [error, ...others] = errors(second);
    expect(others).toEqual([]);
    expect(error).toMatchObject({
      file: 'deploy/shop.json',
      message: expect.stringMatching(/^web: Not rolled out .*ended twice.* Revision 1 serves\. Next: /),
    });
    expect(second.summary).toMatch(
      /^## ↩️ web\n\n<strong>Not rolled out to .*, and undone: Container web of pod /,
    );
    expect(second.summary).toContain('```diff\n@ ConfigMap');
    expect(second.summary).toMatch(/^! {3}(stringData|data)\.password: different$/m);
    for (const place of [first, second])
      expect(JSON.stringify([place.log, place.summary, reportOf(place)])).not.toContain('pass-of-');
    expect(second.masks).toContain('pass-of-broken');
    expect((await live('configmap', 'settings')).data).toEqual({ greeting: 'hello' });
    expect(Buffer.from((await live('secret', 'db')).data.password, 'base64').toString()).toBe(
      'pass-of-hello',
    );
    const { spec, status } = await live('deployment', 'web');
    expect(spec.template.spec.containers[0].image).toMatch(/:v1@sha256:/);
    expect(status).toMatchObject({ readyReplicas: 2, updatedReplicas: 2 });
    // Nothing is left to do, and nothing is done.
    const post = await runner.run(join(ACTION, 'post.ts'), inputs('crash'), stateOf(second));
    expect(post).toMatchObject({ code: 0, annotations: [] });
  });

  it('begins the undo when it is cancelled, and finishes it in the post step', async () => {
    writeShop('hello');
    expect((await step('main', inputs('v1'))).code).toBe(0);
    writeShop('never', { env: { READY_FAIL: '1' } });
    const started = { at: 0 };
    const cancelled = await step('main', inputs('v2'), {}, (line, kill) => {
      if (started.at > 0 || !line.includes('Readiness probe failed')) return;
      started.at = performance.now();
      kill('SIGINT');
    });
    // A runner sends SIGTERM after 7.5 s and SIGKILL after 10.
    expect(performance.now() - started.at).toBeLessThan(7_500);
    expect(cancelled.code).toBe(130);
    expect(cancelled.outputs.result).toBe('unknown');
    const post = await step('post', inputs('v2'), stateOf(cancelled));
    expect(errors(post)).toEqual([]);
    expect(post.code).toBe(0);
    expect(post.log.join('\n')).toContain('undone: revision 1 serves');
    const { spec, status } = await live('deployment', 'web');
    expect(spec.template.spec.containers[0].image).toMatch(/:v1@sha256:/);
    expect(status).toMatchObject({ readyReplicas: 2, updatedReplicas: 2 });
    expect((await live('configmap', 'settings')).data).toEqual({ greeting: 'hello' });
  });

  it('plans with the Role for readers, and lists the rights that a rollout would lack', async () => {
    writeShop('hello');
    const reader = await lab.asUser(shop.name, { rules: rulesOf('reader') });
    const planned = await step('main', inputs('v1', { kubeconfig: reader.kubeconfig, plan: 'true' }));
    expect(errors(planned)).toEqual([]);
    expect(planned).toMatchObject({ code: 0, outputs: { result: 'planned', changed: 'false' } });
    // The Role leaves Secrets out, as one for pull requests should.
    expect(planned.summary).toMatch(/Would be rolled out to .*: 3 new, 1 not readable with this token\./);
    const missing = reportOf(planned).clusters[0]!.missing.map(({ verb, resource }) => `${verb} ${resource}`);
    expect(missing).toEqual(expect.arrayContaining(['patch deployments.apps', 'create deployments.apps']));
    const refused = await step('main', inputs('v1', { kubeconfig: reader.kubeconfig }));
    expect(refused.code).toBe(1);
    expect(errors(refused)[0]!.message).toMatch(
      /^Nothing was changed\. The token lacks rights that this run needs: .*patch deployments\.apps/,
    );
    const left = await lab.kubectl([
      'get',
      'deployments,leases,services',
      '--namespace',
      shop.name,
      '--output',
      'name',
    ]);
    expect(left.stdout.toString().trim()).toBe('');
  });

  it('needs no more than the Role for deployers', async () => {
    writeShop('hello');
    const deployer = await lab.asUser(shop.name, { rules: rulesOf('deployer') });
    const given = { kubeconfig: deployer.kubeconfig, checks: 'http://web/readyz' };
    const first = await step('main', inputs('v1', given));
    expect(errors(first)).toEqual([]);
    expect(first.outputs.result).toBe('complete');
    expect(reportOf(first).clusters[0]!.missing).toEqual([]);
    const second = await step('main', inputs('crash', given));
    expect(second.outputs).toMatchObject({ result: 'undone', cause: 'crash' });
  });

  it('changes no cluster before all were judged, and holds the waves behind one that did not pass', async () => {
    writeShop('hello');
    const config = JSON.parse(
      (
        await lab.kubectl(['config', 'view', '--raw', '--flatten', '--minify', '--output', 'json'])
      ).stdout.toString(),
    );
    const [{ context }] = config.contexts;
    const names = ['canary', 'eu', 'us'];
    await Promise.all(names.map((name) => lab.kubectl(['create', 'namespace', `${shop.name}-${name}`])));
    // One server stands in for three: what tells them apart here is the namespace of each context.
    const contexts = names.map((name) => ({
      name,
      context: { ...context, namespace: `${shop.name}-${name}` },
    }));
    write('fleet.json', JSON.stringify({ ...config, contexts }));
    const quota = {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'none' },
      spec: { hard: { pods: '1' } },
    };
    await lab.kubectl(['create', '--namespace', `${shop.name}-eu`, '--filename', '-'], {
      input: JSON.stringify(quota),
    });
    try {
      const { namespace: _, ...given } = inputs('v1', {
        kubeconfig: 'fleet.json',
        contexts: names.join(),
        waves: '1',
        rules: 'quota=off',
      });
      const run = await step('main', given);
      expect(run.code).toBe(1);
      expect(run.outputs).toMatchObject({ result: 'failed', cause: 'quota' });
      expect(reportOf(run).clusters.map(({ cluster, wave, result }) => [cluster, wave, result])).toEqual([
        ['canary', 1, 'complete'],
        ['eu', 2, 'failed'],
        ['us', 3, 'held'],
      ]);
      expect(run.summary).toContain(
        'eu failed. canary is proven and stays on the new revision. us was not touched.',
      );
      const us = await lab.kubectl(['get', 'deployments,configmaps', '-n', `${shop.name}-us`, '-o', 'name']);
      expect(us.stdout.toString()).not.toContain('web');
    } finally {
      await lab.kubectl([
        'delete',
        'namespace',
        '--wait=false',
        ...names.map((name) => `${shop.name}-${name}`),
      ]);
    }
  });

  it('tells a refusal in outputs and report too, and refuses one cluster under two names', async () => {
    writeShop('hello');
    const refused = await step('main', inputs('v1', { namespace: `${shop.name}-nowhere` }));
    expect(refused.code).toBe(1);
    expect(errors(refused).map(({ message }) => message)).toEqual([
      `Nothing was changed. Namespace ${shop.name}-nowhere does not exist; create it (kubectl create namespace ${shop.name}-nowhere), or put it among the manifests.`,
    ]);
    expect(refused.outputs).toMatchObject({ result: 'failed', cause: '', changed: 'false' });
    expect(reportOf(refused)).toMatchObject({ result: 'failed', clusters: [{ result: 'failed' }] });
    expect(refused.summary).toMatch(
      /^## ❌ web\n\n<strong>Failed in \S+ on \S+ Nothing was changed\. Namespace/,
    );

    const config = JSON.parse(
      (
        await lab.kubectl(['config', 'view', '--raw', '--flatten', '--minify', '--output', 'json'])
      ).stdout.toString(),
    );
    const contexts = ['a', 'b'].map((name) => ({ ...config.contexts[0], name }));
    write('fleet.json', JSON.stringify({ ...config, contexts }));
    const twice = await step('main', inputs('v1', { kubeconfig: 'fleet.json', contexts: 'a, b' }));
    expect(errors(twice).map(({ message }) => message)).toEqual([
      expect.stringMatching(/^Contexts "a" and "b" are the same cluster and namespace \(\S+ on https:/),
    ]);
    expect(twice.outputs).toEqual({ result: 'failed' });
  });

  it('records a GitHub Deployment that ends as the rollout does, however that ends', async () => {
    await using github = await GithubApi.start();
    const env = {
      GITHUB_API_URL: github.url,
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_REPOSITORY: 'shop/web',
      GITHUB_SHA: 'c0ffee',
      GITHUB_RUN_ID: '7',
    };
    const named = {
      environment: 'production',
      'environment-url': 'https://shop.example',
      'github-token': 'ghs_token',
    };
    const states = () =>
      github.deployments.map(({ statuses }) =>
        statuses.map(({ state, description }) => [state, description]),
      );
    writeShop('hello');
    expect((await step('main', inputs('v1', named), env)).code).toBe(0);
    writeShop('broken');
    expect((await step('main', inputs('crash', named), env)).code).toBe(1);
    expect(states()).toEqual([
      [
        ['in_progress', undefined],
        ['success', expect.stringMatching(/^Rolled out to .* Revision 1 serves\.$/)],
      ],
      [
        ['in_progress', undefined],
        ['failure', expect.stringMatching(/^Not rolled out to .*, and undone: Container web/)],
      ],
    ]);

    // What is refused before anything is changed is no deployment.
    await step('main', inputs('v1', { ...named, namespace: 'nowhere-at-all' }), env);
    expect(states()).toHaveLength(2);

    writeShop('never', { env: { READY_FAIL: '1' } });
    for (const signal of ['SIGINT', 'SIGKILL'] as const) {
      let sent = false;
      const cut = await step('main', inputs('v2', named), env, (line, kill) => {
        if (sent || !line.includes('Readiness probe failed')) return;
        sent = true;
        kill(signal);
      });
      expect(cut.outputs.result).toBe('unknown');
      expect(states().at(-1)).toEqual([['in_progress', undefined]]);
      const post = await step('post', inputs('v2', named), { ...env, ...stateOf(cut) });
      expect(errors(post)).toEqual([]);
      expect(states().at(-1)).toEqual([
        ['in_progress', undefined],
        ['error', 'The run was cancelled or cut off.'],
      ]);
    }
    expect(github.deployments).toHaveLength(4);
    expect(github.deployments[0]!.statuses[1]).toMatchObject({
      environment_url: 'https://shop.example',
      log_url: 'https://github.com/shop/web/actions/runs/7',
    });
    expect(github.faults).toEqual([]);
    expect(github.tokens).toEqual(new Set(['token ghs_token']));
    expect((await live('configmap', 'settings')).data).toEqual({ greeting: 'hello' });
  });

  it.each<[string, Readonly<Record<string, string>>, string]>([
    ['a folder that is not there', { manifests: 'deplyo' }, 'The manifests "deplyo" do not exist in'],
    ['a container that is not there', { images: 'wbe=example.com/web:1' }, 'Did you mean "web"?'],
    ['a context that is not there', { context: 'prod' }, 'prod'],
    ['a file that is no kubeconfig', { kubeconfig: 'nowhere.yaml' }, 'nowhere.yaml'],
    ['a release that is no name', { release: 'My Shop' }, 'release "My Shop" is not accepted'],
    ['a check of no Service', { checks: 'http://wbe/readyz' }, 'nor in the cluster. Did you mean "web"?'],
    ['a check that is none', { checks: 'web/readyz' }, 'accepted are http'],
  ])('refuses %s in one sentence, and changes nothing', async (_, given, sentence) => {
    writeShop('hello');
    const { images: __, ...own } = inputs('v1');
    const refused = await step('main', { ...own, ...given });
    expect(refused.code).toBe(1);
    expect(errors(refused)).toHaveLength(1);
    expect(errors(refused)[0]!.message).toContain(sentence);
    expect(refused.log.join('\n')).not.toMatch(/^ +at /m);
  });
});

const stateOf = ({ state }: Step): Record<string, string> =>
  Object.fromEntries(Object.entries(state).map(([name, value]) => [`STATE_${name}`, value]));
