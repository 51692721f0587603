import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Finished, run } from '../../../shared/exec/index.ts';
import { describeWith, go, kubernetes, kubernetesRegistry } from '../../lab/index.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const parts = { go: go(), kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

const DEPLOYMENT = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'hello' },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: 'hello' } },
    template: {
      metadata: { labels: { app: 'hello' } },
      spec: {
        containers: [
          {
            name: 'hello',
            image: 'the-image-of-the-run',
            ports: [{ containerPort: 8080 }],
            readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
            resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
          },
        ],
      },
    },
  },
};
const SERVICE = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'hello' },
  spec: { selector: { app: 'hello' }, ports: [{ port: 80, targetPort: 8080 }] },
};

describeWith('slipway up with a rollout', parts, ({ kubernetes: lab, registry }) => {
  const folder = mkdtempSync(join(tmpdir(), 'up-rollout-'));
  let shop: { readonly name: string } & AsyncDisposable;

  beforeAll(async () => {
    cpSync(join(ROOT, 'examples/hello'), folder, { recursive: true });
    mkdirSync(join(folder, 'deploy'));
    writeFileSync(
      join(folder, 'deploy/hello.json'),
      JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [DEPLOYMENT, SERVICE] }),
    );
    writeFileSync(
      join(folder, 'slipway.yml'),
      `name: hello\nimage:\n  insecure-registries: ${registry.host}\nrollout:\n  checks: http://hello/world body="hello from /world"\n`,
    );
    shop = await lab.namespace('up');
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await shop?.[Symbol.asyncDispose]();
  });

  const up = (...args: string[]): Promise<Finished> =>
    run({
      program: process.execPath,
      args: ['--no-warnings', join(ROOT, 'bin/cli.ts'), 'up', '--json', ...args],
      cwd: folder,
      env: { ...process.env, KUBECONFIG: lab.kubeconfig, NO_COLOR: '1' },
      accept: [0, 1],
    });
  const push = () => ['--push', `${registry.host}/lab/${shop.name}:1`];

  it('goes from the source to proven pods with the digest that it published', async () => {
    const { code, stdout, stderr } = await up(
      ...push(),
      '--context',
      '',
      '--rollout',
      'on',
      '--namespace',
      shop.name,
    );
    expect(stderr).not.toContain('error:');
    const outputs = JSON.parse(stdout.toString());
    expect(outputs).toMatchObject({ rollout: 'complete', revision: '1', cause: '' });
    expect(code).toBe(0);
    const live = await lab.kubectl(['get', 'deployment', 'hello', '-n', shop.name, '-o', 'json']);
    const [container] = JSON.parse(live.stdout.toString()).spec.template.spec.containers;
    expect(container.image).toBe(outputs.reference);
  });

  it('rolls nothing out to the current context that nobody named', async () => {
    const { code, stdout, stderr } = await up(...push());
    expect(code).toBe(0);
    expect(stderr).toContain('No rollout: no cluster is named;');
    expect(JSON.parse(stdout.toString())).not.toHaveProperty('rollout');
  });

  it('rolls out no image that is not published', async () => {
    const { code, stderr } = await up('--rollout', 'on');
    expect(code).toBe(1);
    expect(stderr).toContain(
      'Input "rollout" is on, and the image is not published; name a registry with "push".',
    );
  });
});
