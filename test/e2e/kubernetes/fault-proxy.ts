import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** What is done to a request in place of handing it on unharmed. */
export type Fault =
  /** An answer of our own; the API server is not asked. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string;
    }
  /** The API server is asked, and the connection is cut after so many bytes of its answer's body. */
  | { readonly kind: 'cut'; readonly after: number }
  /** Handed on with another path. */
  | { readonly kind: 'rewrite'; readonly path: string };

/** Called for each request; what it gives is done to it. */
export type Fate = (request: { readonly method: string; readonly path: string }) => Fault | undefined;

/** An HTTP proxy before a real API server, that does to connections what networks do. */
export class FaultProxy implements AsyncDisposable {
  readonly #server: http.Server;
  readonly #agent: https.Agent;
  readonly #sockets = new Set<Socket>();
  #frozen = new WeakSet<Socket>();
  /** `GET /api/v1/…`, in the order they came. */
  readonly requests: string[] = [];
  fate: Fate = () => undefined;
  /** A header that is not handed on. */
  withoutHeader: string | undefined;

  private constructor(upstream: string, ca: string) {
    this.#agent = new https.Agent({ keepAlive: true, ca });
    this.#server = http.createServer((request, response) => this.#serve(upstream, request, response));
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(upstream: string, ca: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream, ca);
    await new Promise<void>((done) => proxy.#server.listen(0, '127.0.0.1', done));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Cuts every connection that is open now. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** The connections that are open now stay so, and nothing comes through them any more. */
  freeze(): void {
    for (const socket of this.#sockets) this.#frozen.add(socket);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#agent.destroy();
    await new Promise((done) => this.#server.close(done));
  }

  #serve(upstream: string, request: http.IncomingMessage, response: http.ServerResponse): void {
    const { method = 'GET', url: path = '/' } = request;
    this.requests.push(`${method} ${path}`);
    const fault = this.fate({ method, path });
    if (fault?.kind === 'answer') {
      request.resume();
      response.writeHead(fault.status, fault.headers ?? {}).end(fault.body ?? '');
      return;
    }
    const asked = https.request(
      `${upstream}${fault?.kind === 'rewrite' ? fault.path : path}`,
      { method, headers: this.#headers(request, upstream), agent: this.#agent },
      (answer) => this.#answer(answer, response, fault?.kind === 'cut' ? fault.after : undefined),
    );
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    request.pipe(asked);
  }

  #headers(request: http.IncomingMessage, upstream: string): http.OutgoingHttpHeaders {
    const { [this.withoutHeader ?? '']: _dropped, ...headers } = request.headers;
    return { ...headers, host: new URL(upstream).host };
  }

  #answer(answer: http.IncomingMessage, response: http.ServerResponse, cutAfter: number | undefined): void {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    response.flushHeaders();
    let sent = 0;
    answer.on('data', (chunk: Buffer) => {
      if (response.socket === null || this.#frozen.has(response.socket)) return;
      sent += chunk.length;
      if (cutAfter === undefined || sent <= cutAfter) response.write(chunk);
      else response.write(chunk.subarray(0, chunk.length - (sent - cutAfter)), () => response.destroy());
    });
    answer.on('end', () => {
      if (response.socket !== null && !this.#frozen.has(response.socket)) response.end();
    });
    answer.on('error', () => response.destroy());
  }
}
