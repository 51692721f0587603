import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import {
  describeWith,
  go,
  kubernetes,
  kubernetesNetwork,
  kubernetesRegistry,
  type LoadResult,
} from '../../lab/index.ts';
import { FakeRunner } from '../../unit/host/runner.ts';

// The storefront as a user has it: its image made and published by `slipway up`, its own manifests rolled out by the action, its
// clients' requests sent all the while.

const ROOT = resolve(import.meta.dirname, '../../..');

const parts = {
  kubernetes: await kubernetes(),
  network: await kubernetesNetwork(),
  registry: await kubernetesRegistry(),
  go: go(),
};

describeWith('the storefront under load', parts, ({ kubernetes: lab, network, registry }) => {
  const open = new AsyncDisposableStack();
  let runner: FakeRunner;
  let shop: string;
  const images: Record<string, string> = {};

  beforeAll(async () => {
    runner = open.use(new FakeRunner());
    cpSync(join(ROOT, 'examples/storefront'), runner.workspace, { recursive: true });
    writeOverlay('steady');
    // Ends at SIGTERM, while the node's proxy still sends it requests.
    writeOverlay('hasty', [{ op: 'remove', path: `${CONTAINER}/lifecycle` }]);
    for (const version of ['v1', 'v2']) images[version] = await build(version);
    shop = open.use(await lab.namespace('load')).name;
  });
  afterAll(() => open.disposeAsync());

  /** The example's manifests with few changes. All requests come from one address here, which the shop would soon ask to slow down. */
  function writeOverlay(name: string, operations: readonly object[] = []): void {
    const unlimited = [
      { name: 'STOREFRONT_LIMITS_REQUESTS_PER_SECOND', value: '100000' },
      { name: 'STOREFRONT_LIMITS_BURST', value: '100000' },
    ].map((value) => ({ op: 'add', path: `${CONTAINER}/env/-`, value }));
    const patches = [
      { target: { kind: 'Deployment' }, patch: JSON.stringify([...unlimited, ...operations]) },
    ];
    mkdirSync(join(runner.workspace, name));
    // A kustomization is YAML, and so JSON will do.
    writeFileSync(
      join(runner.workspace, name, 'kustomization.yaml'),
      JSON.stringify({ resources: ['../deploy'], patches }),
    );
  }

  /** The image that `slipway up` makes and publishes. */
  async function build(version: string): Promise<string> {
    writeFileSync(join(runner.workspace, 'slipway.yml'), `build:\n  stamp: main.version=${version}\n`);
    const tag = `${registry.host}/load/storefront:${version}`;
    const { stdout } = await run({
      program: process.execPath,
      args: [join(ROOT, 'bin/cli.ts'), 'up', '--json', '--platforms', `linux/${architecture}`, '--push', tag],
      cwd: runner.workspace,
      timeout: 300_000,
    });
    return JSON.parse(stdout.toString()).reference;
  }

  /** Rolls the storefront out as a workflow does; gives the seconds that it took. */
  async function rollOut(manifests: string, version: string): Promise<number> {
    const started = performance.now();
    const step = await runner.run(
      join(ROOT, 'actions/k8s-rollout/main.ts'),
      {
        manifests,
        kubeconfig: lab.kubeconfig,
        namespace: shop,
        images: `storefront=${images[version]}`,
        'insecure-registries': registry.host,
      },
      { PATH: [dirname(lab.kubectlProgram), process.env.PATH].join(delimiter) },
    );
    expect(step.annotations.filter(({ level }) => level === 'error')).toEqual([]);
    expect(step.outputs).toMatchObject({ result: 'complete', changed: 'true' });
    return (performance.now() - started) / 1000;
  }

  /** Rolls between the versions, v2 first, until the requests are sent; then all clients are answered by the last one. */
  async function rollUnderLoad(
    manifests: string,
    { rate, requests }: { readonly rate: number; readonly requests: number },
  ): Promise<readonly LoadResult[]> {
    const url = await network.serviceUrl(shop, 'storefront');
    const loads = (['keep', 'new'] as const).map((connections) =>
      open.use(
        network.load(`${url}/api/products?q=mug`, {
          connections,
          requests: requests / 2,
          rate: rate / 2,
          workers: 8,
        }),
      ),
    );
    const done = Promise.all(loads.map(({ result }) => result));
    let ended = false;
    const end = () => {
      ended = true;
    };
    done.then(end, end);
    const rolls: string[] = [];
    for (let version = 'v2'; !ended; version = version === 'v1' ? 'v2' : 'v1') {
      const seconds = await rollOut(manifests, version);
      // The node's proxy follows the pods by up to a second.
      await expect
        .poll(async () => (await network.ask(`${url}/api/version`)).version, { timeout: 10_000 })
        .toBe(version);
      rolls.push(`${version} in ${seconds.toFixed(1)} s`);
    }
    const [kept, fresh] = await done;
    console.log(`${manifests}: ${rolls.join(', ')}, under load`);
    console.table({ 'kept connections': row(kept!), 'new connections': row(fresh!) });
    return [kept!, fresh!];
  }

  test('is rolled to another version and back, and loses no request', async () => {
    await rollOut('steady', 'v1');
    // The manifest names no replicas: the autoscaler brings them to its least number, without any metrics.
    // biome-ignore format: a flag with its value
    await lab.kubectl(['wait', 'deployment/storefront', '--namespace', shop, '--for=jsonpath={.status.readyReplicas}=3', '--timeout=60s']);
    const results = await rollUnderLoad('steady', { rate: 700, requests: 20_500 });
    expect(results.map(({ failed, faults }) => ({ failed, faults }))).toEqual([
      { failed: 0, faults: {} },
      { failed: 0, faults: {} },
    ]);
    expect(sum(results.map(({ sent }) => sent))).toBeGreaterThanOrEqual(20_000);
  });

  test('loses some without a drain, which shows that a loss would be seen', async () => {
    await rollOut('hasty', 'v1');
    const results = await rollUnderLoad('hasty', { rate: 500, requests: 4_000 });
    expect(sum(results.map(({ failed }) => failed))).toBeGreaterThan(0);
  });
});

/** Where the container is in the Deployment, as a JSON pointer. */
const CONTAINER = '/spec/template/spec/containers/0';

const sum = (numbers: readonly number[]): number => numbers.reduce((one, other) => one + other, 0);

const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';

const row = ({ sent, failed, late, median, p99, longest }: LoadResult) => ({
  sent,
  failed,
  late,
  'median ms': median,
  'p99 ms': p99,
  'longest ms': longest,
});
