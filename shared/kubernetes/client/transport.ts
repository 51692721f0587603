import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import type { Readable } from 'node:stream';
import tls from 'node:tls';
import { createGunzip } from 'node:zlib';
import { Failure } from '../../host/index.ts';
import type { ApiTraffic } from '../cluster.ts';
import { type Credentials, readPem } from './credentials.ts';
import type { Entrance } from './entrance.ts';

export interface ApiRequest {
  readonly method: string;
  /** With its parameters. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | undefined;
  readonly signal: AbortSignal;
  /** Milliseconds without a byte after which the connection counts as broken. */
  readonly silence: number;
  /** An answer without an end: has a connection of its own. */
  readonly watch?: boolean;
}

export interface ApiAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  readonly body: Readable;
}

/** Connections that are used at once for calls; watches have their own. More would be queued by the server's fairness. */
const CONNECTIONS = 32;
/** Milliseconds: for a connection; until the system asks a silent peer whether it is there; that an unused connection is kept. */
const CONNECT = 10_000;
export const KEEP_ALIVE = 10_000;
const IDLE = 50_000;

/** Marks an error that came before a connection was there: nothing was sent. */
export const UNREACHED = Symbol('unreached');

/** HTTP to one API server: connections, proxies, TLS, time limits and counts; no repeats, no meaning. */
export class Transport {
  readonly #entrance: Entrance;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #userAgent: string;
  #agent: { readonly key: string; readonly calls: http.Agent; readonly streams: http.Agent } | undefined;
  readonly #retired: http.Agent[] = [];
  /** Whether this server has ever answered. */
  answered = false;
  #requests = 0;
  #watches = 0;
  #sent = 0;
  #received = 0;

  constructor(
    entrance: Entrance,
    { env, userAgent }: { env: Readonly<Record<string, string | undefined>>; userAgent: string },
  ) {
    this.#entrance = entrance;
    this.#env = env;
    this.#userAgent = userAgent;
  }

  traffic(): ApiTraffic {
    return {
      requests: this.#requests,
      watches: this.#watches,
      bytesSent: this.#sent,
      bytesReceived: this.#received,
    };
  }

  close(): void {
    const current = this.#agent === undefined ? [] : [this.#agent.calls, this.#agent.streams];
    for (const agent of [...this.#retired.splice(0), ...current]) agent.destroy();
    this.#agent = undefined;
  }

  /** One request. Rejects with the error of the connection, marked UNREACHED where none came about. */
  async send(request: ApiRequest, credentials: Credentials): Promise<ApiAnswer> {
    request.signal.throwIfAborted();
    const agents = await this.#agents(credentials);
    this.#requests += 1;
    if (request.watch) this.#watches += 1;
    const { request: open } = this.#url('').startsWith('https:') ? https : http;
    const asked = open(this.#url(request.path), {
      method: request.method,
      agent: request.watch ? agents.streams : agents.calls,
      headers: this.#headers(request, credentials),
      signal: request.signal,
    });
    const answered = answerTo(asked, request.silence);
    this.#sent += request.body?.length ?? 0;
    asked.end(request.body);
    const message = await answered;
    this.answered = true;
    return { status: message.statusCode ?? 0, headers: message.headers, body: this.#bodyOf(message) };
  }

  #headers(request: ApiRequest, credentials: Credentials): http.OutgoingHttpHeaders {
    return {
      accept: 'application/json',
      'user-agent': this.#userAgent,
      // The server compresses long answers only; events would wait in a compressor.
      'accept-encoding': request.watch ? 'identity' : 'gzip',
      ...(request.body !== undefined && { 'content-length': request.body.length }),
      ...request.headers,
      ...(credentials.headers as Record<string, string>),
    };
  }

  #bodyOf(message: IncomingMessage): Readable {
    message.on('data', (chunk: Buffer) => {
      this.#received += chunk.length;
    });
    message.pause();
    if (message.headers['content-encoding'] !== 'gzip') return message;
    const plain = createGunzip();
    message.on('error', (error) => plain.destroy(error));
    plain.on('close', () => message.destroyed || message.complete || message.destroy());
    return message.pipe(plain);
  }

  /** Agents for the certificate of these credentials: a plugin may hand out another with each. */
  async #agents(credentials: Credentials) {
    const key = `${credentials.certificate ?? ''} ${credentials.key ?? ''}`;
    if (this.#agent?.key === key) return this.#agent;
    const identity = this.#url('').startsWith('https:') ? await this.#tls(credentials) : {};
    const old = this.#agent;
    if (old?.key === key) return old;
    // Requests that are under way with the old certificate go on.
    if (old !== undefined) this.#retired.push(old.calls, old.streams);
    const agent = (maxSockets: number) => this.#newAgent({ ...identity, maxSockets });
    this.#agent = { key, calls: agent(CONNECTIONS), streams: agent(Number.POSITIVE_INFINITY) };
    return this.#agent;
  }

  #newAgent(given: https.AgentOptions): http.Agent {
    const { proxyUrl, server } = this.#entrance.cluster;
    const proxy = proxyUrl === undefined ? undefined : new URL(proxyUrl);
    const url = new URL(server);
    const options: https.AgentOptions = {
      keepAlive: true,
      keepAliveMsecs: KEEP_ALIVE,
      scheduling: 'lifo',
      timeout: IDLE,
      ...given,
      ...(proxy === undefined &&
        !isLoopback(url.hostname) &&
        !isInRangeOf(this.#env.NO_PROXY ?? this.#env.no_proxy, url.hostname) && {
          proxyEnv: this.#env as NodeJS.ProcessEnv,
        }),
      ...(proxy?.protocol.startsWith('http') && {
        proxyEnv: { HTTPS_PROXY: proxyUrl, HTTP_PROXY: proxyUrl },
      }),
    };
    const agent = url.protocol === 'https:' ? new https.Agent(options) : new http.Agent(options);
    if (proxy?.protocol.startsWith('socks')) agent.createConnection = socksConnector(proxy, url);
    return agent;
  }

  /** What a WebSocket needs to be opened. */
  async upgrade(path: string, credentials: Credentials) {
    const { streams } = await this.#agents(credentials);
    this.#requests += 1;
    return {
      url: `${this.#url(path)}`.replace(/^http/, 'ws'),
      agent: streams,
      headers: { 'user-agent': this.#userAgent, ...(credentials.headers as Record<string, string>) },
    };
  }

  /** The server's address may have a path of its own, as behind Rancher. */
  #url(path: string): string {
    return `${this.#entrance.cluster.server}${path}`;
  }

  /** What TLS needs to know to reach this server with these credentials, read once for all connections. */
  async #tls({ certificate, key }: Credentials): Promise<https.AgentOptions> {
    const { certificateAuthority, insecure, tlsServerName } = this.#entrance.cluster;
    const ca = (await readPem(certificateAuthority)) ?? trustedHere();
    const identity = certificate !== undefined && key !== undefined ? { cert: certificate, key } : {};
    return {
      secureContext: contextOf({ ca, ...identity }, this.#entrance.name),
      ...(insecure && { rejectUnauthorized: false }),
      ...(tlsServerName !== undefined && { servername: tlsServerName }),
    };
  }
}

/** Where a kubeconfig names no authority, those count that other clients on this machine trust. */
const trustedHere = (): string[] => [
  ...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')]),
];

function contextOf(options: tls.SecureContextOptions, context: string): tls.SecureContext {
  try {
    return tls.createSecureContext(options);
  } catch (cause) {
    throw new Failure(
      `The certificates of the context "${context}" cannot be used (${(cause as NodeJS.ErrnoException).code ?? (cause as Error).message}): the client's certificate and key, or the authority.`,
      { cause },
    );
  }
}

function socksConnector(proxy: URL, { protocol, hostname, port }: URL): http.Agent['createConnection'] {
  return (options, done) => {
    const connected = async () => {
      const { connectThroughSocks } = await import('./socks.ts');
      const socket = await connectThroughSocks(
        proxy,
        hostname,
        Number(port || (protocol === 'https:' ? 443 : 80)),
      );
      return protocol === 'https:' ? tls.connect({ ...(options as tls.ConnectionOptions), socket }) : socket;
    };
    connected().then(
      (socket) => done?.(null, socket),
      (error: Error) => done?.(error, undefined as never),
    );
    return undefined;
  };
}

const isLoopback = (hostname: string): boolean =>
  hostname === 'localhost' || hostname === '[::1]' || /^127(\.\d+){3}$/.test(hostname);

/** Ranges of addresses in NO_PROXY (`10.0.0.0/8`), which Go's programs know, kubectl among them, and Node does not. */
export function isInRangeOf(noProxy: string | undefined, hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '');
  const family = (text: string) => (net.isIPv6(text) ? 'ipv6' : 'ipv4');
  if (net.isIP(address) === 0) return false;
  return (noProxy ?? '').split(/[\s,]+/).some((entry) => {
    const [, start = '', bits] = /^([\da-f.:]+)\/(\d{1,3})$/i.exec(entry) ?? [];
    if (net.isIP(start) === 0 || Number(bits) > (net.isIPv6(start) ? 128 : 32)) return false;
    const range = new net.BlockList();
    range.addSubnet(start, Number(bits), family(start));
    return range.check(address, family(address));
  });
}

function answerTo(request: http.ClientRequest, silence: number): Promise<IncomingMessage> {
  let reached = false;
  const late = (what: string) => Object.assign(new Error(what), { code: 'ETIMEDOUT' });
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(reached ? error : Object.assign(error, { [UNREACHED]: true }));
    request.once('response', resolve);
    request.on('error', fail);
    request.once('close', () => fail(Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })));
    request.setTimeout(silence, () => request.destroy(late(`no byte for ${silence / 1000} s`)));
    request.once('socket', (socket) => {
      socket.setKeepAlive(true, KEEP_ALIVE);
      const ready = 'encrypted' in socket ? 'secureConnect' : 'connect';
      const isNew = socket.connecting || ('secureConnecting' in socket && socket.secureConnecting === true);
      if (!isNew) {
        reached = true;
        return;
      }
      const timer = setTimeout(
        () => request.destroy(late(`no connection within ${CONNECT / 1000} s`)),
        CONNECT,
      );
      socket.once(ready, () => {
        reached = true;
        clearTimeout(timer);
      });
      socket.once('close', () => clearTimeout(timer));
    });
  });
}
