import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  type Observation,
  parsePatience,
  type WatchOptions,
  type WorkloadProgress,
  watchRollout,
} from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { deployment } from './workload.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

// biome-ignore lint/suspicious/noExplicitAny: manifests as a user writes them
type Fields = Record<string, any>;

describeWith('watching a rollout', parts, ({ kubernetes: lab, registry }) => {
  const open = new AsyncDisposableStack();
  let cluster: Cluster;
  let namespace: string;
  let image: string;

  const opened = (kubeconfig: string) =>
    openCluster({
      kubeconfig,
      env: { PATH: process.env.PATH },
      signal: AbortSignal.timeout(170_000),
      secret: () => {},
    });

  beforeAll(async () => {
    cluster = open.use(await opened(lab.kubeconfig));
    namespace = open.use(await lab.namespace('watch')).name;
    image = (await registry.publish({ repository: 'watch', version: 'v1' })).tagged;
  });
  afterAll(() => open.disposeAsync());

  /** The Deployment of the tests under a name of its own, with changes to its spec and its container. */
  function named(name: string, { env, container, ...spec }: Fields = {}): KubeObject {
    const object = deployment({ image, ...(env && { env }) }) as KubeObject & { spec: Fields };
    const labels = { app: name };
    const { template } = object.spec;
    Object.assign(template.spec.containers[0], { resources: { requests: { cpu: '5m' } } }, container);
    template.spec.terminationGracePeriodSeconds = 1;
    template.metadata = { ...template.metadata, ...spec.templateMetadata, labels };
    const { templateMetadata: _, ...rest } = spec;
    return {
      ...object,
      metadata: { name, namespace },
      spec: { ...object.spec, selector: { matchLabels: labels }, template, ...rest },
    };
  }
  const put = (object: KubeObject, fieldManager = 'slipway') =>
    cluster.apply(object, { fieldManager, force: true });
  const observe = (
    target: KubeObject,
    options: Partial<WatchOptions> = {},
    by: Cluster = cluster,
  ): Promise<Observation> =>
    watchRollout(by, [target], {
      patience: parsePatience([]),
      timeout: 60_000,
      signal: AbortSignal.timeout(90_000),
      onProgress: () => {},
      onLine: () => {},
      ...options,
    });
  const causes = ({ outcome }: Observation) => (outcome.kind === 'failed' ? outcome.causes : []);
  const codes = (observation: Observation) => causes(observation).map(({ code }) => code);

  test.concurrent('ends with complete, tells of each step, and at once where there is nothing to do', async () => {
    const steps: WorkloadProgress[] = [];
    const lines: string[] = [];
    const target = await put(named('complete', { replicas: 2 }));
    const observation = await observe(target, {
      onProgress: (progress) => steps.push(progress),
      onLine: (_, line) => lines.push(line),
    });
    expect(observation.outcome).toEqual({ kind: 'complete' });
    expect(steps.at(-1)).toMatchObject({
      state: 'complete',
      wanted: 2,
      updated: 2,
      ready: 2,
      available: 2,
      revision: '1',
    });
    expect(steps.map(({ state }) => state)).toContain('rolling');
    expect(lines.filter((line) => line.includes('is ready after'))).toHaveLength(2);
    expect(observation.pods.map(({ revision, spans }) => [revision, spans.at(-1)?.phase])).toEqual([
      ['new', 'ready'],
      ['new', 'ready'],
    ]);
    const again = await observe((await cluster.get({ ...target, name: 'complete', namespace }))!);
    expect(again.outcome).toEqual({ kind: 'complete' });
    expect(again.ended - again.started).toBeLessThan(2000);
  });

  test.concurrent('ends with unknown as soon as it is stopped', async () => {
    const target = await put(named('stopped', { env: { READY_FAIL: 'never' } }));
    const stop = new AbortController();
    const watching = observe(target, {
      signal: stop.signal,
      onProgress: ({ updated }) => updated === 1 && stop.abort(),
    });
    expect((await watching).outcome.kind).toBe('unknown');
  });

  test.concurrent('ends when somebody else changes what is rolled out, and names who', async () => {
    const target = await put(named('contested', { env: { READY_FAIL: 'never' } }));
    const watching = observe(target);
    await put(named('contested', { env: { READY_FAIL: '', VERSION: 'other' } }), 'somebody-else');
    const [cause] = causes(await watching);
    expect(cause).toMatchObject({ code: 'superseded' });
    expect(cause!.message).toMatch(/another pod template by somebody-else/);
  });

  test.concurrent('goes on when an autoscaler changes the number of pods', async () => {
    const target = await put(named('scaled'));
    const watching = observe(target);
    await cluster.patch(
      { ...target, name: 'scaled', namespace },
      { spec: { replicas: 2 } },
      { fieldManager: 'autoscaler' },
    );
    const { outcome, workloads } = await watching;
    expect(outcome.kind).toBe('complete');
    expect(workloads[0]).toMatchObject({ wanted: 2, available: 2 });
  });

  test.concurrent('ends when the workload is deleted', async () => {
    const target = await put(named('deleted', { env: { READY_FAIL: 'never' } }));
    const watching = observe(target);
    await cluster.remove({ ...target, name: 'deleted', namespace });
    expect(codes(await watching)[0]).toBe('superseded');
  });

  test.concurrent('names the finalizer that keeps an old pod whose place is needed', async () => {
    const held = { strategy: { type: 'Recreate' }, templateMetadata: { finalizers: ['slipway.test/hold'] } };
    const first = await put(named('held', held));
    expect((await observe(first)).outcome.kind).toBe('complete');
    const next = await put(named('held', { ...held, env: { VERSION: 'v2' } }));
    const observation = await observe(next, { patience: parsePatience(['finalizer=1s']) });
    for (const pod of await cluster.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      labelSelector: 'app=held',
    }))
      await cluster.patch(
        { ...pod, apiVersion: 'v1', kind: 'Pod', name: pod.metadata.name, namespace },
        { metadata: { finalizers: null } },
      );
    await cluster.remove({ ...next, name: 'held', namespace });
    expect(codes(observation)[0]).toBe('finalizer');
    expect(causes(observation)[0]!.message).toContain('slipway.test/hold');
  });

  test.concurrent('fails at its time with what it saw, and goes back past the deadline of what failed', async () => {
    expect((await observe(await put(named('returned')))).outcome.kind).toBe('complete');
    const bad = await put(
      named('returned', { progressDeadlineSeconds: 3, env: { READY_FAIL: 'migrations pending' } }),
    );
    expect(codes(await observe(bad))).toEqual(['readiness', 'deadline']);
    const good = await put(named('returned', { progressDeadlineSeconds: 3 }));
    expect((await observe(good)).outcome.kind).toBe('complete');
    const late = await put(named('late', { env: { READY_FAIL: 'migrations pending' } }));
    const observation = await observe(late, { timeout: 6000 });
    expect(codes(observation)).toEqual(['readiness', 'deadline']);
    expect(causes(observation)[1]!.message).toMatch(
      /not rolled out within 6\.0 s; it still waits for 0 of 1 pods available/,
    );
  });

  test.concurrent('cannot tell the end of a DaemonSet that nothing rolls', async () => {
    const daemon = (version: string): KubeObject => {
      const { spec, ...object } = named('on-delete', { env: { VERSION: version } }) as KubeObject & {
        spec: Fields;
      };
      const { selector, template } = spec;
      return {
        ...object,
        kind: 'DaemonSet',
        spec: { selector, template, updateStrategy: { type: 'OnDelete' } },
      };
    };
    expect((await observe(await put(daemon('v1')))).outcome.kind).toBe('complete');
    const { outcome } = await observe(await put(daemon('v2')));
    expect(outcome).toMatchObject({ kind: 'unknown', because: expect.stringMatching(/OnDelete/) });
  });

  test.concurrent('goes on without leave to see events, and ends with unknown without leave to see workloads', async () => {
    const verbs = ['get', 'list', 'watch'];
    const user = await lab.asUser(namespace, {
      rules: [
        { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs },
        { apiGroups: [''], resources: ['pods'], verbs },
      ],
    });
    const blind = await lab.asUser(namespace, { rules: [{ apiGroups: [''], resources: ['pods'], verbs }] });
    await using limited = await opened(user.kubeconfig);
    await using none = await opened(blind.kubeconfig);
    const target = await put(named('limited'));
    expect((await observe(target, {}, limited)).outcome.kind).toBe('complete');
    const { outcome } = await observe(target, {}, none);
    expect(outcome).toMatchObject({
      kind: 'unknown',
      because: expect.stringMatching(/Deployments in .* cannot be watched/),
    });
    const bad = await put(named('limited', { env: { READY_FAIL: 'never' } }));
    const late = causes(await observe(bad, { timeout: 4000 }, limited));
    expect(late.at(-1)!.evidence.join('\n')).toMatch(/Not seen: events/);
  });
});
