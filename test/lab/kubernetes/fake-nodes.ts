import { randomBytes } from 'node:crypto';
import { missing, type Part } from '../part.ts';
import { find } from '../place.ts';
import { freePort, once, startDaemon } from '../session.ts';
import { kubernetes } from './cluster.ts';

/** Nodes that exist on paper: kwok plays their kubelets, and their pods are ready at once and run nothing. */
export interface FakeNodes {
  /** Adds nodes with room for 500 pods each; they go when it is disposed of. */
  add(count: number): Promise<FakeNodeGroup>;
}

export interface FakeNodeGroup extends AsyncDisposable {
  /** What a pod's spec needs so that it lands there, and nowhere else. */
  readonly placement: {
    readonly nodeSelector: Readonly<Record<string, string>>;
    readonly tolerations: readonly object[];
  };
}

/** The mark of nodes that are this session's, in a cluster that others may use too. */
const mark = 'lab.slipway.dev/fake-node';

export async function fakeNodes(): Promise<Part<FakeNodes>> {
  const cluster = await kubernetes();
  if (!cluster.available) return cluster;
  const kwok = find('kwok');
  if (kwok === undefined)
    return missing('kwok was not built, `SLIPWAY_LAB_FULL=1 npm run lab` does it in some minutes');
  const { session } = await once('kubernetes-kwok', async () => {
    const own = randomBytes(4).toString('hex');
    await startKwok(kwok, cluster.kubeconfig, own);
    return { session: own };
  });
  return {
    available: true,
    async add(count) {
      const group = randomBytes(3).toString('hex');
      const items = Array.from({ length: count }, (_, index) =>
        node(`fake-${group}-${index}`, session, group),
      );
      const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
      const selector = `${mark}=${group}`;
      await cluster.kubectl(['apply', '--server-side', '--filename', '-'], { input });
      await cluster.kubectl([
        'wait',
        'nodes',
        '--selector',
        selector,
        '--for=condition=Ready',
        '--timeout=60s',
      ]);
      return {
        placement: {
          nodeSelector: { [mark]: group },
          tolerations: [{ key: mark, operator: 'Exists', effect: 'NoSchedule' }],
        },
        async [Symbol.asyncDispose]() {
          await cluster.kubectl(['delete', 'nodes', '--selector', selector, '--wait=false']);
        },
      };
    },
  };
}

async function startKwok(kwok: string, kubeconfig: string, session: string): Promise<void> {
  const server = `127.0.0.1:${await freePort()}`;
  await startDaemon({
    name: 'kwok',
    program: kwok,
    args: [
      '--config=/dev/null',
      `--kubeconfig=${kubeconfig}`,
      `--manage-nodes-with-annotation-selector=${mark}=${session}`,
      '--cidr=198.18.248.0/21',
      '--node-ip=198.18.127.1',
      '--node-lease-duration-seconds=40',
      `--server-address=${server}`,
    ],
    ready: async () => {
      const answer = await fetch(`http://${server}/healthz`);
      if (!answer.ok) throw new Error(`it answers ${answer.status}`);
    },
  });
}

function node(name: string, session: string, group: string): object {
  const room = { cpu: '64', memory: '256Gi', 'ephemeral-storage': '256Gi', pods: '500' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { [mark]: session },
      labels: {
        [mark]: group,
        'kubernetes.io/hostname': name,
        'kubernetes.io/os': 'linux',
        'kubernetes.io/arch': process.arch === 'arm64' ? 'arm64' : 'amd64',
      },
    },
    spec: { taints: [{ key: mark, value: session, effect: 'NoSchedule' }] },
    status: { allocatable: room, capacity: room },
  };
}
