import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  ApiError,
  type Cluster,
  idOf,
  type KubeObject,
  type Manifest,
  openCluster,
} from '../../../shared/kubernetes/index.ts';
import {
  ApplyFailure,
  applyAll,
  diffAll,
  formatChange,
  intentOf,
  parseForcePatterns,
  pruneCandidates,
  removeAll,
} from '../../../shared/rollout/index.ts';
import { benchObjects } from '../../bench/rollout-objects.ts';
import { describeWith, kubernetes } from '../../lab/index.ts';

const part = await kubernetes();
const { signal } = new AbortController();
const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** An object as if it were written from line 1 on, each field on the line that its depth gives. */
const manifest = (object: object): Manifest => ({
  object: object as KubeObject,
  locate: (path) => ({ file: 'deploy/app.yaml', line: path.length + 1 }),
});
const at = (line: number) => ({ file: 'deploy/app.yaml', line });
const wave = (...objects: readonly object[]) => [objects.map(manifest)];

const enter = (kubeconfig: string) =>
  openCluster({ kubeconfig, env: {}, signal, secret: () => {}, onWarning: () => {} });

/** A workload whose pods wait for a scheduler that is not there: what it declares is real, and it costs nothing. */
const deployment = (
  namespace: string,
  name: string,
  {
    spec = {},
    container = {},
    annotations = {},
  }: { spec?: object; container?: object; annotations?: object } = {},
) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace, annotations },
  spec: {
    replicas: 1,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        schedulerName: 'nobody',
        containers: [{ name: 'app', image: 'example.com/app:v1', ...container }],
      },
    },
    ...spec,
  },
});

const configMap = (namespace: string, name: string, data: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});

const failureOf = async (applying: Promise<unknown>): Promise<ApplyFailure> => {
  const error = await applying.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ApplyFailure);
  return error as ApplyFailure;
};

describeWith('applying to a cluster', { kubernetes: part }, ({ kubernetes: lab }) => {
  let cluster: Cluster;
  let space: Awaited<ReturnType<typeof lab.namespace>>;
  let namespace: string;
  beforeAll(async () => {
    [cluster, space] = await Promise.all([enter(lab.kubeconfig), lab.namespace('apply')]);
    namespace = space.name;
  });
  afterAll(async () => {
    await space?.[Symbol.asyncDispose]();
    await cluster?.[Symbol.asyncDispose]();
  });
  const kubectl = async (args: readonly string[], object?: object) =>
    await lab.kubectl(
      ['-n', namespace, ...args],
      object === undefined ? {} : { input: JSON.stringify(object) },
    );
  const live = async (object: object) => (await cluster.get(idOf(object as KubeObject)))!;
  const containerOf = (object: KubeObject) =>
    (object.spec as { template: { spec: { containers: Record<string, unknown>[] } } }).template.spec
      .containers[0]!;

  it('creates, changes nothing the second time, and drops what the manifest drops', async () => {
    const first = deployment(namespace, 'plain', {
      container: { args: ['serve'], env: [{ name: 'A', value: '1' }] },
    });
    const results = async (object: object) =>
      (await applyAll(cluster, wave(object), { signal })).map(({ result }) => result);
    expect(await results(first)).toEqual(['created']);
    const before = await live(first);
    expect(await results(first)).toEqual(['unchanged']);
    const after = await live(first);
    expect(after.metadata.generation).toBe(before.metadata.generation);

    const second = deployment(namespace, 'plain', { container: { args: ['serve'] } });
    const { changes } = await diffAll(cluster, [manifest(second)], { signal });
    expect(changes[0]).toMatchObject({ kind: 'update', basis: 'dry-run' });
    expect(changes[0]!.fields.map(formatChange)).toEqual([
      'spec.template.spec.containers[name=app].env: removed, was [{"name":"A","value":"1"}]',
    ]);
    expect(await results(second)).toEqual(['changed']);
    expect(containerOf(await live(second))).not.toHaveProperty('env');
    expect((await diffAll(cluster, [manifest(second)], { signal })).changes[0]).toMatchObject({
      kind: 'same',
      fields: [],
    });
  });

  it('drops what kubectl apply owned in one change, and leaves last-applied true', async () => {
    const old = deployment(namespace, 'from-kubectl', {
      container: {
        args: ['serve'],
        env: [
          { name: 'A', value: '1' },
          { name: 'B', value: '2' },
        ],
      },
      annotations: { 'example.com/old': 'yes', 'example.com/kept': 'yes' },
    });
    await kubectl(['apply', '-f', '-'], old);
    await kubectl(['annotate', 'deployment', 'from-kubectl', 'example.com/by-hand=yes']);
    const now = deployment(namespace, 'from-kubectl', {
      container: { image: 'example.com/app:v2', env: [{ name: 'A', value: '1' }] },
      annotations: { 'example.com/kept': 'yes' },
    });
    const plan = await diffAll(cluster, [manifest(now)], { signal });
    expect(plan.changes[0]!.conflicts).toEqual([]);
    expect(plan.changes[0]!.fields.map(formatChange).sort()).toEqual([
      'metadata.annotations["example.com/old"]: removed, was yes',
      'spec.template.spec.containers[name=app].args: removed, was ["serve"]',
      'spec.template.spec.containers[name=app].env[name=B]: removed, was {"name":"B","value":"2"}',
      'spec.template.spec.containers[name=app].image: example.com/app:v1 → example.com/app:v2',
    ]);

    const before = await live(old);
    const [applied] = await applyAll(cluster, wave(now), { signal, live: plan.live });
    expect(applied!.result).toBe('changed');
    expect(applied!.object!.metadata.generation).toBe(before.metadata.generation! + 1);
    expect(containerOf(applied!.object!)).toMatchObject({
      image: 'example.com/app:v2',
      env: [{ name: 'A', value: '1' }],
      imagePullPolicy: 'IfNotPresent',
    });
    expect(containerOf(applied!.object!)).not.toHaveProperty('args');
    const { annotations = {} } = applied!.object!.metadata;
    expect(annotations).toMatchObject({ 'example.com/kept': 'yes', 'example.com/by-hand': 'yes' });
    expect(annotations).not.toHaveProperty('example.com/old');
    expect(JSON.parse(annotations[LAST_APPLIED]!)).toEqual(now);
    expect(applied!.object!.metadata.managedFields!.map(({ manager }) => manager)).not.toContain(
      'kubectl-client-side-apply',
    );
    // kubectl diff exits with 1 where kubectl apply would change something.
    const kubectlSees = await lab.kubectl(['-n', namespace, 'diff', '-f', '-'], {
      input: JSON.stringify(now),
      accept: [0, 1],
    });
    expect(kubectlSees.stdout.toString()).toBe('');
  });

  it('lists every conflict with its owner, and takes only what is allowed', async () => {
    const first = deployment(namespace, 'contested', { spec: { replicas: 2, minReadySeconds: 1 } });
    await kubectl(['apply', '--server-side', '--field-manager=helm', '-f', '-'], first);
    await kubectl(
      ['apply', '--server-side', '--field-manager=ops', '-f', '-'],
      configMap(namespace, 'contested', { 'app.yaml': 'ops' }),
    );
    const now = deployment(namespace, 'contested', {
      spec: { replicas: 3, minReadySeconds: 1 },
      container: { image: 'example.com/app:v2' },
    });
    const both = wave(now, configMap(namespace, 'contested', { 'app.yaml': 'ours' }));
    const refused = await failureOf(applyAll(cluster, both, { signal }));
    const contested = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'contested', namespace };
    expect(refused.conflicts).toEqual([
      { id: contested, field: '.spec.replicas', manager: 'helm', location: at(3) },
      {
        id: contested,
        field: '.spec.template.spec.containers[name="app"].image',
        manager: 'helm',
        location: at(7),
      },
      {
        id: { ...contested, apiVersion: 'v1', kind: 'ConfigMap' },
        field: '.data.app.yaml',
        manager: 'ops',
        location: at(3),
      },
    ]);
    const plan = await diffAll(cluster, both[0]!, { signal });
    expect(plan.changes.flatMap(({ conflicts }) => conflicts)).toEqual(refused.conflicts);
    for (const line of [
      `Deployment ${namespace}/contested .spec.replicas is owned by helm`,
      '  Deployment/contested:spec.template.spec.containers[name=app].image',
      '  ConfigMap/contested:data.app.yaml',
      'Helm release',
    ]) {
      expect(refused.message).toContain(line);
    }

    // Only one of two: the API would take both, so neither is taken.
    const one = parseForcePatterns(['spec.replicas', 'ConfigMap/contested:data']);
    const partly = await failureOf(applyAll(cluster, both, { signal, force: one }));
    expect(partly.conflicts.map(({ field }) => field)).toEqual([
      '.spec.template.spec.containers[name="app"].image',
    ]);
    expect((await live(now)).spec).toMatchObject({ replicas: 2 });
    expect((await live(configMap(namespace, 'contested', {}))).data).toEqual({ 'app.yaml': 'ours' });

    const force = parseForcePatterns([
      'Deployment/contested:.spec.replicas',
      'spec.template.spec.containers[name="app"]',
    ]);
    await applyAll(cluster, both, { signal, force });
    expect((await live(now)).spec).toMatchObject({ replicas: 3 });
    expect(containerOf(await live(now)).image).toBe('example.com/app:v2');
  });

  const autoscaler = (name: string) => ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name, namespace },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      minReplicas: 2,
      maxReplicas: 10,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } },
        },
      ],
    },
  });

  /** The numbers of replicas that a workload was told to have while something was done. */
  const replicasDuring = async (name: string, work: () => Promise<unknown>): Promise<number[]> => {
    const seen: number[] = [];
    const done = new AbortController();
    const events = cluster.watch(
      { apiVersion: 'apps/v1', kind: 'Deployment', namespace, fieldSelector: `metadata.name=${name}` },
      done.signal,
    );
    let synced: (() => void) | undefined;
    const ready = new Promise<void>((resolve) => {
      synced = resolve;
    });
    const marked = Promise.withResolvers<void>();
    const watching = (async () => {
      for await (const event of events) {
        if (event.type === 'synced') synced!();
        else {
          seen.push((event.object.spec as { replicas: number }).replicas);
          if (event.object.metadata.annotations?.['example.com/end'] !== undefined) marked.resolve();
        }
      }
    })();
    await ready;
    await work();
    await kubectl(['annotate', 'deployment', name, 'example.com/end=1']);
    await marked.promise;
    done.abort();
    await watching;
    return seen;
  };

  it('never lowers replicas when an autoscaler takes them over from kubectl', async () => {
    await kubectl(['apply', '-f', '-'], deployment(namespace, 'scaled', { spec: { replicas: 6 } }));
    const now = deployment(namespace, 'scaled', {
      spec: { replicas: 3 },
      container: { image: 'example.com/app:v2' },
    });
    const seen = await replicasDuring('scaled', async () => {
      await applyAll(cluster, [[manifest(now)], [manifest(autoscaler('scaled'))]], { signal });
      expect(containerOf(await live(now)).image).toBe('example.com/app:v2');
      await applyAll(cluster, wave(deployment(namespace, 'scaled'), autoscaler('scaled')), { signal });
    });
    expect(new Set(seen)).toEqual(new Set([6]));
    // And what a kubectl apply of somebody would do: last-applied names no replicas that it would reset.
    const { replicas: _, ...spec } = now.spec;
    const byKubectl = await replicasDuring('scaled', () => kubectl(['apply', '-f', '-'], { ...now, spec }));
    expect(new Set(byKubectl)).toEqual(new Set([6]));
  });

  it('never lowers replicas that it applied itself when an autoscaler comes, and takes them back when it is gone', async () => {
    const fixed = deployment(namespace, 'own-scaled', { spec: { replicas: 5 } });
    await applyAll(cluster, wave(fixed), { signal });
    const { replicas: _, ...spec } = fixed.spec;
    const seen = await replicasDuring('own-scaled', async () => {
      await applyAll(cluster, wave({ ...fixed, spec }, autoscaler('own-scaled')), { signal });
      await applyAll(cluster, wave(fixed, autoscaler('own-scaled')), { signal });
    });
    expect(new Set(seen)).toEqual(new Set([5]));

    // As the autoscaler writes: through the scale subresource, under the controller manager's name.
    await cluster.patch(
      idOf(fixed as unknown as KubeObject),
      { spec: { replicas: 7 } },
      { subresource: 'scale', fieldManager: 'kube-controller-manager' },
    );
    await applyAll(cluster, wave(fixed, autoscaler('own-scaled')), { signal });
    expect((await live(fixed)).spec).toMatchObject({ replicas: 7 });
    await cluster.remove(idOf(autoscaler('own-scaled') as unknown as KubeObject));
    await applyAll(cluster, wave(fixed), { signal });
    expect((await live(fixed)).spec).toMatchObject({ replicas: 5 });
  });

  it('says of a field that cannot change where it is written and what must be done', async () => {
    const service = (clusterIP?: string) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'fixed', namespace },
      spec: {
        ...(clusterIP !== undefined && { clusterIP }),
        selector: { app: 'fixed' },
        ports: [{ port: 80 }],
      },
    });
    const job = (args: string[], annotations = {}) => ({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'fixed', namespace, annotations },
      spec: {
        template: {
          spec: {
            restartPolicy: 'Never',
            schedulerName: 'nobody',
            containers: [
              { name: 'app', image: 'example.com/app:v1', args, env: [{ name: 'T', value: 'hush-hush' }] },
            ],
          },
        },
      },
    });
    const set = (size: string) => ({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: { name: 'fixed', namespace },
      spec: {
        replicas: 0,
        serviceName: 'fixed',
        selector: { matchLabels: { app: 'fixed' } },
        template: {
          metadata: { labels: { app: 'fixed' } },
          spec: { containers: [{ name: 'app', image: 'a:1' }] },
        },
        volumeClaimTemplates: [
          {
            metadata: { name: 'data' },
            spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } } },
          },
        ],
      },
    });
    const first = wave(deployment(namespace, 'fixed'), service(), job(['a']), set('1Gi'));
    await applyAll(cluster, first, { signal });
    const other = deployment(namespace, 'fixed', {
      spec: {
        selector: { matchLabels: { app: 'fixed', tier: 'web' } },
        template: {
          metadata: { labels: { app: 'fixed', tier: 'web' } },
          spec: { containers: [{ name: 'app', image: 'a:1' }] },
        },
      },
    });
    const second = wave(
      other,
      service('None'),
      job(['b']),
      set('2Gi'),
      configMap(namespace, 'fixed', { a: 'b' }),
    );
    const failure = await failureOf(
      applyAll(cluster, [...second, ...wave(configMap(namespace, 'later', {}))], { signal }),
    );
    const messages = failure.refusals.map(({ message }) => message);
    expect(messages).toHaveLength(4);
    expect(messages[0]).toMatch(
      /spec\.selector: Invalid value: .*field is immutable\. The selector of a Deployment/s,
    );
    expect(messages[1]).toMatch(/clusterIP.*may not change once set\..*leave spec\.clusterIP/);
    expect(messages[2]).toMatch(/spec\.template: Invalid value: field is immutable\..*another name/);
    expect(messages[3]).toMatch(/--cascade=orphan/);
    expect(messages.join()).not.toContain('hush-hush');
    expect(failure.refusals[0]!.location).toEqual({ file: 'deploy/app.yaml', line: 3 });
    // The rest of the wave was applied, and nothing after it.
    expect(failure.applied.map(({ id }) => id.kind)).toEqual(['ConfigMap']);
    expect(await cluster.get(idOf(configMap(namespace, 'later', {}) as KubeObject))).toBeUndefined();

    const plan = await diffAll(cluster, second[0]!, { signal });
    expect(plan.refusals.map(({ message }) => message)).toEqual(messages);
    const anew = job(['b'], { 'slipway.dev/replace': 'true' });
    expect((await diffAll(cluster, [manifest(anew)], { signal })).changes[0]).toMatchObject({
      kind: 'replace',
    });
    const before = await live(anew);
    const [replaced] = await applyAll(cluster, wave(anew), { signal });
    expect(replaced!.result).toBe('replaced');
    expect(replaced!.object!.metadata.uid).not.toBe(before.metadata.uid);
    expect((await applyAll(cluster, wave(anew), { signal }))[0]!.result).toBe('unchanged');
  });

  it('applies a kind, a namespace, and objects of both in one go', async () => {
    const group = `${namespace}.example.com`;
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'widgets', singular: 'widget', kind: 'Widget', listKind: 'WidgetList' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: {
                  spec: {
                    type: 'object',
                    properties: {
                      size: { type: 'integer', minimum: 1, default: 3 },
                      parts: {
                        type: 'array',
                        'x-kubernetes-list-type': 'map',
                        'x-kubernetes-list-map-keys': ['id'],
                        items: {
                          type: 'object',
                          required: ['id'],
                          properties: { id: { type: 'string' }, n: { type: 'integer' } },
                        },
                      },
                    },
                  },
                },
              },
            },
          },
        ],
      },
    };
    const fresh = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `${namespace}-made` } };
    const widget = (spec: object) => ({
      apiVersion: `${group}/v1`,
      kind: 'Widget',
      metadata: { name: 'one', namespace: fresh.metadata.name },
      spec,
    });
    try {
      const waves = [...wave(fresh), ...wave(definition), ...wave(widget({ parts: [{ id: 'a', n: 1 }] }))];
      const plan = await diffAll(cluster, waves.flat(), { signal });
      expect(plan.changes.map(({ kind, basis }) => `${kind} ${basis}`)).toEqual([
        'create dry-run',
        'create dry-run',
        'create compared',
      ]);
      const applied = await applyAll(cluster, waves, { signal, live: plan.live });
      expect(applied.map(({ result }) => result)).toEqual(['created', 'created', 'created']);
      // The new kind's lists are told apart by its own keys.
      const { changes } = await diffAll(
        cluster,
        [
          manifest(
            widget({
              parts: [
                { id: 'b', n: 1 },
                { id: 'a', n: 2 },
              ],
            }),
          ),
        ],
        { signal },
      );
      expect(changes[0]!.fields.map(formatChange).sort()).toEqual([
        'spec.parts[id=a].n: 1 → 2',
        'spec.parts[id=b]: set to {"id":"b","n":1}',
      ]);
      const refused = await failureOf(applyAll(cluster, wave(widget({ size: 0 })), { signal }));
      expect(refused.message).toMatch(/^Widget .*\/one was refused: spec\.size: Invalid value: 0: /);
      expect(refused.location).toEqual({ file: 'deploy/app.yaml', line: 3 });
    } finally {
      await removeAll(
        cluster,
        [definition, fresh].map((object) => idOf(object as KubeObject)),
        { signal, evenKept: true },
      );
      await kubectl(['delete', 'crd', definition.metadata.name, '--ignore-not-found', '--wait=false']);
      await kubectl(['delete', 'namespace', fresh.metadata.name, '--ignore-not-found', '--wait=false']);
    }
  });

  it('compares what it may only read', async () => {
    const object = deployment(namespace, 'read-only', {
      container: {
        args: ['serve'],
        resources: { requests: { cpu: '1000m', memory: '1Gi' } },
        ports: [{ containerPort: 80 }],
      },
    });
    const secret = (value: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'read-only', namespace },
      stringData: { password: value },
    });
    await applyAll(cluster, wave(object, secret('hush-hush')), { signal });
    const user = await lab.asUser(namespace, {
      rules: [{ apiGroups: ['', 'apps', 'autoscaling'], resources: ['*'], verbs: ['get', 'list', 'watch'] }],
    });
    await using reader = await enter(user.kubeconfig);
    const same = deployment(namespace, 'read-only', {
      container: {
        args: ['serve'],
        resources: { requests: { cpu: 1, memory: '1024Mi' } },
        ports: [{ containerPort: 80 }],
      },
    });
    const diff = async (...objects: readonly object[]) => {
      const { changes } = await diffAll(reader, objects.map(manifest), { signal });
      return changes;
    };
    expect(await diff(same, secret('hush-hush'))).toMatchObject([
      { kind: 'same', basis: 'compared', fields: [] },
      { kind: 'same', basis: 'compared', fields: [] },
    ]);
    const [workload, secrets, fresh] = await diff(
      deployment(namespace, 'read-only', {
        container: { image: 'example.com/app:v2', ports: [{ containerPort: 80 }] },
      }),
      secret('whisper'),
      configMap(namespace, 'read-only', {}),
    );
    expect(workload!.fields.map(formatChange)).toEqual([
      'spec.template.spec.containers[name=app].image: example.com/app:v1 → example.com/app:v2',
      'spec.template.spec.containers[name=app].args: removed, was ["serve"]',
      'spec.template.spec.containers[name=app].resources: removed, was {"requests":{"cpu":"1","memory":"1Gi"}}',
    ]);
    expect(secrets!.fields.map(formatChange)).toEqual(['data.password: different (secret)']);
    expect(fresh).toMatchObject({ kind: 'create', basis: 'compared' });
    await expect(
      reader.apply(same as unknown as KubeObject, { fieldManager: 'slipway' }),
    ).rejects.toBeInstanceOf(ApiError);
  });

  it('never tells what a Secret holds', async () => {
    const secret = (data: Record<string, string>, type = 'Opaque') => ({
      apiVersion: 'v1',
      kind: 'Secret',
      type,
      metadata: { name: 'quiet', namespace },
      stringData: data,
    });
    await kubectl(['apply', '-f', '-'], secret({ old: 'hush-1', kept: 'hush-2' }));
    const now = secret({ kept: 'hush-3', made: 'hush-4' });
    const plan = await diffAll(cluster, [manifest(now)], { signal });
    expect(plan.changes[0]!.fields.map(({ path, secret }) => [path, secret]).sort()).toEqual([
      ['data.kept', true],
      ['data.made', true],
      ['data.old', true],
    ]);
    const { live: _, ...told } = plan;
    const hidden = /hush|aHVzaC/;
    expect(JSON.stringify(told)).not.toMatch(hidden);
    await applyAll(cluster, wave(now), { signal });
    expect((await live(now)).data).toEqual({ kept: btoa('hush-3'), made: btoa('hush-4') });
    const refused = await failureOf(applyAll(cluster, wave(secret({ kept: 'hush-5' }, 'other')), { signal }));
    expect(refused.message).toMatch(/field is immutable/);
    expect(refused.message).not.toMatch(hidden);
  });

  it('reads what people want of an object, to which it can go back', async () => {
    const old = deployment(namespace, 'adopted', { container: { args: ['serve'] } });
    await kubectl(['apply', '-f', '-'], old);
    await kubectl(['set', 'image', 'deployment/adopted', 'app=example.com/app:v1.1']);
    await kubectl(['scale', 'deployment/adopted', '--replicas=2']);
    const before = await live(old);
    const intent = intentOf(before);
    expect(intent).not.toHaveProperty('status');
    expect(intent.metadata).toEqual({ name: 'adopted', namespace });
    expect(containerOf(intent)).toMatchObject({ image: 'example.com/app:v1.1', args: ['serve'] });
    const force = parseForcePatterns(['*']);
    await applyAll(
      cluster,
      wave(deployment(namespace, 'adopted', { container: { env: [{ name: 'N', value: '1' }] } })),
      {
        signal,
        force,
      },
    );
    await applyAll(cluster, wave(intent), { signal, force });
    expect((await live(old)).spec).toEqual(before.spec);
  });

  it('takes over an object that is older than owners of fields', async () => {
    const old = configMap(namespace, 'ancient', { dropped: '1', kept: '2' });
    await applyAll(cluster, wave(old), { signal });
    await cluster.patch(idOf(old as KubeObject), [
      { op: 'replace', path: '/metadata/managedFields', value: [{}] },
    ]);
    expect((await live(old)).metadata.managedFields).toBeUndefined();
    const now = configMap(namespace, 'ancient', { kept: '3' });
    const [applied] = await applyAll(cluster, wave(now), { signal });
    expect(applied).toMatchObject({ result: 'changed', object: { data: { kept: '3' } } });
    expect((await live(now)).data).toEqual({ kept: '3' });
  });

  it('waits for an object of the same name that is being deleted', async () => {
    const going = configMap(namespace, 'going', { a: 'old' });
    await applyAll(
      cluster,
      wave({ ...going, metadata: { ...going.metadata, finalizers: ['example.com/wait'] } }),
      {
        signal,
      },
    );
    const before = await live(going);
    await cluster.remove(idOf(before));
    const applying = applyAll(cluster, wave(configMap(namespace, 'going', { a: 'new' })), { signal });
    await kubectl([
      'patch',
      'configmap',
      'going',
      '--type=json',
      '-p',
      '[{"op":"remove","path":"/metadata/finalizers"}]',
    ]);
    const [applied] = await applying;
    expect(applied).toMatchObject({ result: 'created', object: { data: { a: 'new' } } });
    expect(applied!.object!.metadata.uid).not.toBe(before.metadata.uid);
  });

  it('refuses what has no namespace or kind to be in', async () => {
    const nowhere = configMap('slipway-nowhere', 'lost', {});
    const unknown = { ...deployment(namespace, 'unknown'), kind: 'Deploymnt' };
    const { refusals, changes } = await diffAll(cluster, [nowhere, unknown].map(manifest), { signal });
    expect(changes).toEqual([]);
    expect(refusals[0]!.message).toMatch(/^Namespace slipway-nowhere does not exist; create it/);
    expect(refusals[1]!.message).toContain('Did you mean "Deployment"?');
    const digits = deployment(namespace, 'digits', {
      container: { env: [{ name: 'DB_PASSWORD', value: 48151623 }], image: 42 },
    });
    const wrong = await diffAll(cluster, [manifest(digits)], { signal });
    expect(wrong.refusals[0]!.message).toMatch(/DB_PASSWORD.*expected string/);
    expect(wrong.refusals[0]!.message).toContain('got 42');
    expect(wrong.refusals[0]!.message).not.toContain('48151623');
    const failure = await failureOf(applyAll(cluster, wave(nowhere, unknown), { signal }));
    expect(failure.refusals).toEqual(refusals);
  });

  it('deletes what the manifests no longer have, and only that', async () => {
    const annotated = (object: ReturnType<typeof configMap>, annotations: object) => ({
      ...object,
      metadata: { ...object.metadata, annotations },
    });
    const objects = [
      configMap(namespace, 'prune-goes', {}),
      configMap(namespace, 'prune-stays', {}),
      annotated(configMap(namespace, 'prune-kept', {}), { 'helm.sh/resource-policy': 'keep' }),
      configMap(namespace, 'prune-kept-live', {}),
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'prune-data', namespace },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
      },
    ];
    const applied = await applyAll(cluster, wave(...objects), { signal });
    await kubectl(['annotate', 'configmap', 'prune-kept-live', 'slipway.dev/keep=true']);
    const candidates = pruneCandidates(
      applied.map(({ object }) => object!),
      [manifest(objects[1]!)],
    );
    expect(candidates.map(({ name }) => name)).toEqual(['prune-goes', 'prune-kept-live']);
    const removed = await removeAll(cluster, candidates, { signal });
    expect(removed.map(({ id, result }) => `${id.name} ${result}`)).toEqual(['prune-goes removed']);
    const left = await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
    expect(left.map(({ metadata }) => metadata.name).filter((name) => name.startsWith('prune'))).toEqual([
      'prune-kept',
      'prune-kept-live',
      'prune-stays',
    ]);
  });

  it('needs one request for each of many objects, and one for all that are as declared', async () => {
    const objects = Array.from({ length: 60 }, (_, index) =>
      configMap(namespace, `many-${index}`, { n: `${index}` }),
    );
    const counted = async (work: (cluster: Cluster) => Promise<unknown>) => {
      await using cluster = await enter(lab.kubeconfig);
      await cluster.version();
      await work(cluster);
      return cluster.traffic.requests;
    };
    // Beside them: the server's version, discovery (two), and one list.
    const first = counted(async (cluster) => {
      const applied = await applyAll(cluster, wave(...objects), { signal });
      expect(applied.map(({ id }) => id.name)).toEqual(objects.map(({ metadata }) => metadata.name));
    });
    expect(await first).toBeLessThanOrEqual(objects.length + 5);
    const second = counted(async (cluster) => {
      const { changes, live } = await diffAll(cluster, objects.map(manifest), { signal });
      expect(new Set(changes.map(({ kind }) => kind))).toEqual(new Set(['same']));
      const applied = await applyAll(cluster, wave(...objects), { live, signal });
      expect(new Set(applied.map(({ result }) => result))).toEqual(new Set(['unchanged']));
    });
    expect(await second).toBeLessThanOrEqual(6);
  });

  it('applies again what somebody changed after it was found to be as declared', async () => {
    const objects = ['kept', 'edited', 'taken', 'gone', 'widened'].map((name) =>
      configMap(namespace, `between-${name}`, { a: '1', b: '2' }),
    );
    const [, edited, taken, gone, widened] = objects as [object, object, object, object, object];
    await applyAll(cluster, wave(...objects), { signal });
    const { changes, live: known } = await diffAll(cluster, objects.map(manifest), { signal });
    expect(changes.map(({ kind }) => kind)).toEqual(objects.map(() => 'same'));
    const [patch, force] = [{ apiVersion: 'v1', kind: 'ConfigMap', namespace }, { fieldManager: 'slipway' }];
    await cluster.patch({ ...patch, name: 'between-edited' }, { data: { a: null } }, force);
    await kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=else', '-f', '-'], {
      ...taken,
      data: { a: 'theirs' },
    });
    await cluster.remove(idOf(gone as KubeObject));
    await cluster.patch({ ...patch, name: 'between-widened' }, { data: { c: '3' } });
    const applied = await applyAll(cluster, wave(...objects), {
      live: known,
      force: parseForcePatterns(['*']),
      signal,
    });
    expect(applied.map(({ result }) => result)).toEqual([
      'unchanged',
      'changed',
      'changed',
      'created',
      'unchanged',
    ]);
    for (const object of [edited, taken, gone])
      expect(await live(object)).toMatchObject({ data: { a: '1', b: '2' } });
    expect(await live(widened)).toMatchObject({ data: { a: '1', b: '2', c: '3' } });
  });

  it('takes no object for one that is as declared whose apply would change it, of any of 20 kinds', async () => {
    const all = benchObjects(namespace, 'example.com/app:v1').filter(({ metadata }) =>
      metadata.name.endsWith('-1'),
    );
    const objects = all.map((object) =>
      'replicas' in ((object.spec ?? {}) as object)
        ? { ...object, spec: { ...(object.spec as object), replicas: 0 } }
        : object,
    );
    await applyAll(cluster, wave(...objects), { signal });
    const { changes } = await diffAll(cluster, objects.map(manifest), { signal });
    expect(changes.map(({ kind }) => kind)).toEqual(objects.map(() => 'same'));
    const spared = objects.filter((_, index) => changes[index]!.basis === 'compared');
    // The others hold lists that the API server fills in, of which only it can tell.
    expect(spared.length).toBeGreaterThanOrEqual(16);
    const ours = ({ metadata }: KubeObject) => [
      metadata.generation,
      metadata.managedFields!.find(
        ({ manager, operation }) => manager === 'slipway' && operation === 'Apply',
      ),
    ];
    for (const object of spared) {
      const before = await live(object);
      const after = await cluster.apply(object, { fieldManager: 'slipway' });
      expect(ours(after)).toEqual(ours(before));
      const other = { ...object, metadata: { ...object.metadata, labels: { app: 'other' } } };
      const [change] = (await diffAll(cluster, [manifest(other)], { signal })).changes;
      expect(change).toMatchObject({ kind: 'update', basis: 'dry-run' });
    }
  });
});
