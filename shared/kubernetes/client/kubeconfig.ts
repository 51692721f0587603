import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Cluster, Context } from '@kubernetes/client-node/dist/config_types.js';
import { Failure } from '../../host/index.ts';
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
export interface Kubeconfig {
  readonly clusters: readonly Cluster[];
  readonly contexts: readonly Context[];
  readonly users: readonly UserEntry[];
  readonly current: string | undefined;
}

/** What KUBECONFIG's files say together: the first that names a thing wins (client-go, loading rules). */
export async function readConfigured(options: ClusterOptions): Promise<Kubeconfig | undefined> {
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

export function fromBase64(text: string): string | undefined {
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

/** PEM of a field in Base64, else the file that is named. */
export function pem(base64: string | undefined, file: string | undefined): Pem | undefined {
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
