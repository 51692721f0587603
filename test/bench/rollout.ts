import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { type KubeObject, type Manifest, openCluster } from '../../shared/kubernetes/index.ts';
import { DEFAULT_PATIENCE, planRollout, runRollout } from '../../shared/rollout/index.ts';
import { kubernetes, kubernetesRegistry, openSession } from '../lab/index.ts';
import { benchObjects, KINDS, rolled } from './rollout-objects.ts';
import { median, megabytes, seconds, table } from './table.ts';

type Kubernetes = Extract<Awaited<ReturnType<typeof kubernetes>>, { available: true }>;

/** What a contender did in one step: from nothing applied to everything seen complete. */
interface Cost {
  readonly milliseconds: number;
  readonly requests: number;
  /** On the wire, both ways, with TLS. */
  readonly bytes: number;
}

interface Contender {
  readonly name: string;
  /** Applies the objects and waits until all workloads are complete; gives the number of API calls. */
  apply(kubeconfig: string, namespace: string, objects: readonly KubeObject[]): Promise<number>;
}

const STEPS = ['first apply', 'nothing changed', 'a new image'] as const;

/**
 * 500 objects of 20 kinds, 40 of them workloads: applied and watched to the end on the lab's cluster, by k8s-rollout's own run
 * (preflight, diff, lease, record, apply, watch), and by what a careful person writes: `kubectl apply`, then `kubectl rollout
 * status` and `kubectl wait` for each workload. All go through a counting proxy. Contenders take turns, each in a fresh namespace.
 */
export async function benchRollout(rounds: number): Promise<string> {
  await using _ = await openSession();
  const [cluster, registry] = [await kubernetes(), await kubernetesRegistry()];
  if (!cluster.available) throw new Error(`The lab has no cluster: ${cluster.why}`);
  if (!registry.available) throw new Error(`The lab has no registry for its cluster: ${registry.why}`);
  const images = await Promise.all(
    ['b1', 'b2'].map(async (version) => (await registry.publish({ version })).pinned),
  );
  await using wire = await openWire(cluster);
  const costs = new Map<string, Cost[]>();
  for (let round = 0; round < rounds; round++)
    for (const contender of contenders(cluster)) {
      await using namespace = await cluster.namespace('bench');
      const first = benchObjects(namespace.name, images[0]!);
      const steps = [first, first, rolled(first, images[0]!, images[1]!)];
      for (const [index, objects] of steps.entries()) {
        const before = wire.bytes();
        const started = performance.now();
        const requests = await contender.apply(wire.kubeconfig, namespace.name, objects);
        const cost = { milliseconds: performance.now() - started, requests, bytes: wire.bytes() - before };
        const key = `${STEPS[index]} ${contender.name}`;
        costs.set(key, [...(costs.get(key) ?? []), cost]);
      }
      // The next contender must not share the node with pods that are going away.
      await cluster.kubectl(['delete', 'namespace', namespace.name, '--wait', '--timeout=300s']);
    }
  const count = benchObjects('x', 'x').length;
  return `**${count} objects of ${KINDS} kinds, 40 workloads**, median of ${rounds}\n\n${toTable(costs, contenders(cluster))}`;
}

function toTable(costs: ReadonlyMap<string, readonly Cost[]>, all: readonly Contender[]): string {
  const rows = STEPS.flatMap((step) => {
    const ours = median(costs.get(`${step} ${all[0]!.name}`)!.map(({ milliseconds }) => milliseconds));
    return all.map(({ name }, index) => {
      const of = costs.get(`${step} ${name}`)!;
      const time = median(of.map(({ milliseconds }) => milliseconds));
      return [
        index === 0 ? step : '',
        name,
        seconds(time),
        index === 0 ? '' : `${(time / ours).toFixed(1)} ×`,
        String(Math.round(median(of.map(({ requests }) => requests)))),
        megabytes(median(of.map(({ bytes }) => bytes))),
      ];
    });
  });
  return table(['', 'by', 's', 'of ours', 'API calls', 'MB on the wire'], rows, 2);
}

function contenders(cluster: Kubernetes): readonly Contender[] {
  return [
    { name: 'k8s-rollout', apply: applyByUs },
    { name: 'kubectl apply, rollout status', apply: applyByKubectl(cluster, ['apply']) },
    {
      name: 'kubectl apply --server-side, rollout status',
      apply: applyByKubectl(cluster, ['apply', '--server-side']),
    },
  ];
}

async function applyByUs(
  kubeconfig: string,
  namespace: string,
  objects: readonly KubeObject[],
): Promise<number> {
  const { signal } = new AbortController();
  await using cluster = await openCluster({ kubeconfig, env: process.env, signal, secret: () => {} });
  const manifests = objects.map((object): Manifest => ({ object, locate: () => undefined }));
  const plan = await planRollout(
    cluster,
    {
      manifests,
      namespace,
      run: 'bench',
      configuration: 'annotation',
      forceConflicts: [],
      prune: false,
      rules: {},
      timeout: 600_000,
      patience: DEFAULT_PATIENCE,
      undo: true,
      waitForOthers: 0,
    },
    signal,
  );
  const quiet = { onPhase: () => {}, onProgress: () => {}, onLine: () => {} };
  const { result, because } = await runRollout(cluster, plan, { signal, ...quiet });
  if (result !== 'complete') throw new Error(`The rollout is ${result}: ${because}`);
  return cluster.traffic.requests + cluster.traffic.watches;
}

function applyByKubectl({ kubectlProgram }: Kubernetes, apply: readonly string[]): Contender['apply'] {
  return async (kubeconfig, namespace, objects) => {
    let requests = 0;
    const kubectl = async (args: readonly string[], input?: string) => {
      await run({
        program: kubectlProgram,
        args: [...args, '-n', namespace, '-v=6'],
        env: { ...process.env, KUBECONFIG: kubeconfig },
        ...(input !== undefined && { input }),
        // klog's line for each answer, in its words of 1.34 and before.
        onLine: (line) => {
          if (/"Response" verb=|round_trippers.*\b(GET|POST|PATCH|PUT|DELETE) https/.test(line)) requests++;
        },
      });
    };
    await kubectl([...apply, '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
    for (const { kind, metadata } of objects) {
      const name = `${kind.toLowerCase()}/${metadata.name}`;
      if (['Deployment', 'StatefulSet', 'DaemonSet'].includes(kind))
        await kubectl(['rollout', 'status', name, '--timeout=300s']);
      if (kind === 'Job') await kubectl(['wait', '--for=condition=complete', name, '--timeout=300s']);
    }
    return requests;
  };
}

/** A forwarder in front of the API server that counts bytes, and a kubeconfig that goes through it. */
async function openWire(
  cluster: Kubernetes,
): Promise<{ readonly kubeconfig: string; readonly bytes: () => number } & AsyncDisposable> {
  const text = await readFile(cluster.kubeconfig, 'utf8');
  const server = /https:\/\/([\d.]+):(\d+)/.exec(text);
  if (server === null) throw new Error('The lab’s kubeconfig names no address.');
  let bytes = 0;
  const forwarder = createServer((near) => {
    const far = dial(Number(server[2]), server[1]!);
    near.on('data', (chunk) => (bytes += chunk.length));
    far.on('data', (chunk) => (bytes += chunk.length));
    near.pipe(far).pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve) => forwarder.listen(0, '127.0.0.1', resolve));
  const { port } = forwarder.address() as { port: number };
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, text.replaceAll(server[0], `https://127.0.0.1:${port}`), { mode: 0o600 });
  return {
    kubeconfig,
    bytes: () => bytes,
    async [Symbol.asyncDispose]() {
      forwarder.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
