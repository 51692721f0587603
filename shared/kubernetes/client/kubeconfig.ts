import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Cluster, Context } from '@kubernetes/client-node/dist/config_types.js';
import { didYouMean, Failure } from '../../host/index.ts';
import type { ClusterOptions } from '../cluster.ts';

/** A program that hands out credentials (client.authentication.k8s.io, ExecConfig). */
export interface ExecPlugin {
  readonly apiVersion?: string;
  readonly command: string;
  readonly args?: readonly string[] | null;
  readonly env?: readonly { readonly name: string; readonly value: string }[] | null;
  /** What the user is told when the program is missing. */
  readonly installHint?: string;
  readonly provideClusterInfo?: boolean;
}

/** PEM, or where it lies. */
export type Pem = { readonly data: string } | { readonly file: string };

/** The API server of a context: the fields of a kubeconfig's cluster. */
export interface ServerEntry {
  readonly server: string;
  readonly certificateAuthority?: Pem | undefined;
  readonly insecure: boolean;
  readonly tlsServerName?: string | undefined;
  readonly proxyUrl?: string | undefined;
}

/** Who enters: the fields of a kubeconfig's user. */
export interface UserEntry {
  readonly name: string;
  readonly certificate?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly basic?: { readonly username: string; readonly password: string } | undefined;
  readonly exec?: ExecPlugin | undefined;
  /** OpenID Connect, the only provider that clients of today's clusters know. */
  readonly oidc?: Readonly<Record<string, string>> | undefined;
  readonly impersonate: Readonly<Record<string, string | readonly string[]>>;
}

/** A way into a cluster, as configured: nothing was read but the configuration itself. */
export interface Entrance {
  /** Name of the context. */
  readonly name: string;
  readonly namespace: string;
  readonly cluster: ServerEntry;
  readonly user: UserEntry;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

interface RawUser {
  readonly name?: string;
  readonly user?: Readonly<Record<string, unknown>>;
}

interface RawConfig {
  readonly clusters?: unknown;
  readonly contexts?: unknown;
  readonly users?: readonly RawUser[] | null;
  readonly 'current-context'?: string;
}

/** One kubeconfig, with its paths made absolute. */
interface Kubeconfig {
  readonly clusters: readonly Cluster[];
  readonly contexts: readonly Context[];
  readonly users: readonly UserEntry[];
  readonly current: string | undefined;
}

/** Finds the way into a cluster that the options, or the environment, name. Throws Failure where there is none. */
export async function findEntrance(options: ClusterOptions): Promise<Entrance> {
  const found = await readConfigured(options);
  const base = found === undefined ? undefined : entranceOf(found, options.context);
  const entrance = base ?? (options.server === undefined ? await inCluster(options) : undefined);
  return override(entrance, options);
}

/** What KUBECONFIG's files say together: the first that names a thing wins (client-go, loading rules). */
async function readConfigured(options: ClusterOptions): Promise<Kubeconfig | undefined> {
  const { kubeconfig, env, server } = options;
  if (kubeconfig !== undefined && kubeconfig.trim() !== '') return await readGiven(kubeconfig.trim());
  // A server that is named in the inputs is not mixed with whatever lies on the machine.
  if (server !== undefined) return undefined;
  const files = (env.KUBECONFIG ?? '').split(delimiter).filter((file) => file !== '');
  if (files.length > 0) return await readListed(files);
  const file = join(env.HOME ?? env.USERPROFILE ?? homedir(), '.kube', 'config');
  return await readOptional(file);
}

async function readListed(files: readonly string[]): Promise<Kubeconfig> {
  const read = await Promise.all(files.map(readOptional));
  const present = read.filter((one) => one !== undefined);
  if (present.length === 0)
    throw new Failure(
      `KUBECONFIG names ${files.map((file) => `"${file}"`).join(' and ')}, which does not exist.`,
    );
  return merge(present);
}

/** A text of several lines, or one that holds no path of a file: the kubeconfig itself. */
async function readGiven(given: string): Promise<Kubeconfig> {
  if (isContent(given)) return await parse(given, 'the input "kubeconfig"', process.cwd());
  const decoded = fromBase64(given);
  if (decoded !== undefined && isContent(decoded))
    return await parse(decoded, 'the input "kubeconfig" (Base64)', process.cwd());
  const read = await readOptional(given);
  if (read === undefined)
    throw new Failure(
      `"kubeconfig" names the file "${given.slice(0, 200)}", which does not exist; give the path of a kubeconfig, its content, or that in Base64.`,
    );
  return read;
}

const isContent = (text: string): boolean =>
  /(^|\n)\s*("?(apiVersion|kind|clusters|contexts|users)"?\s*:)|^\s*\{/.test(text);

function fromBase64(text: string): string | undefined {
  const bare = text.replaceAll(/\s/g, '');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? Buffer.from(bare, 'base64').toString('utf8') : undefined;
}

async function readOptional(file: string): Promise<Kubeconfig | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENAMETOOLONG') return undefined;
    throw new Failure(`The kubeconfig "${file}" cannot be read (${cause.code}).`, { cause });
  });
  return text === undefined ? undefined : await parse(text, `the kubeconfig "${file}"`, dirname(file));
}

async function parse(text: string, what: string, folder: string): Promise<Kubeconfig> {
  const { parse: parseYaml } = await import('yaml');
  const types = await import('@kubernetes/client-node/dist/config_types.js');
  try {
    const raw = (parseYaml(text) ?? {}) as RawConfig;
    if (typeof raw !== 'object') throw new Error('it is no mapping');
    const at = (path: string | undefined) =>
      path === undefined || path === '' || isAbsolute(path) ? path : join(folder, path);
    return {
      clusters: types
        .newClusters(raw.clusters)
        .map((cluster) => ({ ...cluster, caFile: at(cluster.caFile) }) as Cluster),
      contexts: types.newContexts(raw.contexts),
      users: (raw.users ?? []).map((user) => userOf(user, at)),
      current: raw['current-context'] || undefined,
    };
  } catch (cause) {
    throw new Failure(`${capital(what)} cannot be understood: ${(cause as Error).message.split('\n')[0]}`, {
      cause,
    });
  }
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

type Absolute = (path: string | undefined) => string | undefined;

/**
 * The package's own reading of users knows no `tokenFile`, no groups to impersonate and no command beside the kubeconfig, so users
 * are read here.
 */
function userOf({ name, user }: RawUser, at: Absolute): UserEntry {
  if (typeof name !== 'string') throw new Error('a user has no name');
  const field = (key: string) =>
    typeof user?.[key] === 'string' && user[key] !== '' ? (user[key] as string) : undefined;
  const username = field('username');
  const provider = user?.['auth-provider'] as { name?: string; config?: Record<string, string> } | undefined;
  return {
    name,
    certificate: pem(field('client-certificate-data'), at(field('client-certificate'))),
    key: pem(field('client-key-data'), at(field('client-key'))),
    token: field('token'),
    tokenFile: at(field('tokenFile')),
    basic: username === undefined ? undefined : { username, password: field('password') ?? '' },
    exec: execOf(user?.exec as ExecPlugin | null | undefined, at),
    oidc: oidcOf(name, provider, at),
    impersonate: impersonation(user ?? {}),
  };
}

/** A command with a folder in its name is looked for beside the kubeconfig, others on the PATH (client-go). */
function execOf(exec: ExecPlugin | null | undefined, at: Absolute): ExecPlugin | undefined {
  if (exec === null || exec === undefined) return undefined;
  if (typeof exec.command !== 'string') throw new Error('the exec plugin of a user has no command');
  return /[/\\]/.test(exec.command) ? { ...exec, command: at(exec.command)! } : exec;
}

function oidcOf(
  user: string,
  provider: { name?: string; config?: Record<string, string> } | undefined,
  at: Absolute,
): UserEntry['oidc'] {
  if (provider?.name === undefined) return undefined;
  if (provider.name === 'oidc') {
    const authority = at(provider.config?.['idp-certificate-authority']);
    return { ...provider.config, ...(authority && { 'idp-certificate-authority': authority }) };
  }
  throw new Error(
    `the user "${user}" logs in through the auth-provider "${provider.name}", which Kubernetes gave up in version 1.26 (accepted: "oidc"); write the kubeconfig anew, with an exec plugin`,
  );
}

function impersonation(user: Readonly<Record<string, unknown>>): UserEntry['impersonate'] {
  const extra = Object.entries((user['as-user-extra'] ?? {}) as Record<string, readonly string[]>);
  const headers: [string, string | readonly string[] | undefined][] = [
    ['Impersonate-User', user.as as string | undefined],
    ['Impersonate-Uid', user['as-uid'] as string | undefined],
    ['Impersonate-Group', user['as-groups'] as readonly string[] | undefined],
    ...extra.map(([key, values]): [string, readonly string[]] => [
      `Impersonate-Extra-${encodeURIComponent(key)}`,
      values,
    ]),
  ];
  return Object.fromEntries(headers.filter((header): header is [string, string | string[]] => !!header[1]));
}

function pem(base64: string | undefined, file: string | undefined): Pem | undefined {
  if (base64 !== undefined) return { data: Buffer.from(base64, 'base64').toString('utf8') };
  return file === undefined ? undefined : { file };
}

function merge(configs: readonly Kubeconfig[]): Kubeconfig {
  const byName = <T extends { readonly name: string }>(lists: readonly (readonly T[])[]): T[] => [
    ...new Map(
      lists.toReversed().flatMap((list) => list.toReversed().map((one) => [one.name, one])),
    ).values(),
  ];
  return {
    clusters: byName(configs.map((one) => one.clusters)),
    contexts: byName(configs.map((one) => one.contexts)),
    users: byName(configs.map((one) => one.users)),
    current: configs.find((one) => one.current !== undefined)?.current,
  };
}

function entranceOf(
  { clusters, contexts, users, current }: Kubeconfig,
  wanted: string | undefined,
): Entrance | undefined {
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
  const context = contexts.find((one) => one.name === name);
  if (context === undefined)
    throw new Failure(
      `There is no context "${name}" in the kubeconfig.${didYouMean(name, names)} It has: ${known}.`,
    );
  const cluster = clusters.find((one) => one.name === context.cluster);
  if (cluster === undefined)
    throw new Failure(
      `The context "${name}" is of the cluster "${context.cluster}", which the kubeconfig does not describe.`,
    );
  const user = users.find((one) => one.name === context.user);
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
    },
    user: user ?? { name: '', impersonate: {} },
  };
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
