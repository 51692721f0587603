import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type Cluster, type KubeObject, openCluster } from '../../../shared/kubernetes/index.ts';
import {
  type Observation,
  parsePatience,
  type WatchOptions,
  watchRollout,
} from '../../../shared/rollout/index.ts';
import {
  account,
  describeWith,
  kubernetes,
  kubernetesNetwork,
  kubernetesRegistry,
  privateRegistry,
} from '../../lab/index.ts';
import { healthy, type Images, isOf, type Provoked, provoked } from './provoked.ts';
import { Witness } from './seen.ts';

const parts = {
  kubernetes: await kubernetes(),
  registry: await kubernetesRegistry(),
  network: await kubernetesNetwork(),
};

/** From the first status that shows a fault to the verdict, at most. */
const LIMIT = 5000;

describeWith('a rollout that fails', parts, ({ kubernetes: lab, registry }) => {
  const open = new AsyncDisposableStack();
  const names = {} as Record<Provoked['namespace'], string>;
  let cluster: Cluster;
  let images: Images;

  beforeAll(async () => {
    cluster = open.use(
      await openCluster({
        kubeconfig: lab.kubeconfig,
        env: { PATH: process.env.PATH },
        signal: AbortSignal.timeout(300_000),
        secret: () => {},
      }),
    );
    for (const kind of ['plain', 'small', 'guarded', 'ruled'] as const)
      names[kind] = open.use(await lab.namespace(`causes-${kind}`)).name;
    const closed = open.use(await privateRegistry());
    const publish = async (version: string, more = {}) =>
      (await registry.publish({ repository: 'causes', version, ...more })).tagged;
    images = {
      good: await publish('v1'),
      foreign: await publishForeign(),
      absent: `${registry.host}/lab/causes:absent`,
      closed: (await closed.publish({ version: 'v1' })).tagged,
    };
    await prepare();
  });
  afterAll(() => open.disposeAsync());

  const put = (object: KubeObject, namespace?: string): Promise<KubeObject> =>
    cluster.apply(
      namespace === undefined ? object : { ...object, metadata: { ...object.metadata, namespace } },
      { fieldManager: 'slipway', force: true },
    );

  /** An index that has no variant for the node. */
  async function publishForeign(): Promise<string> {
    const architecture = process.arch === 'arm64' ? 'amd64' : 'arm64';
    const { pinned } = await registry.publish({ repository: 'causes', version: 'one', architecture });
    const digest = pinned.slice(pinned.indexOf('@') + 1);
    const at = `http://${registry.host}/v2/lab/causes/manifests`;
    const mediaType = 'application/vnd.oci.image.manifest.v1+json';
    const { headers } = await fetch(`${at}/${digest}`, { method: 'HEAD', headers: { accept: mediaType } });
    const size = Number(headers.get('content-length'));
    const type = 'application/vnd.oci.image.index.v1+json';
    const manifests = [{ mediaType, digest, size, platform: { os: 'linux', architecture } }];
    const body = JSON.stringify({ schemaVersion: 2, mediaType: type, manifests });
    const put = await fetch(`${at}/foreign`, { method: 'PUT', headers: { 'content-type': type }, body });
    expect(put.status).toBe(201);
    return `${registry.host}/lab/causes:foreign`;
  }

  async function prepare(): Promise<void> {
    const auth = Buffer.from(`${account.user}:wrong`).toString('base64');
    const host = images.closed.slice(0, images.closed.indexOf('/'));
    const config = JSON.stringify({ auths: { [host]: { auth } } });
    await put(
      {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'wrong' },
        type: 'kubernetes.io/dockerconfigjson',
        data: { '.dockerconfigjson': Buffer.from(config).toString('base64') },
      },
      names.plain,
    );
    await put(
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'no-program' },
        data: { program: 'no program' },
      },
      names.plain,
    );
    await put(
      {
        apiVersion: 'v1',
        kind: 'ResourceQuota',
        metadata: { name: 'one-pod' },
        spec: { hard: { pods: '1' } },
      },
      names.small,
    );
    const level = { 'pod-security.kubernetes.io/enforce': 'baseline' };
    await cluster.patch(
      { apiVersion: 'v1', kind: 'Namespace', name: names.guarded },
      { metadata: { labels: level } },
    );
    await rule(names.ruled);
  }

  /** A policy that lets no pod into a namespace, and is in force. */
  async function rule(namespace: string): Promise<void> {
    const apiVersion = 'admissionregistration.k8s.io/v1';
    const metadata = { name: namespace };
    const rules = [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }];
    const policy = { kind: 'ValidatingAdmissionPolicy', apiVersion, metadata };
    const binding = { kind: 'ValidatingAdmissionPolicyBinding', apiVersion, metadata };
    open.defer(async () => {
      for (const { kind } of [policy, binding]) await cluster.remove({ apiVersion, kind, name: namespace });
    });
    await put({
      ...policy,
      spec: {
        matchConstraints: { resourceRules: rules },
        validations: [{ expression: 'false', message: 'no pods on weekends' }],
      },
    });
    await put({
      ...binding,
      spec: {
        policyName: namespace,
        validationActions: ['Deny'],
        matchResources: {
          namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
        },
      },
    });
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'probe', namespace },
      spec: { containers: [{ name: 'app', image: 'x' }] },
    };
    // Policies are compiled a moment after they are made.
    const refused = () => cluster.create(pod, { dryRun: true }).then(String, String);
    await vi.waitUntil(async () => (await refused()).includes('no pods on weekends'), { timeout: 20_000 });
  }

  const observe = (target: KubeObject | readonly KubeObject[], options: Partial<WatchOptions> = {}) =>
    watchRollout(cluster, [target].flat(), {
      patience: parsePatience([]),
      timeout: 90_000,
      signal: AbortSignal.timeout(120_000),
      onProgress: () => {},
      onLine: () => {},
      ...options,
    });

  test(`is told from others and named within ${LIMIT / 1000} s of its first sign`, async () => {
    using witness = new Witness(lab);
    await witness.ready();
    const rows = await inBatches(provoked, 10, async (one) => {
      const namespace = names[one.namespace];
      witness.expect(
        one.name,
        (seen) => seen.metadata.namespace === namespace && isOf(one.name, seen) && one.shows(seen),
      );
      const target = await put(one.object(images), namespace);
      const { outcome, ended } = await observe(target, { patience: parsePatience(one.patience ?? []) });
      await cluster.remove({ ...target, name: target.metadata.name, namespace });
      return { one, outcome, ended };
    });
    const table = rows.map(({ one, outcome, ended }) => {
      const shown = witness.at(one.name);
      const [first] = outcome.kind === 'failed' ? outcome.causes : [];
      return {
        fault: one.name,
        cause: first?.code ?? `${outcome.kind} ${outcome.kind === 'unknown' ? outcome.because : ''}`,
        'seconds from first sign': shown === undefined ? 'no sign' : ((ended - shown) / 1000).toFixed(1),
        patience: one.patience?.join() ?? 'default',
        says: first === undefined ? '' : [first.message, ...first.evidence, first.next].join('\n'),
      };
    });
    console.table(table, ['fault', 'cause', 'seconds from first sign', 'patience']);
    for (const [index, { one }] of rows.entries()) {
      const row = table[index]!;
      expect.soft({ fault: one.name, cause: row.cause }).toEqual({ fault: one.name, cause: one.code });
      expect.soft(row.says, one.name).toMatch(one.says);
      const seconds = Number(row['seconds from first sign']);
      expect.soft(seconds, `${one.name}: seconds`).toBeLessThanOrEqual(LIMIT / 1000);
      // A verdict long before its sign was not measured.
      expect.soft(seconds, `${one.name}: the witness was late`).toBeGreaterThan(-1);
    }
  });

  test('is never one that starts slowly and fails once: 50 of them', async () => {
    const starts = Array.from({ length: 50 }, (_, index) => 3000 + ((index * 1237) % 5000));
    const alarms: Observation[] = [];
    let restarts = 0;
    const batches = [starts.slice(0, 25), starts.slice(25)];
    for (const [number, batch] of batches.entries()) {
      const targets = await Promise.all(
        batch.map((start, index) =>
          put(healthy(`healthy-${number}-${index}`, images.good, start), names.plain),
        ),
      );
      const observation = await observe(targets);
      if (observation.outcome.kind !== 'complete') alarms.push(observation);
      restarts += observation.pods.reduce((sum, pod) => sum + pod.restarts, 0);
      await Promise.all(
        targets.map((one) => cluster.remove({ ...one, name: one.metadata.name, namespace: names.plain })),
      );
    }
    console.log(`50 healthy rollouts, ${restarts} restarts, ${alarms.length} false alarms`);
    expect(alarms.map(({ outcome }) => outcome)).toEqual([]);
    expect(restarts).toBe(50);
  });
});

/** A node of two cores starts so many pods at once without keeping them waiting. */
async function inBatches<T, R>(all: readonly T[], size: number, work: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  const queue = all.entries();
  const worker = async () => {
    for (const [index, one] of queue) results[index] = await work(one);
  };
  await Promise.all(Array.from({ length: size }, worker));
  return results;
}
