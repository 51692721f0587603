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

const NOT_FOUND: Fault = { kind: 'answer', status: 404, body: '<html>404</html>' };

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
  /** Path under which the API lies, as behind Rancher; what comes without it is not found. */
  readonly prefix: string;

  private constructor(upstream: string, ca: string, prefix: string) {
    this.prefix = prefix;
    this.#agent = new https.Agent({ keepAlive: true, ca });
    this.#server = http.createServer((request, response) => this.#serve(upstream, request, response));
    this.#server.on('upgrade', (request, socket: Socket, head: Buffer) =>
      this.#upgrade(upstream, request, socket, head),
    );
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(
    upstream: string,
    ca: string,
    { prefix = '', host = '127.0.0.1' }: { prefix?: string; host?: string } = {},
  ): Promise<FaultProxy> {
    const proxy = new FaultProxy(upstream, ca, prefix);
    await new Promise<void>((done, fail) => proxy.#server.once('error', fail).listen(0, host, done));
    return proxy;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address.includes(':') ? `[${address}]` : address}:${port}${this.prefix}`;
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
    const { method = 'GET', url = '/' } = request;
    const path = this.#behind(url);
    this.requests.push(`${method} ${path}`);
    const fault = path === undefined ? NOT_FOUND : this.fate({ method, path });
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

  #behind(url: string): string | undefined {
    return url.startsWith(`${this.prefix}/`) ? url.slice(this.prefix.length) : undefined;
  }

  #upgrade(upstream: string, request: http.IncomingMessage, socket: Socket, head: Buffer): void {
    const path = this.#behind(request.url ?? '/');
    this.requests.push(`UPGRADE ${path}`);
    if (path === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    const { ca } = this.#agent.options;
    const asked = https.request(`${upstream}${path}`, { headers: this.#headers(request, upstream), ca: ca! });
    asked.on('upgrade', (answer, above, first) => {
      const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
      socket.write(first);
      above.write(head);
      above.on('error', () => socket.destroy()).on('close', () => socket.destroy());
      socket.on('error', () => above.destroy()).on('close', () => above.destroy());
      above.pipe(socket).pipe(above);
    });
    asked.on('response', (answer) => {
      socket.write(`HTTP/1.1 ${answer.statusCode} -\r\nconnection: close\r\n\r\n`);
      answer.pipe(socket);
    });
    asked.on('error', () => socket.destroy());
    asked.end();
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
