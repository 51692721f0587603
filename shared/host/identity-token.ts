import { Failure } from './failure.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Gives a token that proves to `audience` which run this is. It is masked. Throws a Failure when none is given out. */
export type IdentityToken = (audience: string) => Promise<string>;

const ATTEMPTS = 3;
const TIMEOUT = 10_000;

/**
 * The identity of a job that has the permission `id-token: write`: its runner is told where tokens are given out (GitHub's "OpenID
 * Connect reference"). Undefined for every other one.
 */
export function identityTokenOf(
  env: Environment,
  secret: (value: string) => void,
): IdentityToken | undefined {
  const url = env.ACTIONS_ID_TOKEN_REQUEST_URL;
  const bearer = env.ACTIONS_ID_TOKEN_REQUEST_TOKEN;
  if (!url || !bearer) return undefined;
  return async (audience) => {
    const address = new URL(url);
    address.searchParams.set('audience', audience);
    const token = await ask(address, bearer);
    secret(token);
    return token;
  };
}

async function ask(address: URL, bearer: string): Promise<string> {
  let said = 'no answer';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    try {
      const response = await fetch(address, {
        headers: { authorization: `Bearer ${bearer}`, accept: 'application/json' },
        signal: AbortSignal.timeout(TIMEOUT),
      });
      const { value } = response.ok ? ((await response.json()) as { value?: unknown }) : {};
      if (typeof value === 'string') return value;
      said = response.ok ? 'an answer without a token' : `status ${response.status}`;
      if (response.status < 500 && response.status !== 429) break;
    } catch (error) {
      said = error instanceof Error ? error.message : String(error);
    }
    if (attempt < ATTEMPTS) await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
  }
  throw new Failure(`The runner gives this job no identity token: ${address.host} answered ${said}.`);
}

/** What a token says of its run (RFC 7519, claims), unverified: it comes straight from where it is made. Empty for what is no token. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
