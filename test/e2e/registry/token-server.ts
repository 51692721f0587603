import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface TokenServerOptions {
  readonly username?: string;
  readonly password?: string;
  /** Accepted as refresh token of the OAuth2 flow. */
  readonly identity?: string;
  /** Seconds that a token lasts. */
  readonly life?: number;
  /** Grants pull and nothing else, whatever is asked for. */
  readonly pullOnly?: boolean;
}

export interface TokenServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` of the registry that it guards. */
  readonly host: string;
  /** Scopes of each token that was given, in order. */
  readonly grants: string[][];
  readonly refused: { count: number };
  /** From now on no token that was given is good any more. */
  revoke(): void;
}

/**
 * A registry with tokens: a token server (distribution, "Token Authentication Specification") and a door in front of a registry
 * without authorisation, which lets in what a token grants. Tokens are random names, so that nothing but the door can read them.
 */
export async function startTokenServer(upstream: string, options: TokenServerOptions): Promise<TokenServer> {
  const tokens = new Map<string, { scopes: string[]; expires: number }>();
  const grants: string[][] = [];
  const refused = { count: 0 };
  const issue = (scopes: string[]) => {
    const token = `token-${grants.length}-${Math.random().toString(36).slice(2)}`;
    const granted = options.pullOnly ? scopes.map((scope) => scope.replace(',push', '')) : scopes;
    grants.push(granted);
    tokens.set(token, { scopes: granted, expires: Date.now() + (options.life ?? 300) * 1000 });
    return { token, expires_in: options.life ?? 300 };
  };
  const auth = await listen(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    const form = new URLSearchParams(await textOf(request));
    const scopes =
      request.method === 'POST' ? (form.get('scope') ?? '').split(' ') : url.searchParams.getAll('scope');
    const allowed =
      request.method === 'POST'
        ? form.get('refresh_token') === options.identity
        : passwordFits(request, options);
    if (!allowed) {
      refused.count += 1;
      response.writeHead(401, { 'content-type': 'application/json' });
      response.end('{"details":"incorrect username or password"}');
      return;
    }
    response.end(JSON.stringify(issue(scopes)));
  });
  const door = await listen(async (request, response) => {
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const token = bearer === undefined ? undefined : tokens.get(bearer);
    const [, repository] = /^\/v2\/(.+?)\/(?:blobs|manifests|tags|referrers)\//.exec(request.url ?? '') ?? [];
    const action =
      /^(GET|HEAD)$/.test(request.method ?? '') && !request.url?.includes('/uploads/') ? 'pull' : 'push';
    const scope = `repository:${repository}:${action === 'push' ? 'pull,push' : 'pull'}`;
    const from = new URL(request.url ?? '', 'http://x').searchParams.get('from');
    const fits = (wanted: string, what: string) =>
      token?.scopes.some((one) => one.startsWith(`repository:${wanted}:`) && one.includes(what)) ?? false;
    const allowed =
      token !== undefined &&
      token.expires > Date.now() &&
      fits(repository ?? '', action) &&
      (from === null || fits(from, 'pull'));
    if (allowed) {
      forward(request, response, upstream);
      return;
    }
    request.resume();
    response.writeHead(401, {
      'www-authenticate': `Bearer realm="http://${auth.host}/token",service="lab",scope="${scope}"`,
      'content-type': 'application/json',
    });
    response.end('{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}');
  });
  return {
    host: door.host,
    grants,
    refused,
    revoke: () => tokens.clear(),
    async [Symbol.asyncDispose]() {
      await door.close();
      await auth.close();
    },
  };
}

function passwordFits(request: http.IncomingMessage, { username, password }: TokenServerOptions): boolean {
  if (username === undefined) return true;
  return (
    request.headers.authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  );
}

async function textOf(request: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += String(part);
  return text;
}

function forward(request: http.IncomingMessage, response: http.ServerResponse, upstream: string): void {
  const [hostname, port] = upstream.split(':');
  const onward = http.request(
    { hostname, port, method: request.method, path: request.url, headers: request.headers, agent: false },
    (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    },
  );
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => Promise<void>;

async function listen(handler: Handler): Promise<{ host: string; close(): Promise<void> }> {
  const server = http.createServer((request, response) => {
    handler(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
