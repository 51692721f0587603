import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ExecError, run } from '../exec/index.ts';
import { Failure } from '../host/index.ts';
import type { Repository } from './reference.ts';

/** How to log in to a registry. */
export type Login =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, which Docker calls identity token. */
  | { readonly kind: 'identity'; readonly token: string }
  /** A bearer token that is used as it is. */
  | { readonly kind: 'bearer'; readonly token: string };

/** Whoever knows how to log in to registries. */
export interface Credentials {
  /** Where they are looked for, for messages, such as `~/.docker/config.json`. */
  readonly origin: string;
  /** The login for a repository. Throws a Failure when a file or helper is broken, naming it and the key. */
  login(repository: Repository): Promise<Login>;
}

const ANONYMOUS: Login = { kind: 'anonymous' };

/** Where files of credentials are looked for, and what is told of what they hold. */
export interface CredentialOptions {
  /** Called with every secret that was read, before it is used, so that it can be masked. */
  readonly secret: (value: string) => void;
  /** Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly home?: string;
  readonly signal?: AbortSignal;
}

/**
 * Credentials as Docker and Podman keep them: the file in REGISTRY_AUTH_FILE, Docker's config.json (in DOCKER_CONFIG or
 * ~/.docker) with its helpers, and Podman's auth.json. The first that knows the registry wins; none of them has to be there.
 */
export function dockerCredentials(options: CredentialOptions): Credentials {
  const env = options.env ?? process.env;
  const home = options.home ?? homedir();
  const docker = join(env.DOCKER_CONFIG || join(home, '.docker'), 'config.json');
  const files = [
    ...(env.REGISTRY_AUTH_FILE ? [env.REGISTRY_AUTH_FILE] : []),
    docker,
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, 'containers', 'auth.json')] : []),
  ];
  const found = new Map<string, Promise<Login>>();
  return {
    origin: shown(env.REGISTRY_AUTH_FILE || docker, home),
    login: (repository) => {
      const key = `${repository.registry}/${repository.repository}`;
      const login = found.get(key) ?? firstLogin(files, repository, options);
      found.set(key, login);
      return login;
    },
  };
}

function shown(path: string, home: string): string {
  return path.startsWith(`${home}/`) ? path.replace(home, '~') : path;
}

/** Logins given by hand (an input of an action), by registry; for all other registries `others` is asked. */
export function withLogins(logins: Readonly<Record<string, Login>>, others: Credentials): Credentials {
  return {
    origin: others.origin,
    login: async (repository) => logins[repository.registry] ?? (await others.login(repository)),
  };
}

async function firstLogin(
  files: readonly string[],
  repository: Repository,
  options: CredentialOptions,
): Promise<Login> {
  for (const file of files) {
    const config = await readConfig(file);
    const login = config === undefined ? ANONYMOUS : await loginFrom(file, config, repository, options);
    if (login.kind !== 'anonymous') return login;
  }
  return ANONYMOUS;
}

interface DockerConfig {
  readonly auths?: Readonly<Record<string, AuthEntry>>;
  readonly credHelpers?: Readonly<Record<string, string>>;
  readonly credsStore?: string;
}

interface AuthEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

async function readConfig(file: string): Promise<DockerConfig | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new Failure(`The credential file ${file} cannot be read: ${code}.`, { cause: error });
  }
  if (text.trim() === '') return undefined;
  const value = parseJson(file, text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Failure(`The credential file ${file} is no JSON object.`);
  for (const key of ['auths', 'credHelpers'] as const) checkObject(file, key, (value as DockerConfig)[key]);
  return value as DockerConfig;
}

// The parser's own message quotes the text around the fault, which may be a password.
function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    const line = position === undefined ? undefined : text.slice(0, Number(position)).split('\n').length;
    const where = line === undefined ? '' : `: look at line ${line}`;
    throw new Failure(`The credential file ${file} is no valid JSON${where}.`);
  }
}

function checkObject(file: string, key: string, value: unknown): void {
  if (value !== undefined && value !== null && (typeof value !== 'object' || Array.isArray(value)))
    throw new Failure(`The credential file ${file} has a "${key}" that is no object.`);
}

async function loginFrom(
  file: string,
  config: DockerConfig,
  repository: Repository,
  options: CredentialOptions,
): Promise<Login> {
  const names = namesOf(repository);
  const helper = names.map((name) => config.credHelpers?.[name]).find(Boolean) ?? config.credsStore;
  if (helper) {
    const login = await askHelper(file, helper, repository.registry, options);
    if (login.kind !== 'anonymous') return login;
  }
  const entries = Object.entries(config.auths ?? {});
  for (const name of names) {
    const entry = entries.find(([key]) => plainKey(key) === name);
    if (entry !== undefined) return loginOf(file, entry[0], entry[1] ?? {}, options.secret);
  }
  return ANONYMOUS;
}

const DOCKER_HUB = ['docker.io', 'index.docker.io', 'registry-1.docker.io'];

/** Keys under which a login may stand, the most specific first: Podman's may name a repository or a part of its path. */
function namesOf({ registry, repository }: Repository): string[] {
  const parts = repository.split('/');
  const paths = parts.map((_, i) => `${registry}/${parts.slice(0, parts.length - i).join('/')}`);
  return [...paths, ...(registry === 'docker.io' ? DOCKER_HUB : [registry])];
}

// Docker writes host names, and for its own hub and in old files a URL such as https://index.docker.io/v1/.
function plainKey(key: string): string {
  return key.replace(/^https?:\/\//, '').replace(/\/(v[12]\/?)?$/, '');
}

function loginOf(file: string, key: string, entry: AuthEntry, secret: (value: string) => void): Login {
  for (const field of ['auth', 'username', 'password', 'identitytoken', 'registrytoken'] as const)
    if (entry[field] !== undefined && typeof entry[field] !== 'string')
      throw new Failure(`The credential file ${file} has a "${field}" for "${key}" that is no text.`);
  for (const value of [entry.auth, entry.password, entry.identitytoken, entry.registrytoken])
    if (value) secret(value);
  if (entry.identitytoken) return { kind: 'identity', token: entry.identitytoken };
  if (entry.registrytoken) return { kind: 'bearer', token: entry.registrytoken };
  if (entry.auth) return decodeAuth(file, key, entry.auth, secret);
  if (!entry.username || !entry.password) return ANONYMOUS;
  return { kind: 'password', username: entry.username, password: entry.password };
}

function decodeAuth(file: string, key: string, auth: string, secret: (value: string) => void): Login {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(auth.trim()) || colon <= 0)
    throw new Failure(
      `The credential file ${file} has an "auth" for "${key}" that is not base64 of USER:PASSWORD.`,
    );
  const password = text.slice(colon + 1);
  if (password !== '') secret(password);
  return { kind: 'password', username: text.slice(0, colon), password };
}

/** Milliseconds that a helper may take; some of them ask a cloud. */
const HELPER_TIME = 60_000;

/** Asks a credential helper (github.com/docker/docker-credential-helpers): the registry on its input, JSON on its output. */
async function askHelper(
  file: string,
  helper: string,
  registry: string,
  options: CredentialOptions,
): Promise<Login> {
  const where = `which ${file} names for ${registry}`;
  if (!/^[\w.-]+$/.test(helper))
    throw new Failure(`The credential helper "${helper}", ${where}, is no program name.`);
  const program = `docker-credential-${helper}`;
  const server = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  try {
    const { stdout } = await run({
      program,
      args: ['get'],
      input: server,
      timeout: HELPER_TIME,
      ...(options.env !== undefined && { env: options.env }),
      ...(options.signal !== undefined && { signal: options.signal }),
    });
    return loginOfHelper(program, where, stdout.toString('utf8'), options.secret);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    return helperFault(program, where, error);
  }
}

function loginOfHelper(program: string, where: string, text: string, secret: (value: string) => void): Login {
  let answer: { Username?: unknown; Secret?: unknown };
  try {
    answer = JSON.parse(text) as typeof answer;
  } catch {
    throw new Failure(`The credential helper ${program}, ${where}, gave an answer that is no JSON.`);
  }
  const { Username: username, Secret: password } = answer;
  if (typeof username !== 'string' || typeof password !== 'string')
    throw new Failure(
      `The credential helper ${program}, ${where}, gave an answer without Username and Secret.`,
    );
  if (password === '') return ANONYMOUS;
  secret(password);
  return username === '<token>'
    ? { kind: 'identity', token: password }
    : { kind: 'password', username, password };
}

function helperFault(program: string, where: string, error: ExecError): Login {
  const said = `${error.stdout.toString('utf8')} ${error.stderr}`;
  if (/credentials not found/i.test(said)) return ANONYMOUS;
  if (error.reason === 'missing')
    throw new Failure(
      `The credential helper ${program}, ${where}, is not on the PATH; install it or log in without it.`,
    );
  const why = error.reason === 'exit' ? `left with code ${error.code}` : `was stopped (${error.reason})`;
  const line =
    error.stderr.trim().split('\n')[0] || error.stdout.toString('utf8').trim().split('\n')[0] || '';
  throw new Failure(`The credential helper ${program}, ${where}, ${why}${line === '' ? '' : `: ${line}`}.`, {
    cause: error,
  });
}
