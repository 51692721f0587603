import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An entry of the cache: at first reserved, then with its bytes. */
export interface ServiceEntry {
  readonly id: string;
  readonly key: string;
  readonly version: string;
  content: Buffer | undefined;
  /** Order in which entries were finished. */
  finished: number;
}

export interface ServiceCall {
  readonly method: string;
  /** The last part of the path: a Twirp method, `caches`, `blob`. */
  readonly name: string;
  readonly range: string | undefined;
}

/** What goes wrong with a call: an answer in place of the right one, or the right one changed. Undefined: nothing. */
export type ServiceFault = (call: ServiceCall, count: number) => ServiceAnswer | undefined;

export interface ServiceAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Never answer. */
  readonly silent?: true;
  /** Break the connection after this many bytes of the answer. */
  readonly cutAfter?: number;
}

/**
 * A stand-in for the GitHub Actions cache: service v2 (Twirp in JSON, entries as Azure block blobs with ranges) and v1
 * (`_apis/artifactcache`), in memory on a loopback port. That it is one is shown by the client of @actions/cache, which is put
 * against it in test/conformance.
 */
export class CacheService implements AsyncDisposable {
  readonly entries: ServiceEntry[] = [];
  readonly calls: ServiceCall[] = [];
  fault: ServiceFault = () => undefined;
  /** The address that signed URLs begin with, where clients come through a proxy; default: the service's own. */
  publicUrl: string | undefined;
  readonly #blocks = new Map<string, Map<string, Buffer>>();
  readonly #server: Server;
  #finished = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<CacheService> {
    const server = createServer();
    const service = new CacheService(server);
    server.on('request', (request, response) => void service.#answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return service;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** The variables that lead a client to version 2 or 1 of the service. */
  environment(version: 1 | 2): Record<string, string> {
    const token = { ACTIONS_RUNTIME_TOKEN: 'token', GITHUB_SERVER_URL: 'https://github.com' };
    if (version === 1) return { ...token, ACTIONS_CACHE_URL: this.url };
    return { ...token, ACTIONS_RESULTS_URL: this.url, ACTIONS_CACHE_SERVICE_V2: 'true' };
  }

  /** An entry as if another run had saved it. */
  add(key: string, version: string, content: Buffer): void {
    this.entries.push({ id: randomUUID(), key, version, content, finished: ++this.#finished });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    const body = await bodyOf(request);
    const path = url.pathname.split('/').filter(Boolean);
    const name = (path[0] === 'blob' ? 'blob' : path.at(-1)) ?? '';
    const call = {
      method: request.method!,
      name,
      range: header(request, 'x-ms-range') ?? header(request, 'range'),
    };
    this.calls.push(call);
    const fault = this.fault(call, this.calls.filter((one) => one.name === name).length);
    if (fault?.silent) return;
    if (fault?.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end('{}');
      return;
    }
    const answer = this.#right(request, url, body);
    const content = answer.body ?? Buffer.alloc(0);
    if (fault?.cutAfter !== undefined) {
      response.writeHead(answer.status, { ...answer.headers, 'content-length': content.length });
      response.write(content.subarray(0, fault.cutAfter), () => response.destroy());
      return;
    }
    response.writeHead(answer.status, { ...answer.headers, 'content-length': content.length }).end(content);
  }

  #right(request: IncomingMessage, url: URL, body: Buffer): Answer {
    if (url.pathname.startsWith('/blob/')) return this.#blob(request, url, body);
    if (!/^Bearer ./.test(request.headers.authorization ?? '')) return json(401, { msg: 'no token' });
    const twirp = /\/twirp\/github\.actions\.results\.api\.v1\.CacheService\/(\w+)$/.exec(url.pathname)?.[1];
    if (twirp !== undefined) return this.#twirp(twirp, JSON.parse(body.toString()));
    return this.#v1(request, url, body);
  }

  #find(keys: readonly string[], version: string): ServiceEntry | undefined {
    const whole = this.entries
      .filter((entry) => entry.content !== undefined && entry.version === version)
      .sort((a, b) => b.finished - a.finished);
    const [exact, ...prefixes] = keys;
    return (
      whole.find((entry) => entry.key === exact) ??
      [exact!, ...prefixes].map((prefix) => whole.find(({ key }) => key.startsWith(prefix))).find(Boolean)
    );
  }

  #reserve(key: string, version: string): ServiceEntry | undefined {
    if (this.entries.some((entry) => entry.key === key && entry.version === version)) return undefined;
    const entry: ServiceEntry = { id: randomUUID(), key, version, content: undefined, finished: 0 };
    this.entries.push(entry);
    return entry;
  }

  #twirp(method: string, message: Record<string, string & string[]>): Answer {
    const { key = '', version = '', restore_keys: prefixes = [] as string[] } = message;
    if (method === 'GetCacheEntryDownloadURL') {
      const found = this.#find([key, ...prefixes], version);
      if (found === undefined) return json(200, { ok: false, signed_download_url: '', matched_key: '' });
      return json(200, { ok: true, signed_download_url: this.#signed(found), matched_key: found.key });
    }
    if (method === 'CreateCacheEntry') {
      const entry = this.#reserve(key, version);
      if (entry === undefined)
        return json(409, { code: 'already_exists', msg: 'cache entry already exists' });
      return json(200, { ok: true, signed_upload_url: this.#signed(entry) });
    }
    const entry = this.entries.find(
      (one) => one.key === key && one.version === version && one.finished === 0,
    );
    if (method !== 'FinalizeCacheEntryUpload' || entry?.content === undefined)
      return json(404, { msg: 'no such upload' });
    if (entry.content.length !== Number(message.size_bytes)) return json(400, { msg: 'the size is another' });
    entry.finished = ++this.#finished;
    return json(200, { ok: true, entry_id: '1' });
  }

  #signed({ id }: ServiceEntry): string {
    return `${this.publicUrl ?? this.url}blob/${id}?sig=signature`;
  }

  #v1(request: IncomingMessage, url: URL, body: Buffer): Answer {
    const path = /\/_apis\/artifactcache\/(.*)$/.exec(url.pathname)?.[1];
    const id = /^caches\/(\d+)$/.exec(path ?? '')?.[1];
    if (path === 'cache') {
      const keys = url.searchParams.get('keys')!.split(',').map(decodeURIComponent);
      const found = this.#find(keys, url.searchParams.get('version')!);
      if (found === undefined) return { status: 204 };
      return json(200, {
        cacheKey: found.key,
        archiveLocation: this.#signed(found),
        scope: 'refs/heads/main',
      });
    }
    if (path === 'caches') {
      const { key, version } = JSON.parse(body.toString());
      const entry = this.#reserve(key, version);
      return entry === undefined ? json(409, {}) : json(201, { cacheId: this.entries.indexOf(entry) + 1 });
    }
    const entry = id === undefined ? undefined : this.entries[Number(id) - 1];
    if (entry === undefined) return json(404, {});
    if (request.method === 'PATCH') {
      const start = /^bytes (\d+)-\d+\/\*$/.exec(header(request, 'content-range') ?? '')![1]!;
      this.#blocksOf(entry.id).set(start.padStart(15, '0'), body);
      return { status: 204 };
    }
    entry.content = this.#joined(entry.id, [...this.#blocksOf(entry.id).keys()].sort());
    entry.finished = ++this.#finished;
    return { status: 204 };
  }

  #blocksOf(id: string): Map<string, Buffer> {
    const blocks = this.#blocks.get(id) ?? new Map<string, Buffer>();
    this.#blocks.set(id, blocks);
    return blocks;
  }

  #joined(id: string, names: readonly string[]): Buffer {
    const blocks = names.map((name) => this.#blocksOf(id).get(name)!);
    // An entry is whole once: its blocks are not needed again, and they are as large as it is.
    this.#blocks.delete(id);
    return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks);
  }

  #blob(request: IncomingMessage, url: URL, body: Buffer): Answer {
    const entry = this.entries.find(({ id }) => id === url.pathname.split('/')[2]);
    const headers = {
      etag: '"0x1"',
      'last-modified': new Date(0).toUTCString(),
      'x-ms-blob-type': 'BlockBlob',
    };
    if (entry === undefined) return { status: 404, headers };
    if (request.method === 'PUT') {
      const block = url.searchParams.get('blockid');
      if (block !== null) this.#blocksOf(entry.id).set(block, body);
      else if (url.searchParams.get('comp') === 'blocklist') {
        const ids = [...body.toString().matchAll(/<(?:Latest|Uncommitted)>([^<]+)</g)].map(
          (match) => match[1]!,
        );
        entry.content = this.#joined(entry.id, ids);
      } else entry.content = body;
      return { status: 201, headers };
    }
    return blobRange(
      entry.content ?? Buffer.alloc(0),
      header(request, 'x-ms-range') ?? header(request, 'range'),
      headers,
    );
  }
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

function blobRange(content: Buffer, range: string | undefined, headers: Record<string, string>): Answer {
  const match = /^bytes=(\d+)-(\d*)$/.exec(range ?? '');
  if (match === null) return { status: 200, headers, body: content };
  const start = Number(match[1]);
  const end = Math.min(match[2] === '' ? content.length : Number(match[2]) + 1, content.length);
  const contentRange = { 'content-range': `bytes ${start}-${end - 1}/${content.length}` };
  return { status: 206, headers: { ...headers, ...contentRange }, body: content.subarray(start, end) };
}

function json(status: number, value: unknown): Answer {
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function header(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
