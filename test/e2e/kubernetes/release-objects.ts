import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '../../../shared/kubernetes/index.ts';
import type { Answer, Order } from './rollout-process.ts';
import { deployment, service } from './workload.ts';

export interface ReleaseOptions {
  readonly namespace: string;
  readonly image: string;
  /** Value of the ConfigMap and, with `secret-` before it, of the Secret that the pods read. */
  readonly value: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Key of the ConfigMap that the pods ask for. */
  readonly key?: string;
  /** Names of further ConfigMaps, which nobody reads. */
  readonly more?: readonly string[];
}

/** A Deployment `web` that says the value of its ConfigMap as `config` and that of its Secret as `file`, and its Service. */
export function release(options: ReleaseOptions): readonly KubeObject[] {
  const { namespace, image, value, env, key = 'value', more = [] } = options;
  const workload = deployment({ image, ...(env && { env }) }) as KubeObject;
  const spec = workload.spec as { template: { spec: Pod }; revisionHistoryLimit?: number };
  spec.revisionHistoryLimit = 1;
  const pod = spec.template.spec;
  const [container] = pod.containers;
  container!.env.push(
    { name: 'CONFIG', valueFrom: { configMapKeyRef: { name: 'settings', key } } },
    { name: 'CONFIG_FILE', value: '/credentials/token' },
  );
  container!.volumeMounts.push({ name: 'credentials', mountPath: '/credentials' });
  pod.volumes.push({ name: 'credentials', secret: { secretName: 'credentials' } });
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { value } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'credentials' },
      stringData: { token: `secret-${value}` },
    },
    service() as KubeObject,
    workload,
    ...more.map((name) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { of: value } })),
  ];
  return objects.map((object) => ({ ...object, metadata: { ...object.metadata, namespace } }) as KubeObject);
}

interface Pod {
  readonly containers: { readonly env: object[]; readonly volumeMounts: object[] }[];
  readonly volumes: object[];
}

/** How a process that rolled out ended. */
export interface Ended {
  readonly answers: readonly Answer[];
  readonly signal: NodeJS.Signals | null;
  readonly code: number | null;
  readonly stderr: string;
}

/** Rolls out in a process of its own. */
export async function rollOut(order: Order): Promise<Ended> {
  const program = fileURLToPath(new URL('rollout-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>,
  ]);
  const answers = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer);
  return { answers, signal, code, stderr };
}
