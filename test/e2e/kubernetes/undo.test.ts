import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  type CheckVerdict,
  finishRollout,
  parsePatience,
  planRollout,
  type RolloutRequest,
  runRollout,
} from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes, kubernetesNetwork, kubernetesRegistry } from '../../lab/index.ts';
import { type ReleaseOptions, release } from './release-objects.ts';

const parts = {
  kubernetes: await kubernetes(),
  network: await kubernetesNetwork(),
  registry: await kubernetesRegistry(),
};

const QUICK = ['config-missing=1s', 'image-not-found=1s', 'crash=1s', 'readiness=3s'];

describeWith('a rollout that fails', parts, ({ kubernetes: lab, network, registry }) => {
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
    for (const version of ['v1', 'v2'])
      images[version] = (await registry.publish({ repository: 'undo', version })).pinned;
    images.crash = (await registry.publish({ repository: 'undo', version: 'crash', args: ['crash'] })).pinned;
    images.absent = `${registry.host}/lab/undo:absent`;
  });
  afterAll(() => open.disposeAsync());

  type More = Partial<RolloutRequest> & { readonly cancel?: (line: string) => boolean };

  async function roll(namespace: string, objects: readonly KubeObject[], { cancel, ...more }: More = {}) {
    const stop = new AbortController();
    const lines: string[] = [];
    const tell = (line: string) => {
      lines.push(line);
      if (cancel?.(line)) stop.abort(new Error('cancelled'));
    };
    const request: RolloutRequest = {
      manifests: objects.map((object) => ({ object, locate: () => undefined })),
      namespace,
      run: 'https://ci.example/1',
      configuration: 'annotation',
      forceConflicts: [],
      prune: false,
      rules: {},
      timeout: 60_000,
      patience: parsePatience([]),
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
    const plan = await planRollout(cluster, request, stop.signal);
    const result = await runRollout(cluster, plan, follow);
    const finish = () =>
      finishRollout(
        cluster,
        { ...request, release: plan.release },
        { ...follow, signal: new AbortController().signal },
      );
    return { ...result, lines, finish };
  }

  const objectsOf = (namespace: string, more: Partial<ReleaseOptions> = {}) =>
    release({ namespace, image: images.v2!, value: 'new', ...more });

  /** The answer of the service from a pod that stays. */
  async function served(namespace: string) {
    const url = await network.serviceUrl(namespace, 'web');
    return await vi.waitFor(
      async () => {
        const { version, config, file, pod: name } = await network.ask(url);
        const pod = await cluster.get({ apiVersion: 'v1', kind: 'Pod', namespace, name });
        expect(pod !== undefined && pod.metadata.deletionTimestamp === undefined).toBe(true);
        return { version, config, file };
      },
      { timeout: 20_000, interval: 100 },
    );
  }

  const data = async (namespace: string, kind: 'ConfigMap' | 'Secret', name: string) =>
    (await cluster.get({ apiVersion: 'v1', kind, namespace, name }))?.data;

  const names = async (namespace: string, kind: string, apiVersion = 'v1') =>
    (await cluster.list({ apiVersion, kind, namespace })).map(({ metadata }) => metadata.name).sort();

  const failed: CheckVerdict = { kind: 'fail', check: 'GET /', message: 'it says new', evidence: ['new'] };

  const failures: readonly { name: string; cause: string; change: Partial<ReleaseOptions>; more?: More }[] = [
    { name: 'an image that is not there', cause: 'image-not-found', change: { image: 'absent' } },
    { name: 'a program that crashes', cause: 'crash', change: { image: 'crash' } },
    { name: 'a key that is missing', cause: 'config-missing', change: { key: 'absent' } },
    { name: 'pods that do not get ready', cause: 'readiness', change: { env: { READY_FAIL: 'migrating' } } },
    {
      name: 'an object that the API server refuses',
      cause: 'admission',
      change: { env: { 'not=a=name': 'x' } },
    },
    { name: 'a check that fails', cause: 'check-failed', change: {}, more: { checks: async () => [failed] } },
    {
      name: 'too little time',
      cause: 'deadline',
      change: { env: { START_MS: '9000' } },
      more: { timeout: 3000 },
    },
  ];

  test.concurrent.each(['annotation', 'name'] as const)(
    'serves its old version and its old configuration after each failure: %s',
    async (configuration) => {
      const { name: namespace } = open.use(await lab.namespace('undo'));
      const old = { version: 'v1', config: 'old', file: 'secret-old' };
      const first = await roll(namespace, objectsOf(namespace, { image: images.v1!, value: 'old' }), {
        configuration,
      });
      expect(first).toMatchObject({ result: 'complete', revision: 1, changed: true });
      expect(await served(namespace)).toEqual(old);
      const before = await names(namespace, 'ConfigMap');

      for (const { name, cause, change, more } of failures) {
        const image = images[change.image ?? 'v2']!;
        const objects = objectsOf(namespace, { ...change, image, more: ['created'] });
        const run = roll(namespace, objects, { configuration, patience: parsePatience(QUICK), ...more });
        if (cause === 'admission') {
          // The dry run tells it before anything changes.
          await expect(run, name).rejects.toThrow(/nothing was changed/);
        } else {
          const result = await run;
          expect(
            result.causes.map(({ code }) => code),
            `${name}: ${result.because}`,
          ).toContain(cause);
          expect(result, name).toMatchObject({
            result: 'undone',
            revision: 1,
            undo: { kind: 'complete', to: 1 },
          });
        }
        expect(await served(namespace), name).toEqual(old);
        expect(await names(namespace, 'ConfigMap'), name).toEqual(before);
        expect(await names(namespace, 'Lease', 'coordination.k8s.io/v1'), name).toEqual([]);
      }

      const good = await roll(namespace, objectsOf(namespace), { configuration });
      expect(good).toMatchObject({ result: 'complete', revision: 2 });
      expect(await served(namespace)).toEqual({ version: 'v2', config: 'new', file: 'secret-new' });
    },
  );

  test.concurrent('goes back to what kubectl applied before the first run, and kubectl rolls nothing', async () => {
    const { name: namespace } = open.use(await lab.namespace('undo'));
    const old = objectsOf(namespace, { image: images.v1!, value: 'old' });
    const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: old });
    await lab.kubectl(['apply', '-f', '-'], { input });
    await lab.kubectl(['rollout', 'status', 'deployment/web', '-n', namespace, '--timeout=60s']);
    const result = await roll(namespace, objectsOf(namespace, { image: images.absent!, more: ['created'] }), {
      patience: parsePatience(QUICK),
    });
    expect(result).toMatchObject({ result: 'undone', revision: 1, undo: { kind: 'complete', to: 1 } });
    expect(await served(namespace)).toEqual({ version: 'v1', config: 'old', file: 'secret-old' });
    expect(await data(namespace, 'ConfigMap', 'settings')).toEqual({ value: 'old' });
    expect(await names(namespace, 'ReplicaSet', 'apps/v1')).toHaveLength(2);
    const spec = async () =>
      (await cluster.get({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: 'web' }))?.spec;
    const after = await spec();
    const again = String((await lab.kubectl(['apply', '-f', '-'], { input })).stdout);
    expect(again).toMatch(/configmap\/settings unchanged/);
    expect(await spec()).toEqual(after);
  });

  test.concurrent('leaves a first install as it is, and the next run makes it good', async () => {
    const { name: namespace } = open.use(await lab.namespace('undo'));
    const bad = objectsOf(namespace, { key: 'absent', more: ['stray'] });
    const result = await roll(namespace, bad, { patience: parsePatience(QUICK) });
    expect(result).toMatchObject({ result: 'failed', revision: undefined, undo: { kind: 'left' } });
    expect(result.lines.at(-1)).toMatch(/no earlier revision of web to go back to/);
    expect(await names(namespace, 'ConfigMap')).toContain('stray');
    const next = await roll(namespace, objectsOf(namespace));
    expect(next).toMatchObject({ result: 'complete', revision: 1 });
    expect(next.lines[0]).toMatch(/was left as it is .*; this one takes its place/);
    expect(await names(namespace, 'ConfigMap')).not.toContain('stray');
  });

  test.concurrent('begins the undo of a cancelled run at once, and finishes it from the record alone', async () => {
    const { name: namespace } = open.use(await lab.namespace('undo'));
    await roll(namespace, objectsOf(namespace, { image: images.v1!, value: 'old' }));
    const result = await roll(namespace, objectsOf(namespace, { env: { READY_FAIL: 'not yet' } }), {
      cancel: (line) => line.startsWith('watching:'),
    });
    expect(result).toMatchObject({ result: 'unknown', undo: { kind: 'begun', to: 1 } });
    expect(await data(namespace, 'ConfigMap', 'settings')).toEqual({ value: 'old' });
    expect(await result.finish()).toMatchObject({ result: 'undone', undo: { kind: 'complete', to: 1 } });
    expect(await result.finish()).toBeUndefined();
    expect(await served(namespace)).toEqual({ version: 'v1', config: 'old', file: 'secret-old' });
  });
});
