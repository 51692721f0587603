// Node's HTTP is loaded with the first request: many runs make none, and an action must start at once.
import type http from 'node:http';

/** What moved over the network. Bytes are those of bodies. */
export interface Traffic {
  readonly requests: number;
  readonly bytesSent: number;
  readonly bytesReceived: number;
}

export interface RequestBody {
  /** Bytes; undefined: sent in chunks of unknown number. */
  readonly size: number | undefined;
  open(): AsyncIterable<Uint8Array>;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly url: URL;
  /** The body, once. A caller that does not want it calls `discard`, so that the connection can be used again. */
  body(): AsyncGenerator<Buffer>;
  discard(): void;
}

/** An error of the content that was being sent, not of the network. */
export class ContentError extends Error {
  constructor(cause: unknown) {
    super('the content could not be read', { cause });
  }
}

export interface TransportOptions {
  /** Proxies are taken from HTTP_PROXY, HTTPS_PROXY and NO_PROXY in here. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly userAgent: string;
  /** Connections to one host. */
  readonly connections: number;
}

/** Milliseconds without a byte in either direction (a registry may have to copy a blob that was committed), and for a connection. */
const SILENCE = 300_000;
const CONNECT = 30_000;

/** Authorities missing in Node's own list are looked for in the system's, as other clients on the machine do. */
const UNTRUSTED = new Set([
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
]);

/** One HTTP exchange at a time over connections that are kept; no redirects, no repeats, no meaning. */
export class Transport {
  readonly #options: TransportOptions;
  readonly #agents = new Map<string, http.Agent>();
  #system = false;
  #requests = 0;
  #sent = 0;
  #received = 0;

  constructor(options: TransportOptions) {
    this.#options = options;
  }

  traffic(): Traffic {
    return { requests: this.#requests, bytesSent: this.#sent, bytesReceived: this.#received };
  }

  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async send(request: HttpRequest): Promise<HttpResponse> {
    const system = this.#system;
    try {
      return await this.#exchange(request);
    } catch (error) {
      if (system || !UNTRUSTED.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
      this.#system = true;
      return await this.#exchange(request);
    }
  }

  async #exchange(asked: HttpRequest): Promise<HttpResponse> {
    const request = await this.#open(asked);
    const answered = answerTo(request);
    const sending = this.#sendBody(request, asked.body, answered);
    // A content that fails destroys the request: what failed first is what is told.
    const failed = new Promise<never>((_, reject) => sending.catch(reject));
    return this.#responseOf(await Promise.race([failed, answered]), request, asked.url);
  }

  async #open({ method, url, headers, body, signal }: HttpRequest): Promise<http.ClientRequest> {
    const agent = await this.#agent(url);
    const length = body?.size === undefined ? {} : { 'content-length': String(body.size) };
    const fixed = { 'user-agent': this.#options.userAgent, 'accept-encoding': 'identity' };
    signal?.throwIfAborted();
    this.#requests += 1;
    const { request: open } = await protocolOf(url);
    const request = open(url, {
      method,
      agent,
      headers: { ...fixed, ...length, ...headers },
      ...(signal !== undefined && { signal }),
    });
    limitTime(request);
    return request;
  }

  /** Ends when the body is sent, or an answer has come before: a refusal does not wait for the rest. */
  async #sendBody(
    request: http.ClientRequest,
    body: RequestBody | undefined,
    answered: Promise<unknown>,
  ): Promise<void> {
    if (body === undefined) {
      request.end();
      return;
    }
    let over = false;
    const stop = answered.then(
      () => {
        over = true;
      },
      () => {
        over = true;
      },
    );
    const iterator = contentOf(body);
    try {
      for (;;) {
        const { done, value } = await iterator.next();
        if (over || done === true) break;
        this.#sent += value.length;
        if (!request.write(value)) await Promise.race([drained(request), stop]);
      }
    } catch (error) {
      setImmediate(() => request.destroy());
      throw error;
    } finally {
      if (over) await iterator.return?.().catch(() => {});
    }
    if (!over) request.end();
  }

  #responseOf(message: http.IncomingMessage, request: http.ClientRequest, url: URL): HttpResponse {
    const transport = this;
    // A request whose body was not sent to its end leaves a connection that cannot be used again.
    const finish = () => {
      if (!request.writableEnded) request.destroy();
    };
    return {
      status: message.statusCode ?? 0,
      headers: message.headers,
      url,
      async *body() {
        try {
          for await (const chunk of message as AsyncIterable<Buffer>) {
            transport.#received += chunk.length;
            yield chunk;
          }
        } finally {
          finish();
        }
      },
      discard() {
        message.on('data', (chunk: Buffer) => {
          transport.#received += chunk.length;
        });
        message.on('error', () => {});
        message.on('end', finish);
      },
    };
  }

  async #agent(url: URL): Promise<http.Agent> {
    const direct = isLoopback(url.hostname);
    const system = this.#system && url.protocol === 'https:';
    const { Agent } = await protocolOf(url);
    const ca = system ? { ca: await systemAuthorities() } : {};
    const key = `${url.protocol} ${direct} ${system}`;
    const agent =
      this.#agents.get(key) ??
      new Agent({
        keepAlive: true,
        maxSockets: this.#options.connections,
        scheduling: 'lifo',
        ...(!direct && { proxyEnv: this.#options.env as NodeJS.ProcessEnv }),
        ...ca,
      });
    this.#agents.set(key, agent);
    return agent;
  }
}

async function protocolOf(url: URL): Promise<Pick<typeof http, 'request' | 'Agent'>> {
  return url.protocol === 'https:' ? await import('node:https') : await import('node:http');
}

function answerTo(request: http.ClientRequest): Promise<http.IncomingMessage> {
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.on('error', reject);
    request.once('close', () => reject(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })));
  });
  answered.catch(() => {}); // awaited behind the body
  return answered;
}

function contentOf(body: RequestBody): AsyncIterator<Uint8Array> {
  const iterator = body.open()[Symbol.asyncIterator]();
  return {
    next: () =>
      iterator.next().catch((error: unknown) => {
        throw new ContentError(error);
      }),
    return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
  };
}

function drained(request: http.ClientRequest): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      request.off('drain', over).off('close', over);
      resolve();
    };
    request.once('drain', over).once('close', over);
  });
}

function limitTime(request: http.ClientRequest): void {
  const late = (what: string) => () => request.destroy(Object.assign(new Error(what), { code: 'ETIMEDOUT' }));
  request.setTimeout(SILENCE, late(`no byte for ${SILENCE / 1000} s`));
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    const timer = setTimeout(late(`no connection within ${CONNECT / 1000} s`), CONNECT);
    for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(timer));
  });
}

async function systemAuthorities(): Promise<string[]> {
  const { getCACertificates } = await import('node:tls');
  return [...new Set([...getCACertificates('default'), ...getCACertificates('system')])];
}

/** Whether a host name, as URL gives it, is this machine: spoken to without TLS and without a proxy. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' || hostname === '[::1]' || hostname === '::1' || /^127(\.\d+){3}$/.test(hostname)
  );
}
