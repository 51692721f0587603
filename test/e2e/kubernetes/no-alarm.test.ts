import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  type Observation,
  parsePatience,
  type WatchOptions,
  watchRollout,
} from '../../../shared/rollout/index.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';

const parts = { kubernetes: await kubernetes(), registry: await kubernetesRegistry() };

// biome-ignore lint/suspicious/noExplicitAny: manifests as a user writes them
type Fields = Record<string, any>;

/** What looks wrong for a while in rollouts that are well: none of it may end one. */
describeWith('a rollout that looks wrong and is well', parts, ({ kubernetes: lab, registry }) => {
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
    namespace = open.use(await lab.namespace('no-alarm')).name;
    image = (await registry.publish({ repository: 'no-alarm', version: 'v1' })).tagged;
  });
  afterAll(() => open.disposeAsync());

  const limits = { requests: { cpu: '2m', memory: '8Mi' }, limits: { memory: '64Mi' } };
  const env = (values: Fields) =>
    Object.entries(values).map(([name, value]) => ({ name, value: String(value) }));

  function workload(
    name: string,
    options: { kind?: string; env?: Fields; container?: Fields; pod?: Fields; spec?: Fields } = {},
  ): KubeObject {
    const { kind = 'Deployment', container, pod, spec } = options;
    const app = {
      name: 'app',
      image,
      env: env(options.env ?? {}),
      resources: limits,
      readinessProbe: { httpGet: { path: '/readyz', port: 8080 }, periodSeconds: 1 },
      ...container,
    };
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
          spec: { terminationGracePeriodSeconds: 1, ...pod, containers: [app] },
        },
      },
    };
  }
  const put = (object: KubeObject) => cluster.apply(object, { fieldManager: 'slipway', force: true });
  const observe = (
    targets: readonly KubeObject[],
    options: Partial<WatchOptions> = {},
  ): Promise<Observation> =>
    watchRollout(cluster, targets, {
      patience: parsePatience([]),
      timeout: 90_000,
      signal: AbortSignal.timeout(120_000),
      onProgress: () => {},
      onLine: () => {},
      ...options,
    });
  const ends = async (objects: readonly KubeObject[], options: Partial<WatchOptions> = {}) =>
    (await observe(await Promise.all(objects.map(put)), options)).outcome;
  const complete = { kind: 'complete' };
  const pause = (milliseconds: number) => new Promise((done) => setTimeout(done, milliseconds));

  test.concurrent('starts one pod after the other, each slowly', async () => {
    const slow = { spec: { replicas: 3 }, env: { START_MS: 2500 }, kind: 'StatefulSet' };
    expect(await ends([workload('ordered', slow)])).toEqual(complete);
    expect(await ends([workload('ordered', { ...slow, env: { START_MS: 2500, VERSION: 'v2' } })])).toEqual(
      complete,
    );
  });

  test.concurrent('rolls a DaemonSet', async () => {
    expect(await ends([workload('daemon', { kind: 'DaemonSet' })])).toEqual(complete);
    expect(await ends([workload('daemon', { kind: 'DaemonSet', env: { VERSION: 'v2' } })])).toEqual(complete);
  });

  test.concurrent('lets all pods go at once, and has them stay up before they count', async () => {
    const spec = {
      replicas: 2,
      minReadySeconds: 4,
      strategy: { rollingUpdate: { maxUnavailable: '100%', maxSurge: 0 } },
    };
    expect(await ends([workload('all-at-once', { spec })])).toEqual(complete);
    expect(await ends([workload('all-at-once', { spec, env: { VERSION: 'v2' } })])).toEqual(complete);
  });

  test.concurrent('is paused for a moment', async () => {
    const target = await put(workload('paused', { spec: { paused: true } }));
    const watching = observe([target]);
    await pause(1500);
    await cluster.patch({ ...target, name: 'paused', namespace }, { spec: { paused: null } });
    expect((await watching).outcome).toEqual(complete);
  });

  test.concurrent('loses a pod by hand', async () => {
    const target = await put(workload('bereft', { env: { START_MS: 4000 }, spec: { replicas: 2 } }));
    const watching = observe([target]);
    await pause(2500);
    const [pod] = await cluster.list({
      apiVersion: 'v1',
      kind: 'Pod',
      namespace,
      labelSelector: 'app=bereft',
    });
    await cluster.remove({ apiVersion: 'v1', kind: 'Pod', namespace, name: pod!.metadata.name });
    expect((await watching).outcome).toEqual(complete);
  });

  test.concurrent('is restarted by hand', async () => {
    const target = await put(workload('restarted', { env: { START_MS: 2000 } }));
    const watching = observe([target]);
    await pause(1000);
    await lab.kubectl(['rollout', 'restart', 'deployment/restarted', '--namespace', namespace]);
    expect((await watching).outcome).toEqual(complete);
  });

  test.concurrent('has a hook after the start, a sidecar and an init container that takes its time', async () => {
    const sidecar = {
      name: 'sidecar',
      image,
      restartPolicy: 'Always',
      env: env({ PORT: 8081, START_MS: 4000 }),
      startupProbe: { httpGet: { path: '/readyz', port: 8081 }, periodSeconds: 1, failureThreshold: 30 },
      resources: limits,
    };
    const hook = { lifecycle: { postStart: { sleep: { seconds: 3 } } } };
    expect(
      await ends([
        workload('accompanied', {
          pod: { initContainers: [sidecar], terminationGracePeriodSeconds: 5 },
          container: hook,
        }),
      ]),
    ).toEqual(complete);
  });

  test.concurrent('replaces a rollout that is still under way', async () => {
    await put(workload('overtaken', { env: { START_MS: 60_000 }, spec: { replicas: 2 } }));
    await pause(2000);
    expect(await ends([workload('overtaken', { env: { START_MS: 1000 }, spec: { replicas: 2 } })])).toEqual(
      complete,
    );
  });

  test.concurrent('replaces pods that crash, and goes back to them', async () => {
    const crashing = workload('mended', { container: { args: ['crash'] } });
    expect((await ends([crashing])).kind).toBe('failed');
    expect(await ends([workload('mended')])).toEqual(complete);
    expect((await ends([crashing])).kind).toBe('failed');
    expect(await ends([workload('mended')])).toEqual(complete);
  });

  test.concurrent('waits for a peer that comes up with it', async () => {
    const service = await put({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'peer', namespace },
      spec: { selector: { app: 'peer' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    const url = `http://${(service.spec as Fields).clusterIP}/`;
    const asks = { name: 'wait', image, args: ['get', url], resources: limits };
    const peer = workload('peer', { env: { START_MS: 15_000 } });
    const job: KubeObject = {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'migrate', namespace },
      spec: {
        backoffLimit: 4,
        template: { spec: { restartPolicy: 'Never', containers: [{ ...asks, name: 'migrate' }] } },
      },
    };
    expect(await ends([peer, workload('dependent', { pod: { initContainers: [asks] } }), job])).toEqual(
      complete,
    );
  });

  test.concurrent('waits for a Secret that an operator makes of what was applied with it', async () => {
    const group = `${namespace}.slipway.test`;
    const names = { plural: 'externals', singular: 'external', kind: 'External' };
    const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `externals.${group}` },
      spec: {
        group,
        names,
        scope: 'Namespaced',
        versions: [{ name: 'v1', served: true, storage: true, schema }],
      },
    };
    await put(definition);
    open.defer(async () => void (await cluster.remove({ ...definition, name: definition.metadata.name })));
    const made = { apiVersion: `${group}/v1`, kind: 'External', metadata: { name: 'outside', namespace } };
    const external = await vi.waitFor(() => put({ ...made, spec: { target: { name: 'made' } } }), 20_000);
    const reads = { container: { envFrom: [{ secretRef: { name: 'made' } }] } };
    const mounts = {
      container: { volumeMounts: [{ name: 'made', mountPath: '/made' }] },
      pod: { volumes: [{ name: 'made', secret: { secretName: 'made' } }] },
    };
    const watching = ends([workload('reads', reads), workload('mounts', mounts)], { beside: [external] });
    await pause(8000);
    await put({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'made', namespace } });
    expect(await watching).toEqual(complete);
  });

  test.concurrent('waits for a tag that is still being pushed, where it is given the time', async () => {
    const tag = image.replace('no-alarm:v1', 'no-alarm-late:v1');
    const target = await put(workload('late', { container: { image: tag } }));
    const watching = observe([target], { patience: parsePatience(['image-not-found=1m']) });
    await pause(6000);
    expect((await registry.publish({ repository: 'no-alarm-late', version: 'v1' })).tagged).toBe(tag);
    expect((await watching).outcome).toEqual(complete);
  });
});
