import { readFile } from 'node:fs/promises';
import { didYouMean, Failure } from '../../host/index.ts';
import type { ClusterOptions } from '../cluster.ts';
import {
  type Faulty,
  fromBase64,
  type Kubeconfig,
  pem,
  readConfigured,
  type ServerEntry,
  type UserEntry,
} from './kubeconfig.ts';

/** A way into a cluster, as configured: nothing was read but the configuration itself. */
export interface Entrance {
  /** Name of the context. */
  readonly name: string;
  readonly namespace: string;
  readonly cluster: ServerEntry;
  readonly user: UserEntry;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/** Finds the way into a cluster that the options, or the environment, name. Throws Failure where there is none. */
export async function findEntrance(options: ClusterOptions): Promise<Entrance> {
  const found = await readConfigured(options);
  const base = found === undefined ? undefined : entranceOf(found, options.context);
  const entrance = base ?? (options.server === undefined ? await inCluster(options) : undefined);
  return override(entrance, options);
}

function entranceOf(
  { clusters, contexts, users, current }: Kubeconfig,
  wanted: string | undefined,
): Entrance {
  const name = wanted ?? current ?? (contexts.length === 1 ? contexts[0]!.name : undefined);
  const names = contexts.map((one) => one.name).sort();
  const known =
    names.length === 0
      ? 'none'
      : names
          .slice(0, 20)
          .map((one) => `"${one}"`)
          .join(', ');
  if (name === undefined)
    throw new Failure(`The kubeconfig has no current context; name one in "context". It has: ${known}.`);
  const context = chosen('context', contexts, name);
  if (context === undefined)
    throw new Failure(
      `There is no context "${name}" in the kubeconfig.${didYouMean(name, names)} It has: ${known}.`,
    );
  const cluster = chosen('cluster', clusters, context.cluster);
  if (cluster === undefined)
    throw new Failure(
      `The context "${name}" is of the cluster "${context.cluster}", which the kubeconfig does not describe.`,
    );
  const user = chosen('user', users, context.user);
  if (user === undefined && context.user)
    throw new Failure(
      `The context "${name}" is of the user "${context.user}", which the kubeconfig does not describe.`,
    );
  return {
    name,
    namespace: context.namespace || 'default',
    cluster: {
      server: cluster.server,
      certificateAuthority: pem(cluster.caData || undefined, cluster.caFile || undefined),
      insecure: cluster.skipTLSVerify,
      tlsServerName: cluster.tlsServerName || undefined,
      proxyUrl: cluster.proxyUrl ? parseProxy(cluster.proxyUrl, name) : undefined,
      execConfig: cluster.execConfig,
    },
    user: user ?? { name: '', impersonate: {} },
  };
}

/** The entry of a name; undefined where there is none. */
function chosen<T extends { readonly name: string }>(
  what: string,
  entries: readonly (T | Faulty)[],
  name: string | undefined,
): T | undefined {
  const found = entries.find((one) => one.name === name);
  if (found === undefined || !('fault' in found)) return found;
  const { fault } = found;
  throw new Failure(
    `The ${what} "${name}" of the kubeconfig cannot be used: ${fault.message.replace(/^\w+\[0\]\./, '')}.`,
    { cause: fault },
  );
}

function parseProxy(text: string, context: string): string {
  if (URL.canParse(text) && /^(https?|socks5h?):$/.test(new URL(text).protocol)) return text;
  throw new Failure(
    `The "proxy-url" of the context "${context}" is no address of a proxy; give one that begins with http://, https:// or socks5://.`,
  );
}

/** The service account of the pod that this runs in. */
async function inCluster({ env, context }: ClusterOptions): Promise<Entrance> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = env;
  if (host === undefined || port === undefined)
    throw new Failure(
      'No cluster is configured: there is no kubeconfig (neither given, nor in KUBECONFIG, nor ~/.kube/config), no "server", and this does not run in a pod.',
    );
  const namespace = await readFile(`${SERVICE_ACCOUNT}/namespace`, 'utf8').catch(() => 'default');
  return {
    name: context ?? 'in-cluster',
    namespace: namespace.trim(),
    cluster: {
      server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
      certificateAuthority: { file: `${SERVICE_ACCOUNT}/ca.crt` },
      insecure: false,
    },
    user: { name: 'service account', tokenFile: `${SERVICE_ACCOUNT}/token`, impersonate: {} },
  };
}

/** Server, token and authority that are given in so many words stand in place of those configured. */
function override(entrance: Entrance | undefined, options: ClusterOptions): Entrance {
  const { server, token, certificateAuthority } = options;
  const ca = certificateAuthority?.trim() ? { data: authorityOf(certificateAuthority.trim()) } : undefined;
  const url = server ?? entrance!.cluster.server;
  return {
    name: entrance?.name ?? options.context ?? new URL(parseServer(url)).host,
    namespace: entrance?.namespace ?? 'default',
    cluster: {
      ...(entrance?.cluster ?? { insecure: false }),
      server: parseServer(url),
      ...(ca !== undefined && { certificateAuthority: ca, insecure: false }),
    },
    user: token
      ? { name: 'token', token: token.trim(), impersonate: entrance?.user.impersonate ?? {} }
      : (entrance?.user ?? { name: '', impersonate: {} }),
  };
}

function authorityOf(given: string): string {
  const pem = given.includes('-----BEGIN') ? given : (fromBase64(given) ?? '');
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new Failure(
    '"certificate-authority" is no certificate: give it in PEM (-----BEGIN CERTIFICATE-----), or that in Base64.',
  );
}

/** Addresses without a scheme are HTTPS, as kubectl takes them. */
function parseServer(text: string): string {
  const address = /^https?:\/\//.test(text) ? text : `https://${text}`;
  if (!URL.canParse(address))
    throw new Failure(`"${text}" is no address of an API server; give one such as https://10.0.0.1:6443.`);
  return address.replace(/\/+$/, '');
}
