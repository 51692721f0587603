import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ApiError,
  type Cluster,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  openCluster,
} from '../../../shared/kubernetes/index.ts';
import { preflight, type QosClass, type RuleLevels } from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes } from '../../lab/index.ts';

const part = await kubernetes();
const { signal } = new AbortController();
const manifest = (object: object): Manifest => ({
  object: object as KubeObject,
  locate: (path) => ({ file: 'deploy/app.yaml', line: path.length + 1 }),
});
const enter = (kubeconfig: string) =>
  openCluster({ kubeconfig, env: {}, signal, secret: () => {}, onWarning: () => {} });

/** Pods that no scheduler takes: the API server, its admission and the controllers judge them all the same. */
const podSpec = (more: object = {}) => ({
  schedulerName: 'nobody',
  containers: [{ name: 'app', image: 'example.com/app:1', ...more }],
});
const deployment = (namespace: string, name: string, { spec = {}, container = {} } = {}) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace },
  spec: {
    replicas: 2,
    strategy: { rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: podSpec(container) },
    ...spec,
  },
});

const small = { cpu: '10m', memory: '16Mi' };
const large = { cpu: '20m', memory: '32Mi' };
const container = (name: string, requests?: object, limits?: object, more: object = {}) => ({
  name,
  image: 'example.com/app:1',
  resources: { ...(requests && { requests }), ...(limits && { limits }) },
  ...more,
});
/** Specifications of all shapes that decide about the class; the API server says which it is. */
const SHAPES: readonly (readonly [string, object])[] = [
  ['nothing', { containers: [container('a')] }],
  ['zero', { containers: [container('a', { cpu: '0', memory: '0' })] }],
  ['storage', { containers: [container('a', { 'ephemeral-storage': '1Mi' })] }],
  ['requests', { containers: [container('a', small)] }],
  ['limits', { containers: [container('a', undefined, small)] }],
  ['equal', { containers: [container('a', { cpu: 0.01, memory: '16384Ki' }, small)] }],
  ['larger-limits', { containers: [container('a', small, large)] }],
  ['cpu-alone', { containers: [container('a', { cpu: '10m' }, { cpu: '10m' })] }],
  ['one-of-two', { containers: [container('a', small, small), container('b')] }],
  ['two', { containers: [container('a', small, small), container('b', large, large)] }],
  ['swapped', { containers: [container('a', small, large), container('b', large, large)] }],
  ['init-without', { containers: [container('a', small, small)], initContainers: [container('i')] }],
  [
    'init-with',
    { containers: [container('a', small, small)], initContainers: [container('i', large, large)] },
  ],
  ['init-alone', { containers: [container('a')], initContainers: [container('i', small, small)] }],
  [
    'sidecar-with',
    {
      containers: [container('a', small, small)],
      initContainers: [container('s', small, small, { restartPolicy: 'Always' })],
    },
  ],
  [
    'sidecar-without',
    {
      containers: [container('a', small, small)],
      initContainers: [container('s', undefined, undefined, { restartPolicy: 'Always' })],
    },
  ],
  ['pod-equal', { resources: { requests: large, limits: large }, containers: [container('a')] }],
  ['pod-limits', { resources: { limits: large }, containers: [container('a')] }],
  ['pod-limits-below', { resources: { limits: large }, containers: [container('a', small)] }],
  ['pod-requests', { resources: { requests: large }, containers: [container('a', small)] }],
  [
    'pod-cpu-alone',
    {
      resources: { requests: { cpu: '20m' }, limits: { cpu: '20m' } },
      containers: [container('a', small, small)],
    },
  ],
  [
    'pod-over-equal',
    { resources: { requests: small, limits: large }, containers: [container('a', small, small)] },
  ],
];

describeWith('preflight on a cluster', { kubernetes: part }, ({ kubernetes: lab }) => {
  let cluster: Cluster;
  const spaces: (AsyncDisposable & { readonly name: string })[] = [];
  beforeAll(async () => {
    cluster = await enter(lab.kubeconfig);
  });
  afterAll(async () => {
    await Promise.all(spaces.map((space) => space[Symbol.asyncDispose]()));
    await cluster?.[Symbol.asyncDispose]();
  });
  const newSpace = async () => {
    const space = await lab.namespace('preflight');
    spaces.push(space);
    return space.name;
  };
  const judge = async (
    objects: readonly object[],
    { levels = {}, as = cluster }: { levels?: RuleLevels; as?: Cluster } = {},
  ) => {
    const ids = objects.map((object) => idOf(object as KubeObject));
    const found = await Promise.all(ids.map((id) => cluster.get(id)));
    const live = new Map(ids.flatMap((id, index) => (found[index] ? [[keyOf(id), found[index]]] : [])));
    const namespace = ids[0]!.namespace;
    return await preflight(as, objects.map(manifest), { levels, live, namespace, signal });
  };
  const refusal = async (object: object) =>
    await cluster.apply(object as KubeObject, { fieldManager: 'slipway', dryRun: true }).then(
      () => undefined,
      (error: unknown) => (error instanceof ApiError ? error.message : Promise.reject(error)),
    );
  const until = async <T>(look: () => Promise<T | undefined>): Promise<T> => {
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };

  it.each([false, true])(
    'gives every pod the class that the API server gives it (LimitRange: %s)',
    async (ranged) => {
      const namespace = await newSpace();
      if (ranged)
        await cluster.create({
          apiVersion: 'v1',
          kind: 'LimitRange',
          metadata: { name: 'range', namespace },
          spec: {
            limits: [
              { type: 'Container', defaultRequest: { cpu: '5m' }, default: { cpu: '10m', memory: '16Mi' } },
            ],
          },
        });
      const podLevel = (await cluster.version()).minor >= 34;
      const pods = SHAPES.filter(([name]) => podLevel || !name.startsWith('pod-')).map(([name, spec]) => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace },
        spec: { schedulerName: 'nobody', ...spec },
      }));
      const { qos } = await judge(pods);
      const made = await Promise.all(
        pods.map(async (pod) => {
          // A LimitRange's defaults can be more than the pod as a whole may take: there is no such pod then.
          const created = await cluster.create(pod).catch((error: unknown) => {
            if (error instanceof ApiError && error.status === 422) return undefined;
            throw error;
          });
          return created && [pod.metadata.name, (created.status as { qosClass: QosClass }).qosClass];
        }),
      );
      const real = Object.fromEntries(made.filter((one) => one !== undefined));
      expect(Object.keys(real).length).toBeGreaterThan(14);
      const ours = qos.filter(({ id }) => id.name in real).map(({ id, level }) => [id.name, level]);
      expect(Object.fromEntries(ours)).toEqual(real);
    },
  );

  it('finds the quota that a roll really runs into, and none where it does not', async () => {
    const namespace = await newSpace();
    const resources = { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '16Mi' } };
    const before = deployment(namespace, 'web', { container: { resources } });
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'small', namespace },
      spec: { hard: { 'requests.memory': '32Mi' } },
    });
    await until(async () => {
      const quota = await cluster.get({ apiVersion: 'v1', kind: 'ResourceQuota', namespace, name: 'small' });
      return (quota?.status as { hard?: object })?.hard;
    });
    const levels = Object.fromEntries(['drain', 'probes', 'qos', 'privileged'].map((rule) => [rule, 'off']));
    const quotaOf = async (object: object) =>
      (await judge([object], { levels })).findings.filter(({ rule }) => rule === 'quota');
    expect(await quotaOf(before)).toEqual([]);
    await cluster.create(before as KubeObject);
    const id = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'web' };
    await until(async () => {
      const quota = await cluster.get({ apiVersion: 'v1', kind: 'ResourceQuota', namespace, name: 'small' });
      const used = (quota?.status as { used?: Record<string, string> } | undefined)?.used;
      const status = (await cluster.get(id))!.status as { replicas?: number } | undefined;
      return used?.['requests.memory'] === '32Mi' && status?.replicas === 2 ? true : undefined;
    });
    const after = deployment(namespace, 'web', { container: { resources, args: ['new'] } });
    const [found] = await quotaOf(after);
    expect(found).toMatchObject({ level: 'error' });
    expect(found?.message).toContain(
      'allows 32Mi of requests.memory, of which 32Mi is used; the rollout adds 16Mi',
    );

    await cluster.apply(after as KubeObject, { fieldManager: 'slipway', force: true });
    const failure = await until(async () => {
      const status = (await cluster.get(id))!.status as { conditions?: { type: string; message: string }[] };
      return status.conditions?.find(({ type }) => type === 'ReplicaFailure')?.message;
    });
    expect(failure).toContain('exceeded quota: small');
  });

  it('finds the container that the quota refuses because it says nothing', async () => {
    const namespace = await newSpace();
    await cluster.create({
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'counts', namespace },
      spec: { hard: { 'limits.cpu': '1', 'requests.memory': '1Gi' } },
    });
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'mute', namespace }, spec: podSpec() };
    const [found] = (await judge([pod])).findings.filter(({ rule }) => rule === 'quota');
    expect(found?.message).toContain('counts limits.cpu, requests.memory, and container app');
    expect(await until(() => refusal(pod))).toMatch(
      /must specify limits.cpu for: app; requests.memory for: app/,
    );
  });

  it('finds what the API server refuses, and nothing in what it takes', async () => {
    const namespace = await newSpace();
    const secret = (password: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'a', namespace },
      data: { password },
    });
    const labelled = (labels: object, selector: object) => {
      const { template } = deployment(namespace, 'web').spec;
      return deployment(namespace, 'web', {
        spec: { selector, template: { ...template, metadata: { labels } } },
      });
    };
    const objects = [
      ...[
        'aHVudGVyMg==',
        'aHVudGVyMg',
        'hunter2',
        'hunter2!',
        'aGk=\n',
        'aG\nk=',
        'aGk-',
        '',
        'YQ=',
        '====',
      ].map(secret),
      labelled({ app: 'web' }, { matchLabels: { app: 'web' } }),
      labelled({ app: 'wbe' }, { matchLabels: { app: 'web' } }),
      labelled(
        { app: 'web', tier: 'a' },
        { matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }] },
      ),
      labelled({ app: 'web' }, { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }),
      labelled({ app: 'web' }, { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }),
      labelled({ app: 'web' }, { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }),
      labelled({ app: 'web' }, {}),
      { ...deployment(namespace, 'old'), apiVersion: 'apps/v1beta2' },
      {
        apiVersion: 'policy/v1beta1',
        kind: 'PodDisruptionBudget',
        metadata: { name: 'a', namespace },
        spec: {},
      },
    ];
    for (const object of objects) {
      const { findings } = await judge(
        [object].filter(() => true),
        {
          levels: { access: 'off' },
          as: cluster,
        },
      );
      const ours = findings.filter(({ level, rule }) => level === 'error' && rule !== 'selector-service');
      const theirs = await refusal(object).catch((error: Error) => error.message);
      expect([JSON.stringify(object), ours.length > 0]).toEqual([
        JSON.stringify(object),
        theirs !== undefined,
      ]);
    }
  });

  it('lists all that a token which may only read is missing, and judges with it all the same', async () => {
    const namespace = await newSpace();
    const reading = ['get', 'list', 'watch'];
    const user = await lab.asUser(namespace, {
      rules: [
        { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: reading },
        { apiGroups: [''], resources: ['pods', 'services', 'configmaps'], verbs: reading },
      ],
    });
    await using reader = await enter(user.kubeconfig);
    const service = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace },
      spec: { selector: { app: 'web' }, ports: [{ port: 80 }] },
    };
    const { findings, missing } = await judge([deployment(namespace, 'web'), service], { as: reader });
    const list = (need: string) =>
      missing
        .filter((one) => one.need === need)
        .map(({ verb, resource, namespace: where }) => `${verb} ${resource} in ${where}`);
    expect(list('required').sort()).toEqual(
      [
        'patch deployments.apps',
        'create deployments.apps',
        'patch services',
        'create services',
        'create configmaps',
        'update configmaps',
        'get leases.coordination.k8s.io',
        'create leases.coordination.k8s.io',
        'update leases.coordination.k8s.io',
      ]
        .map((one) => `${one} in ${namespace}`)
        .sort(),
    );
    expect(list('optional')).toContain(`get pods/log in ${namespace}`);
    expect(list('optional')).toContain(`list horizontalpodautoscalers.autoscaling in ${namespace}`);
    expect(findings.filter(({ rule }) => rule === 'drain')).toMatchObject([{ level: 'warning' }]);
    const unknown = findings.filter(({ message }) => message.includes('is unknown'));
    expect(unknown.map(({ rule, level }) => `${rule} ${level}`)).toEqual([
      'disruption-budget notice',
      'autoscaler-replicas notice',
      'quota notice',
    ]);

    // Each of the required verbs is really refused, and the admin misses none.
    const required = missing.filter(({ need }) => need === 'required');
    const asked = required.map(async ({ verb, resource }) => {
      const [plural, subresource] = resource.split('/');
      const args = ['auth', 'can-i', verb, plural!, ...(subresource ? ['--subresource', subresource] : [])];
      const options = { kubeconfig: user.kubeconfig, accept: [0, 1] };
      const { stdout } = await lab.kubectl([...args, '-n', namespace], options);
      return [verb, resource, stdout.toString().trim()];
    });
    expect(await Promise.all(asked)).toEqual(required.map(({ verb, resource }) => [verb, resource, 'no']));
    expect((await judge([deployment(namespace, 'web'), service])).missing).toEqual([]);
    expect((await judge([service], { as: reader, levels: { access: 'off' } })).missing).toEqual([]);
  });
});
