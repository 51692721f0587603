import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, type Finished, run } from '../../../shared/exec/index.ts';
import { engineBin } from '../engine.ts';
import { missing, type Part } from '../part.ts';
import { find, isRoot, networkPlugins } from '../place.ts';
import { registry } from '../registry.ts';
import { once, sessionDirectory, waitFor } from '../session.ts';
import { openBox } from './box.ts';
import { serverOf, startControlPlane } from './control-plane.ts';
import { kubeconfigOf, makeCredentials, writeKubeconfig } from './credentials.ts';
import { publishProgram } from './images.ts';
import { startNode, startRuntime } from './node.ts';
import { reachableRegistry } from './twin.ts';

/** A real cluster of one node, whose API tests talk to. Tests share it: use a namespace of your own. */
export interface KubernetesCluster {
  /** Of a cluster-admin. */
  readonly kubeconfig: string;
  /** The program; `kubectl kustomize` is in it. */
  readonly kubectlProgram: string;
  /** Runs kubectl as the admin, or with the kubeconfig of another user. */
  kubectl(args: readonly string[], options?: KubectlOptions): Promise<Finished>;
  /** A new namespace, whose name begins with `prefix`. Disposing begins its removal and does not wait for it. */
  namespace(prefix: string): Promise<{ readonly name: string } & AsyncDisposable>;
  /** A service account of the namespace that may do what the rules say and no more. */
  asUser(namespace: string, access: Access): Promise<ClusterUser>;
}

export interface KubectlOptions {
  readonly input?: string;
  readonly kubeconfig?: string;
  readonly accept?: readonly number[];
}

/** Rules as RBAC has them (rbac.authorization.k8s.io/v1, PolicyRule). */
export interface Access {
  /** In the namespace. */
  readonly rules?: readonly Rule[];
  /** In the whole cluster. */
  readonly clusterRules?: readonly Rule[];
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface ClusterUser {
  readonly name: string;
  readonly token: string;
  readonly server: string;
  /** Its context names the namespace. */
  readonly kubeconfig: string;
}

/** What crosses processes. */
export interface Found {
  readonly kubeconfig: string;
  readonly kubectlProgram: string;
  /** Of the session's own cluster: no proxy leads there. */
  readonly address?: string;
  /** Path of the network namespace that the node has; undefined where it is not known. */
  readonly network: string | undefined;
}

/**
 * The session's own cluster, started when first asked for, or the one that SLIPWAY_TEST_KUBECONFIG names. See kubernetesRegistry and
 * kubernetesNetwork for what tests need beside the API.
 */
export async function kubernetes(): Promise<Part<KubernetesCluster>> {
  const found = await findCluster();
  return found.available ? { available: true, ...clusterOf(found) } : found;
}

export async function findCluster(): Promise<Part<Found>> {
  const found = await once('kubernetes', () => (given() === undefined ? tryToStart() : takeGiven(given()!)));
  if (found.available && found.address !== undefined) bypassProxy(found.address);
  return found;
}

/** For this process and its children. */
function bypassProxy(address: string): void {
  for (const name of ['NO_PROXY', 'no_proxy']) {
    const others = process.env[name]?.split(',') ?? [];
    if (!others.includes(address)) process.env[name] = [...others, address].join(',');
  }
}

const given = () => process.env.SLIPWAY_TEST_KUBECONFIG || undefined;

async function takeGiven(kubeconfig: string): Promise<Part<Found>> {
  const kubectlProgram = find('kubectl');
  if (kubectlProgram === undefined) return missing('kubectl was not built, see `npm run lab`');
  try {
    await run({ program: kubectlProgram, args: ['version', '--kubeconfig', kubeconfig], timeout: 20_000 });
  } catch (error) {
    return missing(`the cluster of SLIPWAY_TEST_KUBECONFIG does not answer: ${(error as Error).message}`);
  }
  const name = process.env.SLIPWAY_TEST_NODE_NETNS;
  return { available: true, kubeconfig, kubectlProgram, network: name ? `/run/netns/${name}` : undefined };
}

interface Programs {
  readonly kubelab: string;
  readonly kubectlProgram: string;
  readonly containerd: string;
}

function programs(): Part<Programs> {
  const kubelab = find('kubelab');
  const kubectlProgram = find('kubectl');
  // The engine's is newer than the system's, and nearer to what clusters have.
  const containerd = find('containerd', engineBin);
  if (kubelab === undefined || kubectlProgram === undefined)
    return missing('Kubernetes was not built, see `npm run lab`');
  if (!isRoot) return missing('a cluster of its own needs root; SLIPWAY_TEST_KUBECONFIG names another one');
  if (containerd === undefined) return missing('containerd is not installed, see `npm run lab`');
  for (const program of ['runc', 'iptables', 'conntrack', 'ip', 'tini', 'unshare', 'nsenter', 'openssl'])
    if (find(program) === undefined) return missing(`${program} is not installed, see \`npm run lab\``);
  if (!existsSync(join(networkPlugins, 'bridge')))
    return missing('the CNI plugins are not installed, see `npm run lab`');
  return { available: true, kubelab, kubectlProgram, containerd };
}

function tryToStart(): Promise<Part<Found>> {
  return startCluster().catch((error: Error) => missing(`Kubernetes does not start here: ${error.message}`));
}

async function startCluster(): Promise<Part<Found>> {
  const there = programs();
  if (!there.available) return there;
  const images = await registry();
  if (!images.available) return images;
  const { kubelab, kubectlProgram, containerd } = there;
  const folder = join(sessionDirectory(), 'kubernetes');
  await mkdir(folder);
  const box = await openBox();
  const network = `/proc/${box.pid}/ns/net`;
  const credentials = await makeCredentials(join(folder, 'credentials'), box.address);
  const sandbox = { repository: 'sandbox', version: 'v1', args: ['hang'] };
  const [{ tagged }] = await Promise.all([publishProgram(images.host, sandbox), reachableRegistry(network)]);
  const parts = { kubelab, containerd, folder, sandbox: tagged };
  await Promise.all([startControlPlane(kubelab, box, credentials), startRuntime(box, parts)]);
  await startNode(box, parts, credentials);
  const kubeconfig = await kubeconfigOf(credentials, 'admin', serverOf(box));
  const found = { available: true, kubeconfig, kubectlProgram, address: box.address, network } as const;
  await waitFor(() => isUsable(clusterOf(found)), 60_000, 'the node of the cluster');
  return found;
}

/** Pods can run: the node is ready and the first service account is there. */
async function isUsable({ kubectl }: KubernetesCluster): Promise<void> {
  await kubectl(['wait', '--for=create', 'serviceaccount/default', '--timeout=60s']);
  await kubectl(['wait', '--for=create', 'node/node', '--timeout=60s']);
  await kubectl(['wait', '--for=condition=Ready', 'node/node', '--timeout=60s']);
}

function clusterOf({ kubeconfig, kubectlProgram }: Found): KubernetesCluster {
  const kubectl = (args: readonly string[], { kubeconfig: other, ...options }: KubectlOptions = {}) => {
    const command: Command = {
      program: kubectlProgram,
      args: ['--kubeconfig', other ?? kubeconfig, ...args],
    };
    return run({ timeout: 120_000, ...command, ...options });
  };
  return {
    kubeconfig,
    kubectlProgram,
    kubectl,
    async namespace(prefix) {
      const name = `${prefix}-${randomBytes(3).toString('hex')}`;
      await kubectl(['create', 'namespace', name]);
      await kubectl(['wait', '--for=create', 'serviceaccount/default', '--namespace', name, '--timeout=60s']);
      return {
        name,
        async [Symbol.asyncDispose]() {
          await kubectl(['delete', 'namespace', name, '--wait=false', '--ignore-not-found']);
        },
      };
    },
    asUser: (namespace, access) => makeUser(kubectl, namespace, access),
  };
}

async function makeUser(
  kubectl: KubernetesCluster['kubectl'],
  namespace: string,
  access: Access,
): Promise<ClusterUser> {
  const name = `user-${randomBytes(3).toString('hex')}`;
  await kubectl(['apply', '--filename', '-'], {
    input: JSON.stringify(accountList(namespace, name, access)),
  });
  const token = (
    await kubectl(['create', 'token', name, '--namespace', namespace, '--duration', '1h'])
  ).stdout
    .toString()
    .trim();
  const view = await kubectl(['config', 'view', '--raw', '--minify', '--flatten', '--output', 'json']);
  const { cluster } = JSON.parse(view.stdout.toString()).clusters[0];
  const { server, 'certificate-authority-data': authority } = cluster as Record<string, string>;
  const file = join(sessionDirectory(), `${namespace}-${name}.kubeconfig`);
  const parts = { server: server!, authority: authority!, token, namespace };
  return { name, token, server: server!, kubeconfig: await writeKubeconfig(file, parts) };
}

function accountList(namespace: string, name: string, { rules, clusterRules }: Access): object {
  const group = 'rbac.authorization.k8s.io';
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  const granted = (
    prefix: '' | 'Cluster',
    its: { name: string; namespace?: string },
    given: readonly Rule[],
  ) => [
    { apiVersion: `${group}/v1`, kind: `${prefix}Role`, metadata: its, rules: given },
    {
      apiVersion: `${group}/v1`,
      kind: `${prefix}RoleBinding`,
      metadata: its,
      roleRef: { apiGroup: group, kind: `${prefix}Role`, name: its.name },
      subjects,
    },
  ];
  const items = [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } },
    ...(rules === undefined ? [] : granted('', { name, namespace }, rules)),
    ...(clusterRules === undefined ? [] : granted('Cluster', { name: `${namespace}-${name}` }, clusterRules)),
  ];
  return { apiVersion: 'v1', kind: 'List', items };
}
