import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { Failure } from '../../host/index.ts';
import { type CredentialContext, readPem } from './credentials.ts';

/** A token of the provider, and the configuration to ask with the next time: a refresh token may be good for one use only. */
export interface OidcToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expires: number | undefined;
  readonly config: Readonly<Record<string, string>>;
}

const PATIENCE = 30_000;

/** The identity token of the configuration while it holds, else one that the provider gives for the refresh token. */
export async function oidcToken(
  config: Readonly<Record<string, string>>,
  refused: boolean,
  context: CredentialContext,
): Promise<OidcToken> {
  const { now, secret } = context;
  const held = config['id-token'];
  const until = held === undefined ? undefined : expiryOf(held);
  if (held !== undefined && !refused && (until ?? 0) > now()) return { token: held, expires: until, config };
  for (const value of [config['refresh-token'], config['client-secret']]) if (value) secret(value);
  const given = await refresh(config, context);
  for (const value of [given.id_token, given.refresh_token]) if (value) secret(value);
  return {
    token: given.id_token,
    expires: expiryOf(given.id_token),
    config: {
      ...config,
      'id-token': given.id_token,
      'refresh-token': given.refresh_token ?? config['refresh-token']!,
    },
  };
}

/** `exp` of a token (RFC 7519), unverified: the API server verifies. */
function expiryOf(token: string): number | undefined {
  try {
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      exp?: number;
    };
    return exp === undefined ? undefined : exp * 1000;
  } catch {
    return undefined;
  }
}

interface Tokens {
  readonly id_token: string;
  readonly refresh_token?: string;
}

/** The refresh grant (RFC 6749, 6) at the provider's token endpoint (OpenID Connect Discovery 1.0, 4). */
async function refresh(
  config: Readonly<Record<string, string>>,
  { env, signal }: CredentialContext,
): Promise<Tokens> {
  const { 'idp-issuer-url': issuer, 'client-id': client, 'refresh-token': token } = config;
  if (!issuer || !client || !token)
    throw new Failure(
      'The OpenID Connect login of the kubeconfig has expired and cannot be renewed: it has no "refresh-token", "client-id" or "idp-issuer-url".',
    );
  const encoded = config['idp-certificate-authority-data'];
  const file = config['idp-certificate-authority'];
  const ca = encoded
    ? Buffer.from(encoded, 'base64').toString('utf8')
    : await readPem(file ? { file } : undefined);
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const found = await exchange({ url, ca, env, signal });
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, client_id: client });
  if (config['client-secret']) form.set('client_secret', config['client-secret']);
  const given = await exchange({ url: String(found.token_endpoint), form, ca, env, signal });
  if (typeof given.id_token !== 'string')
    throw new Failure(
      `The OpenID Connect provider ${issuer} gave no identity token for the kubeconfig's refresh token.`,
    );
  return given as unknown as Tokens;
}

async function exchange(asked: Exchange): Promise<Record<string, unknown>> {
  try {
    const body = await ask(asked);
    return parse(body);
  } catch (cause) {
    asked.signal.throwIfAborted();
    throw new Failure(
      `The OpenID Connect login of the kubeconfig cannot be renewed at ${new URL(asked.url).host}: ${(cause as Error).message}.`,
      { cause },
    );
  }
}

/** Node's own message would show the text, which may hold a token. */
function parse(body: string): Record<string, unknown> {
  try {
    return JSON.parse(body) as Record<string, unknown>;
  } catch {
    throw new Error('its answer is not JSON');
  }
}

interface Exchange {
  readonly url: string;
  readonly form?: URLSearchParams;
  readonly ca: string | undefined;
  readonly env: CredentialContext['env'];
  readonly signal: AbortSignal;
}

function ask({ url, form, ca, env, signal }: Exchange): Promise<string> {
  const { request, Agent } = url.startsWith('https:') ? https : http;
  const agent = new Agent({ proxyEnv: env as NodeJS.ProcessEnv, ...(ca !== undefined && { ca }) });
  return new Promise((resolve, reject) => {
    const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
    const asked = request(url, { method: form === undefined ? 'GET' : 'POST', agent, headers: type, signal });
    asked.setTimeout(PATIENCE, () => asked.destroy(new Error('it did not answer in time')));
    asked.on('error', reject).on('response', (answer) => {
      text(answer).then(
        (body) =>
          answer.statusCode === 200 ? resolve(body) : reject(new Error(saying(answer.statusCode, body))),
        reject,
      );
    });
    asked.end(form?.toString());
  });
}

/** The error of an answer (RFC 6749, 5.2): `invalid_grant` is a refresh token that has ended or was used. */
function saying(status: number | undefined, body: string): string {
  const error = /"error"\s*:\s*"(\w{1,60})"/.exec(body)?.[1];
  return error === undefined ? `it answered ${status}` : `it answered ${status} ${error}; log in again`;
}
