import { Failure } from '../host/index.ts';
import type { Credentials, Login } from './credentials.ts';
import type { HttpRequest, HttpResponse } from './http.ts';
import type { Repository } from './reference.ts';
import { type Deed, errorText, statusFault } from './registry-failure.ts';
import { Passing } from './retry.ts';

/** A part of a WWW-Authenticate header (RFC 9110, 11.6.1): a scheme in lower case, and parameters with names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** What a token is asked for: `repository:shop/app:pull,push` (distribution, "Token Scope Documentation"). */
export type Scope = string;

export function pullScope(repository: string): Scope {
  return `repository:${repository}:pull`;
}

export function pushScope(repository: string): Scope {
  return `repository:${repository}:pull,push`;
}

/** All challenges of a header: schemes and their parameters, both separated by commas. */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  const token = /\s*,?\s*([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+)))?/y;
  for (let match = token.exec(header); match !== null && match[0] !== ''; match = token.exec(header)) {
    const [, name, quoted, plain] = match;
    const value = quoted?.replaceAll(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: name!.toLowerCase(), parameters: {} });
    else if (challenges.length > 0) challenges.at(-1)!.parameters[name!.toLowerCase()] = value;
  }
  return challenges;
}

interface Token {
  readonly value: string;
  /** On the clock given, in ms. */
  readonly expires: number;
}

export interface AuthorizerOptions {
  readonly registry: string;
  /** Where the registry itself is; a realm must not be less safe. */
  readonly base: URL;
  readonly credentials: Credentials;
  readonly secret: (value: string) => void;
  readonly now: () => number;
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
}

/** A token counts as expired this long, in ms, before it does: the request that carries it takes time. */
const MARGIN = 10_000;
/** What the specification of tokens grants a server that does not say how long one lasts. */
const DEFAULT_LIFE = 60;

/**
 * How one registry wants its requests authorised: nothing until it asks, then Basic or Bearer (distribution, "Token Authentication
 * Specification"), with one token for each set of scopes, fetched once however many requests wait for it.
 */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #tokens = new Map<string, Promise<Token>>();
  /** The header that was made of the last token of each set of scopes. */
  readonly #newest = new Map<string, string>();
  #challenge: Challenge | undefined;

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The Authorization header for a request, or undefined while the registry has not asked for one. */
  async header(
    repository: Repository,
    scopes: readonly Scope[],
    deed: Deed,
    signal?: AbortSignal,
  ): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (challenge === undefined) return undefined;
    const login = await this.#options.credentials.login(repository);
    if (login.kind === 'bearer') return `Bearer ${login.token}`;
    if (challenge.scheme === 'basic') return login.kind === 'password' ? this.#basic(login) : undefined;
    return `Bearer ${(await this.#token(challenge, login, scopes, deed, signal)).value}`;
  }

  /**
   * Takes in a refusal. True when it makes sense to ask again: the registry named a way that was not tried yet, or the token that
   * was sent had lost its worth.
   */
  learn(response: HttpResponse, sent: string | undefined, scopes: readonly Scope[]): boolean {
    const challenges = parseChallenges(response.headers['www-authenticate'] ?? '');
    const chosen =
      challenges.find(({ scheme }) => scheme === 'bearer') ??
      challenges.find(({ scheme }) => scheme === 'basic');
    if (chosen === undefined) return false;
    this.#challenge = chosen;
    // The token may be a newer one by now, which another request has fetched.
    if (sent !== undefined && sent === this.#newest.get(scopes.join(' ')))
      this.#tokens.delete(scopes.join(' '));
    return sent === undefined || chosen.scheme === 'bearer';
  }

  /** A sentence behind a refusal that says where logins were looked for. */
  async hint(repository: Repository): Promise<string> {
    const { credentials, registry } = this.#options;
    const { kind } = await credentials.login(repository);
    if (kind !== 'anonymous') return '';
    return ` No login for ${registry} was found in ${credentials.origin}: run docker login ${registry} before.`;
  }

  #basic({ username, password }: Extract<Login, { kind: 'password' }>): string {
    const value = Buffer.from(`${username}:${password}`).toString('base64');
    this.#options.secret(value);
    return `Basic ${value}`;
  }

  async #token(
    challenge: Challenge,
    login: Login,
    scopes: readonly Scope[],
    deed: Deed,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const key = scopes.join(' ');
    const held = this.#tokens.get(key);
    const known = await held?.catch(() => undefined);
    if (known !== undefined && known.expires - MARGIN > this.#options.now()) return known;
    // While this one waited, another request may have begun to fetch a new one.
    if (this.#tokens.get(key) === held) this.#begin(key, this.#fetch(challenge, login, scopes, deed, signal));
    return await this.#tokens.get(key)!;
  }

  #begin(key: string, fetched: Promise<Token>): void {
    this.#tokens.set(key, fetched);
    fetched.then(
      ({ value }) => this.#newest.set(key, `Bearer ${value}`),
      () => this.#tokens.delete(key),
    );
  }

  async #fetch(
    challenge: Challenge,
    login: Login,
    scopes: readonly Scope[],
    deed: Deed,
    signal: AbortSignal | undefined,
  ): Promise<Token> {
    const realm = this.#realm(challenge, deed);
    const service = challenge.parameters.service;
    if (login.kind === 'identity') {
      const response = await this.#options.send(oauthRequest(realm, service, scopes, login.token, signal));
      // Not every token server speaks OAuth2.
      if (response.status !== 404 && response.status !== 405)
        return await this.#read(response, realm, deed, login);
      response.discard();
    }
    const response = await this.#options.send(this.#getRequest(realm, service, scopes, login, signal));
    return await this.#read(response, realm, deed, login);
  }

  /** A registry must not send logins to where anybody can read them, nor make this machine ask its cloud's metadata service. */
  #realm(challenge: Challenge, deed: Deed): URL {
    const text = challenge.parameters.realm ?? '';
    const refuse = (why: string) =>
      new Failure(
        `Cannot ${deed.what}: the registry ${deed.registry} sends its clients to "${text}" for a token, ${why}.`,
      );
    if (!URL.canParse(text)) throw refuse('which is no address');
    const realm = new URL(text);
    const { base } = this.#options;
    if (realm.protocol !== 'https:' && (realm.protocol !== 'http:' || base.protocol === 'https:'))
      throw refuse('which is not protected by TLS');
    if (realm.host !== base.host && /^(169\.254\.|\[fe80:|\[fd00:ec2:)/.test(realm.hostname))
      throw refuse('which is an address of this machine alone');
    return realm;
  }

  #getRequest(
    realm: URL,
    service: string | undefined,
    scopes: readonly Scope[],
    login: Login,
    signal: AbortSignal | undefined,
  ): HttpRequest {
    const url = new URL(realm);
    if (service !== undefined) url.searchParams.set('service', service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    url.searchParams.set('client_id', 'slipway');
    const basic = login.kind === 'password' ? { authorization: this.#basic(login) } : {};
    return { method: 'GET', url, headers: basic, signal };
  }

  async #read(response: HttpResponse, realm: URL, deed: Deed, login: Login): Promise<Token> {
    if (response.status !== 200) throw this.#refused(response, await errorText(response), realm, deed, login);
    const answer = await jsonOf(response);
    const value = [answer.token, answer.access_token].find((one) => typeof one === 'string' && one !== '');
    if (typeof value !== 'string')
      throw new Failure(`Cannot ${deed.what}: the token server ${realm.host} answered without a token.`);
    this.#options.secret(value);
    const life =
      typeof answer.expires_in === 'number' && answer.expires_in > 0 ? answer.expires_in : DEFAULT_LIFE;
    return { value, expires: this.#options.now() + life * 1000 };
  }

  #refused(response: HttpResponse, text: string, realm: URL, deed: Deed, login: Login): Failure | Passing {
    const { status } = response;
    const fault = statusFault(response, text, { registry: realm.host, what: deed.what });
    if (fault instanceof Passing || (status !== 400 && status !== 401 && status !== 403)) return fault;
    const said = text === '' ? '' : ` (${text})`;
    const { registry, credentials } = this.#options;
    const why =
      login.kind === 'anonymous'
        ? `gives no token without a login, and none for ${registry} was found in ${credentials.origin}`
        : `refuses the login for ${registry} from ${credentials.origin}`;
    return new Failure(
      `Cannot ${deed.what}: the token server ${realm.host} answered ${status}, it ${why}${said}.`,
    );
  }
}

function oauthRequest(
  realm: URL,
  service: string | undefined,
  scopes: readonly Scope[],
  token: string,
  signal: AbortSignal | undefined,
): HttpRequest {
  const form = new URLSearchParams({
    grant_type: 'refresh_token',
    client_id: 'slipway',
    refresh_token: token,
  });
  if (service !== undefined) form.set('service', service);
  form.set('scope', scopes.join(' '));
  const bytes = Buffer.from(form.toString());
  async function* open() {
    yield bytes;
  }
  return {
    method: 'POST',
    url: realm,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: { size: bytes.length, open },
    signal,
  };
}

async function jsonOf(response: HttpResponse): Promise<Record<string, unknown>> {
  const parts: Buffer[] = [];
  for await (const part of response.body()) parts.push(part);
  try {
    const value: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
