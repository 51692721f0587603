import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import { DEFAULT_PATIENCE, finishRollout } from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes, kubernetesNetwork, kubernetesRegistry } from '../../lab/index.ts';
import { release, rollOut } from './release-objects.ts';
import type { Change, Kill, Step } from './rollout-process.ts';

const parts = {
  kubernetes: await kubernetes(),
  network: await kubernetesNetwork(),
  registry: await kubernetesRegistry(),
};

/** A story whose last step is cut off; the steps before it prepare for it. */
interface Story {
  readonly name: string;
  readonly points: number;
  readonly steps: (namespace: string) => readonly Step[];
}

describeWith('a run that is killed, and then run again', parts, ({ kubernetes: lab, network, registry }) => {
  const open = new AsyncDisposableStack();
  const images: Record<string, string> = {};
  let cluster: Cluster;

  beforeAll(async () => {
    cluster = open.use(
      await openCluster({
        kubeconfig: lab.kubeconfig,
        env: { PATH: process.env.PATH },
        signal: AbortSignal.timeout(300_000),
        secret: () => undefined,
      }),
    );
    for (const version of ['v0', 'v1', 'v2'])
      images[version] = (await registry.publish({ repository: 'killed', version })).pinned;
  });
  afterAll(() => open.disposeAsync());

  const step = (namespace: string, version: string, more: readonly string[] = []): Step => ({
    objects: release({ namespace, image: images[version]!, value: version, more }),
  });

  const stories: readonly Story[] = [
    {
      name: 'an update that prunes and forgets old configuration',
      points: 5,
      steps: (namespace) => [
        step(namespace, 'v0'),
        step(namespace, 'v1', ['leaves']),
        step(namespace, 'v2', ['comes']),
      ],
    },
    {
      name: 'the first install',
      points: 2,
      steps: (namespace) => [step(namespace, 'v1', ['comes'])],
    },
    {
      name: 'an update that fails and is undone',
      points: 4,
      steps: (namespace) => [
        step(namespace, 'v1'),
        {
          objects: release({ namespace, image: images.v2!, value: 'v2', key: 'absent', more: ['comes'] }),
          patience: ['config-missing=1s'],
        },
      ],
    },
  ];

  test.concurrent.each(stories)('$name: ends as an undisturbed run', async ({ steps, points }) => {
    const undisturbed = await play(steps, undefined);
    expect(undisturbed.killed).toBe(false);
    const kills = spread(undisturbed.changes, points);
    expect(kills).toHaveLength(points);
    const ends = await Promise.all(kills.map((kill) => play(steps, kill)));
    for (const [index, end] of ends.entries()) {
      const { change, when } = kills[index]!;
      const where = `killed ${when} ${undisturbed.changes[change]?.what}`;
      expect(end.killed, where).toBe(true);
      expect(end.state, where).toEqual(undisturbed.state);
    }
  });

  test.concurrent('another one sets back what it does not have, and removes what was made', async () => {
    const { name: namespace } = open.use(await lab.namespace('killed'));
    const order = { kubeconfig: lab.kubeconfig, namespace, run: 'https://ci.example/1' };
    // It is written that it begins, then that all is applied and watched.
    const kill: Kill = { change: { what: 'replace ConfigMap/slipway.web', time: 2 }, when: 'after' };
    const left = await rollOut({
      ...order,
      steps: [step(namespace, 'v0', ['shared']), { ...step(namespace, 'v1', ['shared', 'made']), kill }],
    });
    expect(left.signal, left.stderr).toBe('SIGKILL');
    const dataOf = async (name: string) =>
      (await cluster.get({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name }))?.data;
    expect([await dataOf('shared'), await dataOf('made')]).toEqual([{ of: 'v1' }, { of: 'v1' }]);
    const next = await rollOut({ ...order, steps: [{ ...step(namespace, 'v2'), prune: false }] });
    expect(next.answers[0]?.lines.join('\n')).toMatch(/was cut off while watching; this one takes its place/);
    expect(next.answers[0]).toMatchObject({ result: 'complete', revision: 2 });
    expect([await dataOf('shared'), await dataOf('made')]).toEqual([{ of: 'v0' }, undefined]);
    expect(await servedBy(namespace)).toMatchObject({ version: 'v2', config: 'v2', file: 'secret-v2' });
  });

  test.concurrent('is undone by the post step of its own run, and by that of no other', async () => {
    const { name: namespace } = open.use(await lab.namespace('killed'));
    const run = 'https://ci.example/1';
    const kill: Kill = { change: { what: 'apply Deployment/web', time: 1 }, when: 'after' };
    const left = await rollOut({
      kubeconfig: lab.kubeconfig,
      namespace,
      run,
      steps: [step(namespace, 'v0'), { ...step(namespace, 'v1', ['made']), kill }],
    });
    expect(left.signal, left.stderr).toBe('SIGKILL');
    const finish = (own: string) =>
      finishRollout(
        cluster,
        {
          release: 'web',
          namespace,
          run: own,
          undo: true,
          timeout: 60_000,
          patience: DEFAULT_PATIENCE,
          waitForOthers: 60_000,
        },
        {
          signal: new AbortController().signal,
          onPhase: () => undefined,
          onProgress: () => undefined,
          onLine: () => undefined,
        },
      );
    expect(await finish('https://ci.example/2')).toBeUndefined();
    expect(await finish(run)).toMatchObject({
      result: 'undone',
      revision: 1,
      because: 'The run was cut off while applying.',
    });
    expect(await servedBy(namespace)).toMatchObject({ version: 'v0', config: 'v0', file: 'secret-v0' });
    const made = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'made' };
    expect(await cluster.get(made)).toBeUndefined();
  });

  /** Plays a story in a namespace of its own; its last step twice when it is killed the first time. */
  async function play(steps: Story['steps'], kill: Kill | undefined) {
    const { name: namespace } = open.use(await lab.namespace('killed'));
    const order = { kubeconfig: lab.kubeconfig, namespace, run: 'https://ci.example/1' };
    const all = steps(namespace);
    const last = all.at(-1)!;
    const first = await rollOut({
      ...order,
      steps: [...all.slice(0, -1), kill === undefined ? last : { ...last, kill }],
    });
    const killed = first.signal === 'SIGKILL';
    const second = killed ? await rollOut({ ...order, steps: [last] }) : first;
    expect(second.stderr).toBe('');
    return { killed, changes: second.answers.at(-1)!.changes, state: await stateOf(namespace) };
  }

  /** All that a run leaves, without what differs from one run to the next anyway. */
  async function stateOf(namespace: string) {
    const kinds = [
      ['v1', 'ConfigMap'],
      ['v1', 'Secret'],
      ['v1', 'Service'],
      ['apps/v1', 'Deployment'],
      ['coordination.k8s.io/v1', 'Lease'],
    ] as const;
    const lists = await Promise.all(
      kinds.map(([apiVersion, kind]) => cluster.list({ apiVersion, kind, namespace })),
    );
    const objects = lists.flat().filter(({ metadata }) => metadata.name !== 'kube-root-ca.crt');
    const served = await servedBy(namespace);
    return JSON.parse(
      JSON.stringify({
        served: { version: served.version, config: served.config, file: served.file },
        objects: objects.map(plain),
      })
        .replaceAll(namespace, 'NAMESPACE')
        // The digest of the configuration that pods read is one over its namespace too.
        .replaceAll(/[0-9a-f]{64}(?=[\\"])/g, 'DIGEST'),
    );
  }

  /** What the service answers, from a pod that stays: kube-proxy follows the endpoints at its own pace. */
  async function servedBy(namespace: string) {
    const url = await network.serviceUrl(namespace, 'web');
    return await vi.waitFor(
      async () => {
        const answer = await network.ask(url);
        const pod = await cluster.get({ apiVersion: 'v1', kind: 'Pod', namespace, name: answer.pod });
        expect(pod?.metadata.deletionTimestamp, 'the pod stays').toBeUndefined();
        expect(pod, 'the pod is there').toBeDefined();
        return answer;
      },
      { timeout: 30_000, interval: 200 },
    );
  }
});

/** As many changes as there are points, from the first to the last, cut off before, while and after they are made. */
function spread(changes: readonly Change[], points: number): readonly (Kill & { readonly change: number })[] {
  const ways = ['before', 'sent', 'after'] as const;
  const last = changes.length - 1;
  return Array.from({ length: points }, (_, index) => ({
    change: Math.round((index * last) / (points - 1)),
    // To be killed after the last change is to end.
    when: index === points - 1 ? 'before' : ways[index % ways.length]!,
  }));
}

function plain({ apiVersion, kind, metadata, status: _, ...content }: KubeObject): object {
  const { name, labels, managedFields = [] } = metadata;
  // The Deployment controller counts templates; a rollout that fails twice was counted twice.
  const { 'deployment.kubernetes.io/revision': ____, ...annotations } = metadata.annotations ?? {};
  const managers = managedFields
    .filter(({ subresource }) => subresource === undefined)
    .map(({ manager, operation, fieldsV1 }) => ({ manager, operation, fieldsV1 }));
  if (kind === 'ConfigMap' && name.startsWith('slipway.')) return { kind, name, record: recordIn(content) };
  const { clusterIP: __, clusterIPs: ___, ...spec } = (content.spec ?? {}) as Record<string, unknown>;
  return {
    apiVersion,
    kind,
    name,
    labels,
    annotations,
    managers,
    ...content,
    ...(content.spec !== undefined && { spec }),
  };
}

/** A record without times and without the digests in which the namespace is. */
function recordIn({ binaryData }: Record<string, unknown>): object {
  const packed = Buffer.from((binaryData as Record<string, string>)['record.json.gz']!, 'base64');
  const { record, objects } = JSON.parse(gunzipSync(packed).toString());
  const timeless = (_: string, value: unknown) =>
    value !== null && typeof value === 'object' && 'digest' in value
      ? { ...value, digest: '', at: '', objects: undefined }
      : value;
  const named = Object.values(objects as Record<string, KubeObject>).sort((a, b) =>
    `${a.kind}${a.metadata.name}` < `${b.kind}${b.metadata.name}` ? -1 : 1,
  );
  return { record: JSON.parse(JSON.stringify(record, timeless)), objects: named };
}
