import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseChecks, runChecks, type Verdict } from '../../../shared/gate/index.ts';
import { type Cluster, openCluster } from '../../../shared/kubernetes/index.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { deployment, service } from './workload.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

describeWith('checks after a rollout', parts, ({ kubernetes, registry }) => {
  const signal = new AbortController().signal;
  let namespace: Awaited<ReturnType<typeof kubernetes.namespace>>;
  let cluster: Cluster;

  const open = (kubeconfig: string) =>
    openCluster({ kubeconfig, env: process.env, signal, secret: () => {} });
  const ask = async (line: string, timeout = 4_000, with_: Cluster = cluster): Promise<Verdict> => {
    const scope = {
      namespace: namespace.name,
      workloads: [{ apiVersion: 'apps/v1', kind: 'Deployment', namespace: namespace.name, name: 'web' }],
    };
    const [verdict] = await runChecks(with_, parseChecks([line]), scope, { timeout, signal, pause: 200 });
    return verdict!;
  };

  beforeAll(async () => {
    namespace = await kubernetes.namespace('checks');
    cluster = await open(kubernetes.kubeconfig);
    const { tagged } = await registry.publish({ version: 'v7' });
    const { tagged: second } = await registry.publish({ version: 'v7b', env: { READY_FAIL: 'not yet' } });
    const never = {
      ...service(),
      metadata: { name: 'never' },
      spec: { selector: { app: 'never' }, ports: [{ port: 80, targetPort: 8080 }] },
    };
    const unready = JSON.parse(
      JSON.stringify(deployment({ image: second })).replaceAll('"web"', '"never"'),
    ) as object;
    const objects = [deployment({ image: tagged, replicas: 2 }), service(), unready, never];
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    await kubernetes.kubectl(['apply', '-n', namespace.name, '-f', '-'], { input });
    await kubernetes.kubectl(['rollout', 'status', '-n', namespace.name, 'deployment/web', '--timeout=60s']);
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  it.concurrent.each([
    ['http://web/readyz', 'Status 200 from all 2 ready pods.'],
    ['http://web:80/ body=v7', 'Status 200 with "v7" from all 2 ready pods.'],
    ['http://web/ body=v7 from=cluster', 'Status 200 with "v7".'],
    ['http://web/no/such/path status=2xx,404', expect.stringMatching(/^Status (200|404) from/)],
    ['tcp://web', 'The port is open from all 2 ready pods.'],
    [
      'exec://web/web /program get http://127.0.0.1:8080/readyz',
      expect.stringMatching(/^Exit code 0 in Pod /),
    ],
  ])('%s passes', async (line, message) => expect(await ask(line)).toMatchObject({ kind: 'pass', message }));

  it.concurrent.each([
    ['http://web/ body=v8', /^Pod \S+\/web-\S+: Status 200, but the body does not hold "v8"\.$/],
    ['http://web/ status=503', /: Status 200 in place of 503\.$/],
    ['http://web/ status=503 from=cluster', /^Status 200 in place of 503\.$/],
    ['http://web:81/', /Service web has no port 81; it has 80\.$/],
    ['http://absent/', /there is no Service absent in /],
    ['http://never/', /no pod behind Service never is ready\.$/],
    ['http://never/ from=cluster', /^The API server could not ask the Service\.$/],
    ['grpc://web', /: It does not speak HTTP\/2, which gRPC is made of\.$/],
    ['exec://web /program get http://127.0.0.1:9/', /^Exit code [1-9]\d* in Pod /],
    ['exec://wbe /program', /^No workload of this release is called wbe; there is web\.$/],
  ])('%s fails', async (line, message) => {
    const verdict = await ask(line, 3_000);
    expect(verdict.kind).toBe('fail');
    expect(verdict.message).toMatch(message);
  });

  it('waits until a check passes', async () => {
    const waiting = ask('http://late/', 10_000);
    const late = { ...service(), metadata: { name: 'late' } };
    await kubernetes.kubectl(['apply', '-n', namespace.name, '-f', '-'], { input: JSON.stringify(late) });
    const verdict = await waiting;
    expect(verdict).toMatchObject({ kind: 'pass' });
    expect(verdict.attempts).toBeGreaterThan(1);
  });

  it('knows nothing with a token that may not ask pods', async () => {
    const reader = await kubernetes.asUser(namespace.name, {
      rules: [
        { apiGroups: [''], resources: ['services', 'pods'], verbs: ['get', 'list'] },
        { apiGroups: ['apps'], resources: ['deployments'], verbs: ['get'] },
        { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], verbs: ['list'] },
      ],
    });
    await using limited = await open(reader.kubeconfig);
    for (const line of [
      'http://web/',
      'http://web/ from=cluster',
      'exec://web /program get http://127.0.0.1:8080/',
    ])
      expect([line, (await ask(line, 4_000, limited)).kind]).toEqual([line, 'unknown']);
  });
});
