import http from 'node:http';
import type { AddressInfo } from 'node:net';

/** What happens to a request in place of, or on its way to, the registry behind. */
export type Fault =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Record<string, string>;
      readonly body?: string | Buffer;
    }
  /** The connection is cut after so many bytes of the request's body have gone through. */
  | { readonly kind: 'cut-request'; readonly after: number }
  /** The connection is cut after so many bytes of the answer's body, which was announced whole. */
  | { readonly kind: 'cut-answer'; readonly after: number }
  /** The answer ends early, as if it were complete. */
  | { readonly kind: 'shorten'; readonly to: number }
  /** One bit of the answer is wrong. */
  | { readonly kind: 'corrupt' }
  /** More bytes follow than there should be. */
  | { readonly kind: 'lengthen' }
  /** The connection is cut at once. */
  | { readonly kind: 'reset' }
  /** Nothing comes, until the client gives up. */
  | { readonly kind: 'hang' };

export interface Rule {
  readonly method: RegExp;
  readonly path: RegExp;
  readonly fault: Fault;
  /** How often it strikes; default: always. */
  times?: number;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly headers: http.IncomingHttpHeaders;
  /** Bytes of the request's body that arrived. */
  bytes: number;
}

export interface Proxy extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly seen: Seen[];
  rules: Rule[];
  /** What the registry is asked for in place of a path. */
  rewrite: (path: string) => string;
}

/** Stands between the client and a registry and does to its traffic what bad networks and bad days do. */
export async function startProxy(upstream: string, rules: Rule[] = []): Promise<Proxy> {
  const seen: Seen[] = [];
  const server = http.createServer((request, response) => {
    const path = request.url ?? '';
    const one: Seen = { method: request.method ?? '', path, headers: request.headers, bytes: 0 };
    seen.push(one);
    request.on('data', (chunk: Buffer) => {
      one.bytes += chunk.length;
    });
    const rule = proxy.rules.find((r) => r.times !== 0 && r.method.test(one.method) && r.path.test(path));
    if (rule?.times !== undefined) rule.times -= 1;
    request.url = proxy.rewrite(path);
    serve(request, response, upstream, one, rule?.fault);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy: Proxy = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    rules,
    rewrite: (path) => path,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return proxy;
}

function serve(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  upstream: string,
  seen: Seen,
  fault: Fault | undefined,
): void {
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'reset') {
    request.socket.destroy();
    return;
  }
  if (fault?.kind === 'answer') {
    response.writeHead(fault.status, fault.headers);
    response.end(request.method === 'HEAD' ? undefined : fault.body);
    return;
  }
  const [hostname, port] = upstream.split(':');
  const onward = http.request(
    { hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false },
    (answer) => relay(answer, response, fault),
  );
  onward.on('error', () => response.destroy());
  request.on('error', () => onward.destroy());
  request.on('close', () => {
    if (!request.complete) onward.destroy();
  });
  if (fault?.kind === 'cut-request')
    request.on('data', () => {
      if (seen.bytes < fault.after) return;
      // What arrived goes on to the registry before the line goes dead, as it would with a real one; what follows does not.
      request.unpipe(onward).pause();
      setTimeout(() => request.socket.destroy(), 50);
    });
  request.pipe(onward);
}

function relay(answer: http.IncomingMessage, response: http.ServerResponse, fault: Fault | undefined): void {
  const headers = { ...answer.headers };
  if (fault?.kind === 'shorten') headers['content-length'] = String(fault.to);
  if (fault?.kind === 'lengthen') delete headers['content-length'];
  response.writeHead(answer.statusCode ?? 502, headers);
  let passed = 0;
  answer.on('data', (chunk: Buffer) => {
    const limit =
      fault?.kind === 'cut-answer'
        ? fault.after
        : fault?.kind === 'shorten'
          ? fault.to
          : Number.MAX_SAFE_INTEGER;
    const part = chunk.subarray(0, Math.max(0, limit - passed));
    if (fault?.kind === 'corrupt' && passed === 0 && part.length > 0) part[part.length >> 1]! ^= 1;
    passed += chunk.length;
    if (part.length > 0 && !response.write(part)) {
      answer.pause();
      response.once('drain', () => answer.resume());
    }
    if (fault?.kind === 'cut-answer' && passed >= limit) setTimeout(() => response.destroy(), 20);
  });
  answer.on('end', () => {
    if (fault?.kind === 'cut-answer') return;
    if (fault?.kind === 'lengthen') response.write('more');
    response.end();
  });
  response.on('close', () => answer.destroy());
}
