import { Failure } from '../host/index.ts';
import { Authorizer, type Scope } from './auth.ts';
import type { Credentials } from './credentials.ts';
import { type HttpResponse, isLoopback, type RequestBody, type Transport } from './http.ts';
import { Limit } from './limit.ts';
import type { Repository } from './reference.ts';
import { cancelled, type Deed, errorText, networkFault, statusFault } from './registry-failure.ts';
import { type Clock, type RetryPolicy, retrying } from './retry.ts';

/** A request of the distribution API. */
export interface Ask {
  readonly method: string;
  /** Below the registry, such as `/v2/shop/app/tags/list`, or where the registry itself said to go on. */
  readonly to: string | URL;
  readonly repository: Repository;
  readonly scopes: readonly Scope[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** The body can be opened only once: no second attempt after a refusal. */
  readonly once?: boolean;
  /** Statuses that are answers; all others become a Failure, or Passing. */
  readonly accept: readonly number[];
  readonly deed: Deed;
  readonly signal?: AbortSignal | undefined;
}

export interface RegistryOptions {
  readonly transport: Transport;
  readonly credentials: Credentials;
  readonly secret: (value: string) => void;
  readonly insecure: readonly string[];
  /** Blobs under way at once, in each direction. */
  readonly parallel: number;
  readonly clock: Clock;
  readonly retries: RetryPolicy;
  readonly log: (line: string) => void;
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const MOST_REDIRECTS = 5;

/** One registry: its address, its way of authorisation, and the limit on what is under way. */
export class Registry {
  readonly name: string;
  /** Places for blobs, apart by direction: a copy within a registry holds one of each, and must not wait for itself. */
  readonly reading: Limit;
  readonly writing: Limit;
  readonly #base: URL;
  readonly #options: RegistryOptions;
  readonly #authorizer: Authorizer;

  constructor(name: string, options: RegistryOptions) {
    this.name = name;
    this.#options = options;
    this.#base = baseOf(name, options.insecure);
    this.reading = new Limit(options.parallel);
    this.writing = new Limit(options.parallel);
    this.#authorizer = new Authorizer({
      registry: name,
      base: this.#base,
      credentials: options.credentials,
      secret: options.secret,
      now: options.clock.now,
      send: (request) => options.transport.send(request),
    });
  }

  /** One request until it is answered; only for requests that may be made twice. The body is the caller's to read or discard. */
  async ask(ask: Ask): Promise<HttpResponse> {
    return await this.repeat(ask.deed, ask.signal, () => this.askOnce(ask));
  }

  /** Repeats work that throws Passing, within the limits on attempts and time. */
  async repeat<T>(
    deed: Deed,
    signal: AbortSignal | undefined,
    work: (attempt: number) => Promise<T>,
  ): Promise<T> {
    const { retries, clock, log } = this.#options;
    try {
      return await retrying(work, {
        policy: retries,
        clock,
        signal,
        onRetry: (failure, pause) =>
          log(`${failure.message} Trying again in ${(pause / 1000).toFixed(1)} s.`),
      });
    } catch (error) {
      if (signal?.aborted && !(error instanceof Failure)) throw cancelled(deed, signal);
      throw error;
    }
  }

  /** Waits before work goes on that broke off for the `count`-th time without a gain; throws `failure` when that was once too often. */
  async pause(count: number, failure: Failure, deed: Deed, signal: AbortSignal | undefined): Promise<void> {
    const { retries, clock, log } = this.#options;
    if (count >= retries.attempts) throw failure;
    log(`${failure.message} Going on from there.`);
    try {
      await clock.sleep(Math.min(retries.first * 2 ** count, retries.longest), signal);
    } catch (error) {
      if (signal?.aborted) throw cancelled(deed, signal);
      throw error;
    }
  }

  /** One attempt, with authorisation and redirects. Throws Passing for what may pass, a Failure for what does not. */
  async askOnce(ask: Ask): Promise<HttpResponse> {
    try {
      const response = await this.#authorized(ask);
      if (ask.accept.includes(response.status)) return response;
      const refused = response.status === 401 || response.status === 403;
      const hint = refused ? await this.#authorizer.hint(ask.repository) : '';
      throw statusFault(response, await errorText(response), ask.deed, hint);
    } catch (error) {
      throw networkFault(error, ask.deed, ask.signal);
    }
  }

  /** An address that the registry gave for what comes next. Some give http behind a proxy that ends TLS, on their own host. */
  resolve(location: string, from: URL = this.#base): URL {
    const url = new URL(location, from);
    if (url.host === this.#base.host) url.protocol = this.#base.protocol;
    return url;
  }

  async #authorized(ask: Ask): Promise<HttpResponse> {
    const header = () => this.#authorizer.header(ask.repository, ask.scopes, ask.deed, ask.signal);
    const sent = await header();
    const response = await this.#followed(ask, sent);
    if (response.status !== 401 || response.url.host !== this.#base.host) return response;
    if (!this.#authorizer.learn(response, sent, ask.scopes) || ask.once === true) return response;
    const again = await header();
    if (again === undefined || again === sent) return response;
    response.discard();
    return await this.#followed(ask, again);
  }

  /** Follows redirects. The login goes to the registry's own address alone: storage elsewhere has its own signed URLs. */
  async #followed(ask: Ask, authorization: string | undefined): Promise<HttpResponse> {
    let url = typeof ask.to === 'string' ? new URL(ask.to, this.#base) : ask.to;
    for (let count = 0; ; count++) {
      const own = url.origin === this.#base.origin;
      const response = await this.#options.transport.send({
        method: ask.method,
        url,
        headers: { ...ask.headers, ...(own && authorization !== undefined && { authorization }) },
        body: ask.body,
        signal: ask.signal,
      });
      const { location } = response.headers;
      if (location === undefined || !mayFollow(ask, response.status)) return response;
      response.discard();
      if (count === MOST_REDIRECTS)
        throw new Failure(`Cannot ${ask.deed.what}: the registry ${this.name} redirects without end.`);
      url = this.#redirected(location, url, ask.deed);
    }
  }

  #redirected(location: string, from: URL, deed: Deed): URL {
    const url = URL.canParse(location, from.href) ? this.resolve(location, from) : undefined;
    if (url !== undefined && (url.protocol === 'https:' || url.protocol === 'http:')) return url;
    throw new Failure(
      `Cannot ${deed.what}: the registry ${this.name} redirects to "${location}", which is no address.`,
    );
  }
}

/** Reads are redirected in any way; writes only where the method and the body stay (RFC 9110, 15.4) and can be sent again. */
function mayFollow(ask: Ask, status: number): boolean {
  if (/^(GET|HEAD)$/.test(ask.method)) return REDIRECTS.has(status);
  return (status === 307 || status === 308) && ask.once !== true;
}

function baseOf(name: string, insecure: readonly string[]): URL {
  if (name === 'docker.io') return new URL('https://registry-1.docker.io');
  const { hostname } = new URL(`http://${name}`);
  return new URL(`${isLoopback(hostname) || insecure.includes(name) ? 'http' : 'https'}://${name}`);
}

/** The body of an answer that is known to be small. Throws Passing when it breaks off, a Failure when it is larger than `most`. */
export async function smallBody(
  response: HttpResponse,
  most: number,
  { deed, signal }: Ask,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response.body()) {
      parts.push(part);
      size += part.length;
      if (size > most)
        throw new Failure(`Cannot ${deed.what}: the registry's answer has more than ${most} bytes.`);
    }
  } catch (error) {
    throw networkFault(error, deed, signal);
  }
  return Buffer.concat(parts);
}
