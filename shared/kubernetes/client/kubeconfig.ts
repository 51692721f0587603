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
  readonly interactiveMode?: string;
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
  /** What a plugin is told of this cluster beside its address (extension `client.authentication.k8s.io/exec`). */
  readonly execConfig?: unknown;
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

interface RawEntry {
  readonly name: string;
  readonly cluster?: {
    readonly extensions?: readonly { readonly name?: string; readonly extension?: unknown }[];
  };
  readonly user?: Readonly<Record<string, unknown>> | null;
}

interface RawConfig {
  readonly clusters?: unknown;
  readonly contexts?: unknown;
  readonly users?: unknown;
  readonly 'current-context'?: string;
}

/** A cluster of a kubeconfig, as it is written there. */
export type ClusterEntry = Cluster & { readonly execConfig?: unknown };

/** An entry that is not as it has to be: kubeconfigs gather old ones, so it matters only where it is the one that is used. */
export interface Faulty {
  readonly name: string;
  readonly fault: Error;
}

/** One kubeconfig, with its paths made absolute. */
export interface Kubeconfig {
  readonly clusters: readonly (ClusterEntry | Faulty)[];
  readonly contexts: readonly (Context | Faulty)[];
  readonly users: readonly (UserEntry | Faulty)[];
  readonly current: string | undefined;
}

/** What KUBECONFIG's files say together: the first that names a thing wins (client-go, loading rules). */
export async function readConfigured(options: ClusterOptions): Promise<Kubeconfig | undefined> {
  const { kubeconfig, env, server } = options;
  if (kubeconfig !== undefined && kubeconfig.trim() !== '') return await readGiven(kubeconfig);
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
  const file = given.trim();
  const read = await readOptional(file);
  if (read !== undefined) return read;
  const accepted = 'give the path of a kubeconfig, its content, or that in Base64';
  // It may be a kubeconfig that was damaged on its way: that holds secrets, and is not shown.
  if (file.length > LONGEST_SHOWN || file.includes('\n'))
    throw new Failure(
      `"kubeconfig" (${file.length} characters) is neither the path of a file nor a kubeconfig in YAML, JSON or Base64; ${accepted}.`,
    );
  throw new Failure(`"kubeconfig" names the file "${file}", which does not exist; ${accepted}.`);
}

/** Characters of a path. Any kubeconfig is longer. */
const LONGEST_SHOWN = 120;

const isContent = (text: string): boolean =>
  /(^|\n)\s*("?(apiVersion|kind|clusters|contexts|users)"?\s*:)|^\s*\{/.test(text);

export function fromBase64(text: string): string | undefined {
  const bare = text.replaceAll(/\s/g, '');
  return /^[A-Za-z0-9+/]+={0,2}$/.test(bare) ? Buffer.from(bare, 'base64').toString('utf8') : undefined;
}

/** Faults of a path at which no file can be. */
const NO_FILE = new Set(['ENOENT', 'ENOTDIR', 'ENAMETOOLONG', 'ERR_INVALID_ARG_VALUE']);

async function readOptional(file: string): Promise<Kubeconfig | undefined> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (NO_FILE.has(cause.code ?? '')) return undefined;
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
      clusters: entriesOf(raw.clusters, (entry): ClusterEntry => {
        const cluster = types.newClusters([entry])[0]!;
        return { ...cluster, caFile: at(cluster.caFile) as string, execConfig: execConfigOf(entry) };
      }),
      contexts: entriesOf(raw.contexts, (entry) => types.newContexts([entry])[0]!),
      users: entriesOf(raw.users, (entry) => userOf(entry, at)),
      current: raw['current-context'] || undefined,
    };
  } catch (cause) {
    throw new Failure(`${capital(what)} cannot be understood: ${(cause as Error).message.split('\n')[0]}`, {
      cause,
    });
  }
}

function entriesOf<T>(raw: unknown, read: (entry: RawEntry) => T): (T | Faulty)[] {
  const entries = (Array.isArray(raw) ? raw : []).filter(
    (entry: Partial<RawEntry> | null): entry is RawEntry => typeof entry?.name === 'string',
  );
  return entries.map((entry) => {
    try {
      return read(entry);
    } catch (fault) {
      return { name: entry.name, fault: fault as Error };
    }
  });
}

const execConfigOf = ({ cluster }: RawEntry): unknown =>
  cluster?.extensions?.find(({ name }) => name === 'client.authentication.k8s.io/exec')?.extension;

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

type Absolute = (path: string | undefined) => string | undefined;

/**
 * The package's own reading of users knows no `tokenFile`, no groups to impersonate and no command beside the kubeconfig, so users
 * are read here.
 */
function userOf({ name, user }: RawEntry, at: Absolute): UserEntry {
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
    oidc: oidcOf(provider, at),
    impersonate: impersonation(user ?? {}),
  };
}

/** A command with a folder in its name is looked for beside the kubeconfig, others on the PATH (client-go). */
function execOf(exec: ExecPlugin | null | undefined, at: Absolute): ExecPlugin | undefined {
  if (exec === null || exec === undefined) return undefined;
  if (typeof exec.command !== 'string') throw new Error('its exec plugin has no command');
  return /[/\\]/.test(exec.command) ? { ...exec, command: at(exec.command)! } : exec;
}

function oidcOf(
  provider: { name?: string; config?: Record<string, string> } | undefined,
  at: Absolute,
): UserEntry['oidc'] {
  if (provider?.name === undefined) return undefined;
  if (provider.name === 'oidc') {
    const authority = at(provider.config?.['idp-certificate-authority']);
    return { ...provider.config, ...(authority && { 'idp-certificate-authority': authority }) };
  }
  throw new Error(
    `it logs in through the auth-provider "${provider.name}", which Kubernetes gave up in version 1.26 (accepted: "oidc"); write the kubeconfig anew, with an exec plugin`,
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
