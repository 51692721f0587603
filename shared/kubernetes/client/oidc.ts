import { Failure } from '../../host/index.ts';
import type { CredentialContext } from './credentials.ts';

/** A token of the provider, and the configuration to ask with the next time: a refresh token may be good for one use only. */
export interface OidcToken {
  readonly token: string;
  /** Milliseconds since 1970. */
  readonly expires: number | undefined;
  readonly config: Readonly<Record<string, string>>;
}

/** The identity token of the configuration while it holds, else one that the provider gives for the refresh token. */
export async function oidcToken(
  config: Readonly<Record<string, string>>,
  { now, signal, secret }: CredentialContext,
): Promise<OidcToken> {
  const held = config['id-token'];
  const until = held === undefined ? undefined : expiryOf(held);
  if (held !== undefined && (until ?? 0) > now()) return { token: held, expires: until, config };
  const given = await refresh(config, signal);
  for (const value of [given.id_token, given.refresh_token]) if (value !== undefined) secret(value);
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
async function refresh(config: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Tokens> {
  const { 'idp-issuer-url': issuer, 'client-id': client, 'refresh-token': token } = config;
  if (!issuer || !client || !token)
    throw new Failure(
      'The OpenID Connect login of the kubeconfig has expired and cannot be renewed: it has no "refresh-token", "client-id" or "idp-issuer-url".',
    );
  const found = await exchange(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, { signal });
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token, client_id: client });
  if (config['client-secret']) form.set('client_secret', config['client-secret']);
  const given = await exchange(String(found.token_endpoint), { method: 'POST', body: form, signal });
  if (typeof given.id_token !== 'string')
    throw new Failure(
      `The OpenID Connect provider ${issuer} gave no identity token for the kubeconfig's refresh token.`,
    );
  return given as unknown as Tokens;
}

async function exchange(url: string, init: RequestInit): Promise<Record<string, unknown>> {
  try {
    const answer = await fetch(url, init);
    if (answer.ok) return (await answer.json()) as Record<string, unknown>;
    throw new Error(`it answered ${answer.status}`);
  } catch (cause) {
    init.signal?.throwIfAborted();
    throw new Failure(
      `The OpenID Connect login of the kubeconfig cannot be renewed at ${new URL(url).host}: ${(cause as Error).message}.`,
      { cause },
    );
  }
}
