import {
  Agent,
  createServer,
  type IncomingMessage,
  request as openRequest,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Link, type Shape } from './link.ts';

/** What went through a proxy. Bytes are of bodies and headers, as HTTP/1.1 writes them. */
export interface Traffic {
  /** Bytes from clients: pushes and saves. */
  readonly up: number;
  /** Bytes to clients: pulls and restores. */
  readonly down: number;
  readonly requests: number;
  readonly connections: number;
  /** Number of requests by kind, such as `HEAD blobs`. */
  readonly kinds: Readonly<Record<string, number>>;
}

/** The two directions of the network between the runner and all servers: they share it. */
export class Network {
  readonly up = new Link(undefined);
  readonly down = new Link(undefined);
  roundTrip = 0;

  shape(shape: Shape | undefined): void {
    this.up.rate = shape?.bytesPerSecond;
    this.down.rate = shape?.bytesPerSecond;
    this.roundTrip = shape?.roundTrip ?? 0;
  }
}

/**
 * Stands between clients and one HTTP server on the loopback address: counts requests and bytes, and lets both wait as the network
 * would make them. Clients' Host header goes on, so that addresses in answers lead through the proxy again.
 */
export class MeteringProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #network: Network;
  readonly #kindOf: (method: string, path: string) => string;
  readonly #agent = new Agent({ keepAlive: true });
  #up = 0;
  #down = 0;
  #requests = 0;
  #connections = 0;
  #kinds = new Map<string, number>();

  private constructor(server: Server, upstream: URL, network: Network, kindOf: typeof registryKind) {
    this.#server = server;
    this.#upstream = upstream;
    this.#network = network;
    this.#kindOf = kindOf;
  }

  static async start(
    upstream: string,
    network: Network,
    kindOf: (method: string, path: string) => string,
  ): Promise<MeteringProxy> {
    const server = createServer({ requestTimeout: 0 });
    const proxy = new MeteringProxy(server, new URL(upstream), network, kindOf);
    server.on('connection', () => proxy.#connections++);
    server.on('request', (request, response) => {
      proxy.#forward(request, response).catch(() => response.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** `127.0.0.1:PORT` */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What went through since the last call. */
  take(): Traffic {
    const taken = {
      up: this.#up,
      down: this.#down,
      requests: this.#requests,
      connections: this.#connections,
      kinds: Object.fromEntries([...this.#kinds].sort()),
    };
    this.#up = this.#down = this.#requests = this.#connections = 0;
    this.#kinds = new Map();
    return taken;
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const kind = this.#kindOf(method, url.split('?')[0]!);
    this.#kinds.set(kind, (this.#kinds.get(kind) ?? 0) + 1);
    this.#requests++;
    this.#up += headBytes(`${method} ${url} HTTP/1.1`, request.rawHeaders);
    await this.#travel(request);
    const answer = await this.#ask(request);
    const head = `HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`;
    this.#down += headBytes(head, answer.rawHeaders);
    response.writeHead(answer.statusCode!, answer.statusMessage, endToEnd(answer.rawHeaders));
    const counted = counting(this.#network.down, (bytes) => {
      this.#down += bytes;
    });
    await pipeline(answer, counted, response);
  }

  /** A request and its answer take one round trip, and the first of a connection one more to open it. */
  async #travel({ socket }: IncomingMessage): Promise<void> {
    if (this.#network.roundTrip === 0) return;
    const opening = opened.has(socket) ? 0 : this.#network.roundTrip;
    opened.add(socket);
    await sleep(opening + this.#network.roundTrip);
  }

  #ask(request: IncomingMessage): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const asked = openRequest({
        host: this.#upstream.hostname,
        port: this.#upstream.port,
        method: request.method,
        path: request.url,
        headers: endToEnd(request.rawHeaders) as never,
        agent: this.#agent,
      });
      asked.once('response', resolve).once('error', reject);
      const counted = counting(this.#network.up, (bytes) => {
        this.#up += bytes;
      });
      pipeline(request, counted, asked).catch(reject);
    });
  }
}

const opened = new WeakSet<object>();

function counting(link: Link, count: (bytes: number) => void): Transform {
  return new Transform({
    highWaterMark: 1 << 18,
    transform(chunk: Buffer, _encoding, done) {
      count(chunk.length);
      if (link.rate === undefined) done(null, chunk);
      else link.pass(chunk.length).then(() => done(null, chunk), done);
    },
  });
}

/** Size of a message's head: its first line, a line for each header, and the empty one. */
export function headBytes(firstLine: string, rawHeaders: readonly string[]): number {
  const headers = rawHeaders.reduce((sum, text) => sum + Buffer.byteLength(text, 'latin1'), 0);
  // ": " and CRLF for each pair, CRLF after the first line and at the end.
  return Buffer.byteLength(firstLine) + 2 + headers + (rawHeaders.length / 2) * 4 + 2;
}

/** Headers without those that are about one connection; each proxy has its own. */
function endToEnd(rawHeaders: readonly string[]): string[] {
  const kept: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (!/^(connection|keep-alive|proxy-connection|upgrade)$/i.test(rawHeaders[index]!))
      kept.push(rawHeaders[index]!, rawHeaders[index + 1]!);
  return kept;
}

/** `GET manifests`, `POST uploads`: what a request asks a registry for, after the distribution specification's paths. */
export function registryKind(method: string, path: string): string {
  const match = /^\/v2\/.*\/(manifests|blobs\/uploads|blobs|tags|referrers)(\/|$)/.exec(path);
  return `${method} ${match === null ? 'other' : match[1]!.replace('blobs/uploads', 'uploads')}`;
}

/** The method of the cache service, or what is done with an entry's bytes. */
export function cacheKind(method: string, path: string): string {
  return path.startsWith('/blob/') ? `${method} blob` : (path.split('/').filter(Boolean).at(-1) ?? 'other');
}

export const moduleKind = (method: string, path: string) =>
  `${method} ${/\.\w+$/.exec(path)?.[0] ?? 'other'}`;
