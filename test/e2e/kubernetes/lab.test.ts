import { expect, test } from 'vitest';
import {
  account,
  describeWith,
  fakeNodes,
  kubernetes,
  kubernetesNetwork,
  kubernetesRegistry,
  privateRegistry,
} from '../../lab/index.ts';
import { deployment, service } from './workload.ts';

const parts = {
  kubernetes: await kubernetes(),
  network: await kubernetesNetwork(),
  registry: await kubernetesRegistry(),
};

describeWith('a cluster of the lab', parts, ({ kubernetes, network, registry }) => {
  const { kubectl } = kubernetes;
  const apply = (namespace: string, ...items: readonly object[]) =>
    kubectl(['apply', '--namespace', namespace, '--filename', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    });
  const rolled = (namespace: string) =>
    kubectl(['rollout', 'status', 'deployment/web', '--namespace', namespace, '--timeout=60s']);

  test('runs pods that answer with their version and their configuration', async () => {
    await using namespace = await kubernetes.namespace('lab');
    const { pinned } = await registry.publish({ version: 'v1' });
    await apply(namespace.name, deployment({ image: pinned, env: { CONFIG: 'blue' } }), service());
    await rolled(namespace.name);
    const url = await network.serviceUrl(namespace.name, 'web');
    expect(await network.ask(url)).toMatchObject({ version: 'v1', config: 'blue' });
    const load = await network.load(url, { requests: 200, rate: 400 }).result;
    expect(load).toMatchObject({ sent: 200, failed: 0, byVersion: { v1: { count: 200 } } });
  });

  test('starts again a program that fails once', async () => {
    await using namespace = await kubernetes.namespace('lab');
    const { tagged } = await registry.publish({ version: 'v2', env: { FAIL_ONCE: '/scratch/failed' } });
    await apply(namespace.name, deployment({ image: tagged }));
    await rolled(namespace.name);
    const pods = await kubectl(['get', 'pods', '--namespace', namespace.name, '--output', 'json']);
    const [pod] = JSON.parse(pods.stdout.toString()).items;
    expect(pod.status.containerStatuses[0].restartCount).toBe(1);
  });

  test('lets a user do what his rules say, and no more', async () => {
    await using namespace = await kubernetes.namespace('lab');
    const rules = [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }];
    const { kubeconfig } = await kubernetes.asUser(namespace.name, { rules });
    const can = async (...what: readonly string[]) =>
      (await kubectl(['auth', 'can-i', ...what], { kubeconfig, accept: [0, 1] })).stdout.toString().trim();
    expect(await can('list', 'configmaps')).toBe('yes');
    expect(await can('get', 'secrets')).toBe('no');
    expect(await can('list', 'configmaps', '--namespace', 'kube-system')).toBe('no');
  });

  test('pulls from a registry that asks for an account only with the right one', async () => {
    await using namespace = await kubernetes.namespace('lab');
    await using closed = await privateRegistry();
    const { pinned } = await closed.publish({ version: 'v1' });
    const inNamespace = ['--namespace', namespace.name];
    const login = (password: string) => [
      `--docker-server=${closed.host}`,
      `--docker-username=${account.user}`,
      `--docker-password=${password}`,
    ];
    const secret = ['create', 'secret', 'docker-registry', ...inNamespace];
    await kubectl([...secret, 'right', ...login(account.password)]);
    await kubectl([...secret, 'wrong', ...login('guessed')]);
    await apply(namespace.name, deployment({ image: pinned, pullSecret: 'wrong' }));
    const refused = '--for=jsonpath={.status.containerStatuses[0].state.waiting.reason}=ErrImagePull';
    await kubectl(['wait', '--for=create', 'pods', '--selector=app=web', ...inNamespace, '--timeout=30s']);
    await kubectl(['wait', 'pods', '--all', ...inNamespace, refused, '--timeout=30s']);
    const events = await kubectl(['get', 'events', ...inNamespace, '--output', 'json']);
    expect(events.stdout.toString()).toMatch(/401 Unauthorized|authorization failed/);
    await apply(namespace.name, deployment({ image: pinned, pullSecret: 'right' }));
    await rolled(namespace.name);
  });
});

describeWith(
  'fake nodes',
  { kubernetes: parts.kubernetes, nodes: await fakeNodes() },
  ({ kubernetes, nodes }) => {
    test('take pods, which are ready and run nothing', async () => {
      await using namespace = await kubernetes.namespace('lab');
      await using group = await nodes.add(2);
      const inNamespace = ['--namespace', namespace.name];
      const { placement } = group;
      const items = [deployment({ image: 'nowhere.invalid/app:v1', replicas: 300, placement })];
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      await kubernetes.kubectl(['apply', ...inNamespace, '--filename', '-'], { input });
      await kubernetes.kubectl(['rollout', 'status', 'deployment/web', ...inNamespace, '--timeout=60s']);
      const pods = await kubernetes.kubectl(['get', 'pods', ...inNamespace, '--output', 'json']);
      const names = JSON.parse(pods.stdout.toString()).items.map((pod: Pod) => pod.spec.nodeName);
      expect(new Set(names).size).toBe(2);
    });
  },
);

interface Pod {
  readonly spec: { readonly nodeName: string };
}
