import { readFile } from 'node:fs/promises';
import { Failure } from '../../host/index.ts';
import type { Entrance } from './entrance.ts';
import type { Pem, UserEntry } from './kubeconfig.ts';

/** What a request is sent with. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Milliseconds since 1970 until which they hold; undefined: not known, as long as the server takes them. */
  readonly expires?: number | undefined;
}

/** Hands out credentials, and new ones when the old ones end or are refused. */
export interface CredentialSource {
  current(): Promise<Credentials>;
  /**
   * The server refused `refused` (401). True when there may be others now. Several calls that were refused with the same ask once.
   */
  renew(refused: Credentials): Promise<boolean>;
}

export interface CredentialContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
  readonly secret: (value: string) => void;
  readonly now: () => number;
}

/** Time before their end at which credentials are renewed; clocks differ. */
const EARLY = 30_000;
/** Files with tokens are read again after this: the kubelet replaces them when 80 % of their life is over (client-go reads so too). */
const FILE_AGE = 10_000;

/** The credentials of a kubeconfig's user. */
export function credentialsOf(entrance: Entrance, context: CredentialContext): CredentialSource {
  const { read, lasting } = readerOf(entrance, context);
  let held: Promise<Credentials> | undefined;
  const fresh = (refused: boolean): Promise<Credentials> => {
    const reading: Promise<Credentials> = read(refused).catch((error: unknown) => {
      if (held === reading) held = undefined;
      throw error;
    });
    held = reading;
    return reading;
  };
  const current = async (): Promise<Credentials> => {
    const known = held;
    if (known === undefined) return await fresh(false);
    const credentials = await known;
    if (held !== known) return await current();
    return (credentials.expires ?? Number.POSITIVE_INFINITY) > context.now()
      ? credentials
      : await fresh(false);
  };
  return {
    current,
    async renew(refused) {
      if (lasting) return false;
      // Others that were refused with the same may have renewed them meanwhile.
      const known = held;
      if (known !== undefined && (await known) === refused && held === known) await fresh(true);
      else await current();
      return true;
    },
  };
}

interface Reader {
  /** `refused`: the server does not accept what was read last, whatever end it was promised. */
  read(refused: boolean): Promise<Credentials>;
  /** Reading again gives the same. */
  readonly lasting: boolean;
}

function readerOf(entrance: Entrance, context: CredentialContext): Reader {
  const { user } = entrance;
  const fixed = async (): Promise<Credentials> => {
    const [certificate, key] = await Promise.all([readPem(user.certificate), readPem(user.key)]);
    if (key !== undefined) maskKey(key, context);
    return { headers: user.impersonate, certificate, key };
  };
  const bearer = async (token: string, expires?: number): Promise<Credentials> => {
    context.secret(token);
    const rest = await fixed();
    return { ...rest, headers: { ...rest.headers, Authorization: `Bearer ${token}` }, expires };
  };
  // In the order of client-go: a file before a token (the token is what the file held once), then what must be asked for.
  if (user.tokenFile !== undefined) {
    const file = user.tokenFile;
    return {
      lasting: false,
      read: async () => await bearer(await readToken(file, user), context.now() + FILE_AGE),
    };
  }
  if (user.token !== undefined) return { lasting: true, read: () => bearer(user.token!) };
  if (user.basic !== undefined) return { lasting: true, read: () => basic(user.basic!, fixed, context) };
  if (user.exec !== undefined) {
    const plugin = user.exec;
    return {
      lasting: false,
      read: async () => {
        const { runExecPlugin } = await import('./exec-plugin.ts');
        const given = await runExecPlugin(plugin, entrance, context);
        const base = given.token === undefined ? await fixed() : await bearer(given.token);
        return {
          ...base,
          ...(given.certificate !== undefined && { certificate: given.certificate, key: given.key }),
          expires: renewalOf(given.expires, context.now()),
        };
      },
    };
  }
  if (user.oidc !== undefined) {
    const provider = user.oidc;
    return oidcReader(provider, bearer, context);
  }
  return { lasting: user.certificate === undefined || !('file' in user.certificate), read: fixed };
}

function oidcReader(
  provider: Readonly<Record<string, string>>,
  bearer: (token: string, expires?: number) => Promise<Credentials>,
  context: CredentialContext,
): Reader {
  let config = provider;
  return {
    lasting: false,
    read: async (refused) => {
      const { oidcToken } = await import('./oidc.ts');
      const given = await oidcToken(config, refused, context);
      config = given.config;
      return await bearer(given.token, renewalOf(given.expires, context.now()));
    },
  };
}

/** When to renew what ends at a time. Some programs hand out what they still have, which may be near its end already. */
const renewalOf = (expires: number | undefined, now: number): number | undefined =>
  expires === undefined ? undefined : expires - Math.min(EARLY, Math.max(0, expires - now) / 2);

/** A key stands in a kubeconfig in Base64. */
function maskKey(key: string, { secret }: CredentialContext): void {
  secret(key);
  secret(Buffer.from(key).toString('base64'));
}

async function basic(
  { username, password }: { username: string; password: string },
  fixed: () => Promise<Credentials>,
  { secret }: CredentialContext,
): Promise<Credentials> {
  const encoded = Buffer.from(`${username}:${password}`).toString('base64');
  secret(password);
  secret(encoded);
  const rest = await fixed();
  return { ...rest, headers: { ...rest.headers, Authorization: `Basic ${encoded}` } };
}

async function readToken(file: string, user: UserEntry): Promise<string> {
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(`The token of the user "${user.name}" cannot be read from "${file}" (${cause.code}).`, {
      cause,
    });
  });
  if (text.trim() === '') throw new Failure(`The token file "${file}" of the user "${user.name}" is empty.`);
  return text.trim();
}

/** A certificate or key, from the configuration or from the file that it names. */
export async function readPem(pem: Pem | undefined): Promise<string | undefined> {
  if (pem === undefined) return undefined;
  if ('data' in pem) return pem.data;
  return await readFile(pem.file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new Failure(`The kubeconfig names the file "${pem.file}", which cannot be read (${cause.code}).`, {
      cause,
    });
  });
}
