import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import { type Cause, parsePatience, watchRollout } from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

// biome-ignore lint/suspicious/noExplicitAny: manifests as a user writes them
type Fields = Record<string, any>;
const MARK = 'lab.slipway.dev/node';

/**
 * What nodes do to pods, with real controllers and nodes on paper: no kubelet is behind them, so that they can be closed, fall silent
 * and put pods out without harm to others. What a kubelet would say of a pod the test says.
 */
describeWith('a node that is in the way', parts, ({ kubernetes: lab, registry }) => {
  const open = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: string;
  let image: string;

  beforeAll(async () => {
    cluster = open.use(
      await openCluster({
        kubeconfig: lab.kubeconfig,
        env: { PATH: process.env.PATH },
        signal: AbortSignal.timeout(170_000),
        secret: () => {},
      }),
    );
    namespace = open.use(await lab.namespace('nodes')).name;
    image = (await registry.publish({ repository: 'nodes', version: 'v1' })).tagged;
  });
  afterAll(() => open.disposeAsync());

  const put = (object: KubeObject) => cluster.apply(object, { fieldManager: 'slipway', force: true });

  /** A node that was well once and that nobody plays, and what a pod needs to land on it alone. */
  async function addNode(spec: Fields = {}): Promise<Fields> {
    const name = `paper-${randomBytes(3).toString('hex')}`;
    const node = { apiVersion: 'v1', kind: 'Node' };
    const taints = [{ key: MARK, value: name, effect: 'NoSchedule' }];
    await cluster.create({
      ...node,
      metadata: { name, labels: { [MARK]: name, 'kubernetes.io/hostname': name } },
      spec: { taints, ...spec },
    });
    open.defer(async () => void (await cluster.remove({ ...node, name })));
    const room = { cpu: '2', memory: '2Gi', pods: '20' };
    await lab.kubectl([
      ...['patch', 'node', name, '--subresource=status', '--type=merge', '--patch'],
      JSON.stringify({ status: { capacity: room, allocatable: room, conditions: [wellAt(new Date())] } }),
    ]);
    return {
      nodeSelector: { [MARK]: name },
      tolerations: [
        { key: MARK, operator: 'Exists' },
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists' },
      ],
    };
  }

  function workload(name: string, pod: Fields, more: { kind?: string; spec?: Fields; env?: Fields } = {}) {
    const { kind = 'Deployment', spec, env = {} } = more;
    return {
      apiVersion: 'apps/v1',
      kind,
      metadata: { name, namespace },
      spec: {
        selector: { matchLabels: { app: name } },
        ...(kind === 'StatefulSet' && { serviceName: name }),
        ...spec,
        template: {
          metadata: { labels: { app: name } },
          spec: {
            terminationGracePeriodSeconds: 1,
            containers: [
              {
                name: 'app',
                image,
                env: Object.entries(env).map(([name, value]) => ({ name, value })),
                readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 1 },
                resources: { requests: { cpu: '2m', memory: '8Mi' } },
                ...pod.container,
              },
            ],
            ...pod.spec,
          },
        },
      },
    };
  }

  /** Plays the kubelet for the one pod that is on its node and has not ended: says its status. */
  async function say(name: string, status: Fields): Promise<void> {
    const at = { apiVersion: 'v1', kind: 'Pod', namespace, labelSelector: `app=${name}` };
    const isOn = ({ spec, status }: Fields) => spec?.nodeName !== undefined && status?.phase !== 'Failed';
    const pod = await vi.waitUntil(async () => (await cluster.list(at)).find(isOn), { timeout: 20_000 });
    await lab.kubectl([
      ...['patch', 'pod', pod.metadata.name, '--namespace', namespace, '--subresource=status'],
      ...['--type=strategic', '--patch', JSON.stringify({ status })],
    ]);
  }
  const makeReady = (name: string) =>
    say(name, {
      phase: 'Running',
      conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: new Date().toISOString() }],
    });

  const causes = async (object: KubeObject, patience: readonly string[]): Promise<readonly Cause[]> => {
    const { outcome } = await watchRollout(cluster, [await put(object)], {
      patience: parsePatience(patience),
      timeout: 150_000,
      signal: AbortSignal.timeout(160_000),
      onProgress: () => {},
      onLine: () => {},
    });
    return outcome.kind === 'failed' ? outcome.causes : [];
  };

  test.concurrent('is closed, and a budget lets no pod leave', async () => {
    const placed = await addNode({ unschedulable: true });
    await put(workload('database', {}));
    await put({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'database', namespace },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'database' } } },
    });
    const budget = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', name: 'database', namespace };
    const isClosed = async () => {
      const { status } = (await cluster.get(budget)) as { status?: Fields };
      return status?.expectedPods === 1 && status.currentHealthy === 1;
    };
    await vi.waitUntil(isClosed, { timeout: 30_000, interval: 250 });
    const [cause] = await causes(workload('closed', { spec: placed }), [
      'disruption-budget=2s',
      'unschedulable=20s',
    ]);
    expect(cause).toMatchObject({ code: 'disruption-budget' });
    expect(cause!.message).toContain('PodDisruptionBudget database');
    expect(cause!.evidence.join('\n')).toMatch(/were unschedulable/);
  });

  test.concurrent('puts pods out, one after the other', async () => {
    const watching = causes(workload('greedy', { spec: await addNode() }), []);
    const message = 'The node was low on resource: ephemeral-storage. ';
    for (const _ of [1, 2]) await say('greedy', { phase: 'Failed', reason: 'Evicted', message });
    const [cause] = await watching;
    expect(cause).toMatchObject({ code: 'evicted', pods: 2 });
    expect(cause!.message).toMatch(/was evicted from node paper-\S+: The node was low on resource/);
  });

  test.concurrent('does not end a pod whose place is needed', async () => {
    const placed = { spec: await addNode() };
    const kind = 'StatefulSet';
    await put(workload('kept', placed, { kind }));
    await makeReady('kept');
    const [cause] = await causes(workload('kept', placed, { kind, env: { VERSION: 'v2' } }), [
      'node-lost=2s',
    ]);
    expect(cause).toMatchObject({ code: 'node-lost' });
    expect(cause!.message).toMatch(/Pod kept-0 is being deleted, and node paper-\S+ does not end it/);
  });

  test.concurrent('does not answer any more', async () => {
    const placed = { spec: await addNode() };
    const watching = causes(workload('silent', placed, { spec: { replicas: 2 } }), ['node-lost=2s']);
    await makeReady('silent');
    const [cause] = await watching;
    expect(cause).toMatchObject({ code: 'node-lost' });
    expect(cause!.message).toMatch(/is on node paper-\S+, which does not answer/);
  });
});

const wellAt = (now: Date) => ({
  type: 'Ready',
  status: 'True',
  reason: 'KubeletReady',
  lastHeartbeatTime: now.toISOString(),
  lastTransitionTime: now.toISOString(),
});
