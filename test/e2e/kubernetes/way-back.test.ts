import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  finishRollout,
  parsePatience,
  planRollout,
  type RolloutRequest,
  runRollout,
} from '../../../shared/rollout/index.ts';
import { acquireLease } from '../../../shared/rollout/release/lease.ts';
import { readRecord } from '../../../shared/rollout/release/store.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { FaultProxy } from './fault-proxy.ts';
import { deployment, service } from './workload.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

const QUICK = ['config-missing=1s', 'image-not-found=1s', 'crash=1s', 'readiness=3s'];

type Change = Partial<RolloutRequest> & {
  /** Cancels the run at the first line for which it is true. */
  readonly cancel?: (line: string) => boolean;
  /** Cancels the run. */
  readonly stop?: AbortController;
  readonly through?: Cluster;
};

/** An object in a namespace. */
const within = (namespace: string, object: object): KubeObject => {
  const given = object as KubeObject;
  return { ...given, metadata: { ...given.metadata, namespace } };
};

describeWith('the way back', parts, ({ kubernetes: lab, registry }) => {
  const open = new AsyncDisposableStack();
  const images: Record<string, string> = {};
  let cluster: Cluster;

  const entrance = (more: object = {}) =>
    openCluster({
      kubeconfig: lab.kubeconfig,
      env: { PATH: process.env.PATH },
      signal: AbortSignal.timeout(300_000),
      secret: () => undefined,
      ...more,
    });

  beforeAll(async () => {
    cluster = open.use(await entrance());
    for (const version of ['v1', 'v2'])
      images[version] = (await registry.publish({ repository: 'way-back', version })).pinned;
  });
  afterAll(() => open.disposeAsync());

  async function roll(
    namespace: string,
    objects: readonly object[],
    { cancel, stop = new AbortController(), through = cluster, ...more }: Change = {},
  ) {
    const lines: string[] = [];
    const tell = (line: string) => {
      lines.push(line);
      if (cancel?.(line)) stop.abort(new Error('cancelled by the test'));
    };
    const request: RolloutRequest = {
      manifests: objects.map((object) => ({ object: within(namespace, object), locate: () => undefined })),
      namespace,
      run: 'https://ci.example/1',
      configuration: 'annotation',
      forceConflicts: [],
      prune: false,
      rules: {},
      timeout: 60_000,
      patience: parsePatience(QUICK),
      undo: true,
      waitForOthers: 0,
      ...more,
    };
    const follow = {
      signal: stop.signal,
      onPhase: (phase: string, sentence: string) => tell(`${phase}: ${sentence}`),
      onProgress: () => undefined,
      onLine: (_: unknown, line: string) => tell(line),
    };
    const plan = await planRollout(through, request, stop.signal);
    const result = await runRollout(through, plan, follow);
    const finish = () =>
      finishRollout(
        cluster,
        { ...request, release: plan.release },
        { ...follow, signal: new AbortController().signal },
      );
    return { ...result, lines, finish };
  }

  const get = (namespace: string, apiVersion: string, kind: string, name: string) =>
    cluster.get({ apiVersion, kind, namespace, name });

  const config = (name: string, value: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: { value },
  });

  const web = (version: string, env: Record<string, string> = {}) =>
    deployment({ image: images[version]!, env: { VERSION: version, ...env } });

  /** The Deployment of the tests as another kind of workload. */
  function asKind(kind: 'StatefulSet' | 'DaemonSet', version: string, env = {}) {
    const { spec, ...rest } = web(version, env) as KubeObject & { spec: { replicas: number } };
    const { replicas: _, ...daemon } = spec;
    return kind === 'DaemonSet'
      ? { ...rest, kind, spec: daemon }
      : { ...rest, kind, spec: { ...spec, replicas: 2, serviceName: 'web' } };
  }

  const versionsOf = async (namespace: string) => {
    const pods = await cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace });
    return pods
      .filter(({ metadata }) => metadata.deletionTimestamp == null)
      .map((pod) => {
        const { containers } = pod.spec as { containers: { env: { name: string; value: string }[] }[] };
        return containers[0]!.env.find(({ name }) => name === 'VERSION')!.value;
      });
  };

  test.concurrent.each(['StatefulSet', 'DaemonSet'] as const)(
    'is gone by a %s whose new pod does not get ready',
    async (kind) => {
      const { name: namespace } = open.use(await lab.namespace('way-back'));
      expect(await roll(namespace, [asKind(kind, 'v1'), service()])).toMatchObject({ result: 'complete' });
      const bad = await roll(namespace, [asKind(kind, 'v2', { READY_FAIL: 'migrating' }), service()]);
      expect(bad, bad.because).toMatchObject({ result: 'undone', revision: 1, undo: { kind: 'complete' } });
      expect(new Set(await versionsOf(namespace))).toEqual(new Set(['v1']));
      if (kind === 'StatefulSet')
        expect(bad.lines).toContain(
          'pod web-1 is deleted: it is of the revision that failed, is not ready, and holds up the others',
        );
    },
  );

  test.concurrent('a failed first StatefulSet does not hold up the next run', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const bad = await roll(namespace, [asKind('StatefulSet', 'v1', { READY_FAIL: 'migrating' }), service()]);
    expect(bad).toMatchObject({ result: 'failed', revision: undefined, undo: { kind: 'left' } });
    const good = await roll(namespace, [asKind('StatefulSet', 'v2'), service()]);
    expect(good, good.because).toMatchObject({ result: 'complete', revision: 1 });
    expect(await versionsOf(namespace)).toEqual(['v2', 'v2']);
  });

  test.concurrent('without undo the failed revision stays, and none is said to serve', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    await roll(namespace, [web('v1')]);
    const bad = await roll(namespace, [web('v2', { READY_FAIL: 'migrating' })], { undo: false });
    expect(bad).toMatchObject({ result: 'failed', revision: undefined, undo: { kind: 'left' } });
    expect(bad.lines.at(-1)).toBe('Revision 2 of web stays as it is, because undo is off.');
    expect((await versionsOf(namespace)).sort()).toEqual(['v1', 'v2']);
    // The post step leaves it too.
    expect(await bad.finish()).toBeUndefined();
    expect(await roll(namespace, [web('v1')])).toMatchObject({ result: 'complete', revision: 2 });
  });

  test.concurrent('brings back a proven object that somebody deleted, and keeps it', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const objects = (version: string, env = {}) => [web(version, env), service(), config('beside', version)];
    await roll(namespace, objects('v1'));
    await cluster.remove({ apiVersion: 'v1', kind: 'Service', namespace, name: 'web' });
    await cluster.remove({ apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'beside' });
    const bad = await roll(namespace, objects('v2', { READY_FAIL: 'migrating' }));
    expect(bad).toMatchObject({ result: 'undone', revision: 1 });
    expect(await get(namespace, 'v1', 'Service', 'web')).toBeDefined();
    expect((await get(namespace, 'v1', 'ConfigMap', 'beside'))?.data).toEqual({ value: 'v1' });
  });

  test.concurrent('gives back what it adopted, and prunes it never', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    await roll(namespace, [web('v1')]);
    const before = await readRecord(cluster, 'web', namespace);
    await cluster.create(within(namespace, config('of-others', 'theirs')));
    const more = [web('v2', { READY_FAIL: 'migrating' }), config('of-others', 'ours')];
    const bad = await roll(namespace, more, { forceConflicts: ['*'] });
    expect(bad, bad.because).toMatchObject({ result: 'undone', revision: 1 });
    const after = await readRecord(cluster, 'web', namespace);
    expect(after.record).toEqual(before.record);
    expect(await roll(namespace, [web('v2')], { prune: true })).toMatchObject({ result: 'complete' });
    expect((await get(namespace, 'v1', 'ConfigMap', 'of-others'))?.data).toEqual({ value: 'theirs' });
    const left = await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
    expect(left.map(({ metadata }) => metadata.name).sort()).toEqual([
      'kube-root-ca.crt',
      'of-others',
      'slipway.web',
    ]);
  });

  test.concurrent('makes anew what the attempt made anew', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    await roll(namespace, [web('v1')]);
    const changed = web('v2', { READY_FAIL: 'migrating' }) as KubeObject & {
      spec: { selector: object; template: { metadata: object } };
    };
    changed.metadata.annotations = { 'slipway.dev/replace': 'true' };
    changed.spec.selector = { matchLabels: { app: 'other' } };
    changed.spec.template.metadata = { labels: { app: 'other' } };
    const bad = await roll(namespace, [changed]);
    expect(bad, bad.because).toMatchObject({ result: 'undone', revision: 1 });
    const { spec } = (await get(namespace, 'apps/v1', 'Deployment', 'web'))!;
    expect(spec).toMatchObject({ selector: { matchLabels: { app: 'web' } } });
  });

  test.concurrent('leaves replicas to the autoscaler, and capacity never drops', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const scaler = {
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'web' },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' }, maxReplicas: 5 },
    };
    await roll(namespace, [web('v1'), scaler]);
    const id = { apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'web' };
    await cluster.patch(
      id,
      { spec: { replicas: 3 } },
      { subresource: 'scale', fieldManager: 'kube-controller-manager' },
    );
    await vi.waitFor(
      async () => expect((await cluster.get(id))?.status).toMatchObject({ readyReplicas: 3 }),
      {
        timeout: 30_000,
        interval: 200,
      },
    );
    const seen: number[] = [];
    const done = new AbortController();
    const query = { apiVersion: 'apps/v1', kind: 'Deployment', namespace };
    const watching = (async () => {
      for await (const event of cluster.watch(query, done.signal))
        if (event.type !== 'synced') seen.push((event.object.spec as { replicas: number }).replicas);
    })();
    const bad = await roll(namespace, [web('v2', { READY_FAIL: 'migrating' }), scaler]);
    expect(bad, bad.because).toMatchObject({ result: 'undone', revision: 1 });
    done.abort();
    await watching;
    expect(new Set(seen)).toEqual(new Set([3]));
  });

  test.concurrent('goes on after somebody labelled the record, and stops where he changed what it says', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    await roll(namespace, [web('v1')]);
    const id = { apiVersion: 'v1', kind: 'ConfigMap', namespace, name: 'slipway.web' };
    let touched: Promise<unknown> | undefined;
    const bad = await roll(namespace, [web('v2', { READY_FAIL: 'migrating' })], {
      cancel: (line) => {
        if (line.startsWith('watching'))
          touched ??= cluster.patch(id, { metadata: { labels: { team: 'shop' } } });
        return false;
      },
    });
    await touched;
    expect(bad, bad.because).toMatchObject({ result: 'undone', revision: 1 });
    await cluster.patch(id, { binaryData: { 'record.json.gz': 'bm9uc2Vuc2U=' } });
    await expect(roll(namespace, [web('v2')])).rejects.toThrow(
      /slipway\.web should hold what Slipway knows of a release, .* cannot be read .*; delete it to let the next run adopt/,
    );
  });

  const phases: readonly [string, (line: string) => boolean, Change][] = [
    ['applying', (line) => line.startsWith('applying:'), {}],
    ['applying, after some objects', (line) => line.endsWith(' changed'), {}],
    ['watching', (line) => line.startsWith('watching:'), {}],
    [
      'checking',
      (line) => line.startsWith('checking:'),
      { checks: (_, signal) => sleep(60_000, [], { signal }) as Promise<never[]> },
    ],
    ['undoing', (line) => line.startsWith('undoing:'), {}],
  ];

  test.concurrent.each(phases)(
    'is begun within seconds of a cancel while %s',
    async (phase, cancel, more) => {
      const { name: namespace } = open.use(await lab.namespace('way-back'));
      const objects = (version: string, env = {}) => [
        web(version, env),
        service(),
        config('beside', version),
      ];
      await roll(namespace, objects('v1'));
      const env: Record<string, string> = phase === 'undoing' ? { READY_FAIL: 'migrating' } : {};
      let at = 0;
      const result = await roll(namespace, objects('v2', env), {
        ...more,
        cancel: (line) => {
          if (at === 0 && cancel(line)) at = Date.now();
          return cancel(line);
        },
      });
      // A runner gives 7.5 s before it asks again, and 2.5 s more before it ends the process.
      expect(Date.now() - at).toBeLessThan(7_500);
      expect(result).toMatchObject({
        result: 'unknown',
        revision: undefined,
        undo: { kind: 'begun', to: 1 },
      });
      expect((await get(namespace, 'v1', 'ConfigMap', 'beside'))?.data).toEqual({ value: 'v1' });
      expect(await result.finish()).toMatchObject({ result: 'undone', revision: 1 });
      expect(new Set(await versionsOf(namespace))).toEqual(new Set(['v1']));
    },
  );

  test.concurrent('is none where the run is cancelled while it waits for another', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const { signal } = new AbortController();
    const other = { release: 'web', namespace, run: 'another', wait: 0, signal, onWait: () => undefined };
    await using _ = await acquireLease(cluster, other);
    const run = roll(namespace, [web('v1')], {
      waitForOthers: 60_000,
      cancel: (line) => line.startsWith('waiting:'),
    });
    await expect(run).rejects.toThrow();
    expect(await get(namespace, 'apps/v1', 'Deployment', 'web')).toBeUndefined();
    expect(await get(namespace, 'v1', 'ConfigMap', 'slipway.web')).toBeUndefined();
  });

  test.concurrent('does not wait for a request that hangs when the run is cancelled', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    await roll(namespace, [web('v1'), config('beside', 'v1')]);
    const stop = new AbortController();
    const hanging = new Proxy(cluster, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== 'within') return typeof value === 'function' ? value.bind(target) : value;
        return (signal: AbortSignal) => {
          const inner = target.within(signal);
          return new Proxy(inner, {
            get(of, what) {
              const call: unknown = Reflect.get(of, what, of);
              if (what === 'apply')
                return async () => {
                  setTimeout(() => stop.abort(new Error('cancelled by the test')), 100);
                  await sleep(120_000, undefined, { signal });
                };
              return typeof call === 'function' ? call.bind(of) : call;
            },
          });
        };
      },
    });
    const started = Date.now();
    const result = await roll(namespace, [web('v2'), config('beside', 'v2')], {
      through: hanging,
      stop,
    });
    expect(Date.now() - started).toBeLessThan(7_500);
    expect(result).toMatchObject({ result: 'unknown', undo: { kind: 'begun', to: 1 } });
  });

  test.concurrent('two releases of different names never share a workload', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const one = [web('v1'), config('one', 'one')];
    const two = [web('v2'), config('two', 'two')];
    const ends = await Promise.allSettled([
      roll(namespace, one, { release: 'one', run: 'https://ci.example/1' }),
      roll(namespace, two, { release: 'two', run: 'https://ci.example/2' }),
    ]);
    const won = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
    const lost = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason as Error] : []));
    expect(won).toMatchObject([{ result: 'complete', revision: 1 }]);
    expect(lost.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^Deployment .*\/web belongs to release (one|two) and not to (one|two); give release:/,
      ),
    ]);
    const winner = ends[0]!.status === 'fulfilled' ? 'one' : 'two';
    const there = await cluster.list({ apiVersion: 'v1', kind: 'ConfigMap', namespace });
    const loser = winner === 'one' ? 'two' : 'one';
    expect(there.map(({ metadata }) => metadata.name)).not.toContain(loser);
    expect(await versionsOf(namespace)).toEqual([winner === 'one' ? 'v1' : 'v2']);
    expect(await cluster.list({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', namespace })).toEqual(
      [],
    );
  });

  test.concurrent.each(['applying', 'watching', 'undoing'])(
    'outlives an API server that is away while %s',
    async (phase) => {
      const { name: namespace } = open.use(await lab.namespace('way-back'));
      const { server, kubeconfig, token } = await lab.asUser(namespace, {
        rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
      });
      const { certificate } = JSON.parse(
        String((await lab.kubectl(['config', 'view', '--raw', '-o', 'json'], { kubeconfig })).stdout),
      ).clusters.map(({ cluster }: { cluster: Record<string, string> }) => ({
        certificate: Buffer.from(cluster['certificate-authority-data']!, 'base64').toString(),
      }))[0];
      await using proxy = await FaultProxy.start(server, certificate);
      const through = open.use(await entrance({ kubeconfig: undefined, server: proxy.url, token }));
      await roll(namespace, [web('v1'), config('beside', 'v1')], { through });
      const env: Record<string, string> = phase === 'undoing' ? { READY_FAIL: 'migrating' } : {};
      let away = false;
      const result = await roll(namespace, [web('v2', env), config('beside', 'v2')], {
        through,
        cancel: (line) => {
          if (!away && line.startsWith(`${phase}:`)) {
            away = true;
            proxy.fate = () => ({ kind: 'answer', status: 502 });
            proxy.cut();
            setTimeout(() => {
              proxy.fate = () => undefined;
            }, 8_000);
          }
          return false;
        },
      });
      expect(away).toBe(true);
      expect(result, result.because).toMatchObject(
        phase === 'undoing' ? { result: 'undone', revision: 1 } : { result: 'complete', revision: 2 },
      );
    },
  );

  test.concurrent('a token without leases and records is refused in one sentence, and nothing is changed', async () => {
    const { name: namespace } = open.use(await lab.namespace('way-back'));
    const user = await lab.asUser(namespace, {
      rules: [
        { apiGroups: ['apps'], resources: ['deployments', 'replicasets'], verbs: ['*'] },
        { apiGroups: [''], resources: ['pods', 'pods/log', 'events'], verbs: ['get', 'list', 'watch'] },
      ],
    });
    const limited = open.use(await entrance({ kubeconfig: user.kubeconfig }));
    const run = roll(namespace, [web('v1')], { through: limited });
    await expect(run).rejects.toThrow(
      /nothing was changed:\nThe token lacks rights that this run needs: .*create configmaps in .*create leases\.coordination\.k8s\.io in /,
    );
    expect(await get(namespace, 'apps/v1', 'Deployment', 'web')).toBeUndefined();
  });
});
