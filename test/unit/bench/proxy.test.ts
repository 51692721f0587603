import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  cacheKind,
  headBytes,
  MeteringProxy,
  moduleKind,
  Network,
  registryKind,
} from '../../bench/image/proxy.ts';

let upstream: Server;
let network: Network;
let proxy: MeteringProxy;
let seen: { method: string; url: string; host: string; body: string; raw: string[] }[];

beforeEach(async () => {
  seen = [];
  upstream = createServer(async (incoming, outgoing) => {
    const { method = '', url = '', headers, rawHeaders } = incoming;
    seen.push({ method, url, host: headers.host!, body: await text(incoming), raw: rawHeaders });
    outgoing.writeHead(201, { location: `http://${headers.host}/next`, 'content-length': 5 }).end('hello');
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  network = new Network();
  const { port } = upstream.address() as AddressInfo;
  proxy = await MeteringProxy.start(`http://127.0.0.1:${port}`, network, registryKind);
});

afterEach(async () => {
  await proxy[Symbol.asyncDispose]();
  upstream.closeAllConnections();
  upstream.close();
});

/** With node:http, whose heads are known to the byte on both sides. */
async function send(method: string, path: string, body?: string) {
  const [host, port] = proxy.host.split(':');
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request({ host, port, method, path, headers: { 'x-test': 'äb' } }, resolve);
    asked.once('error', reject).end(body);
  });
  return { status: answer.statusCode, headers: answer.headers, body: await text(answer) };
}

describe('the proxy of the bench', () => {
  it('hands on request and answer as they are, with the host that the client asked for', async () => {
    const answer = await send('PUT', '/v2/a/blobs/uploads/1?digest=sha256:0', 'content');
    expect(answer).toMatchObject({ status: 201, body: 'hello' });
    expect(answer.headers.location).toBe(`http://${proxy.host}/next`);
    expect(seen).toMatchObject([
      { method: 'PUT', url: '/v2/a/blobs/uploads/1?digest=sha256:0', host: proxy.host, body: 'content' },
    ]);
  });

  it('counts the bytes of heads and bodies each way', async () => {
    await send('PUT', '/v2/a/manifests/latest', 'x'.repeat(1000));
    const { up, down } = proxy.take();
    const head = headBytes('PUT /v2/a/manifests/latest HTTP/1.1', seen[0]!.raw);
    // The client's own head has a `connection` line, which the proxy does not hand on as it came.
    expect(up - 1000).toBeGreaterThanOrEqual(head - 30);
    expect(up - 1000).toBeLessThanOrEqual(head + 30);
    expect(down).toBeGreaterThan(5 + 'HTTP/1.1 201 Created'.length);
    expect(down).toBeLessThan(400);
  });

  it('counts requests by kind, and from nothing after each take', async () => {
    await send('HEAD', '/v2/a/b/blobs/sha256:0');
    await send('GET', '/v2/a/manifests/latest');
    await send('GET', '/v2/a/manifests/latest');
    expect(proxy.take()).toMatchObject({ requests: 3, kinds: { 'HEAD blobs': 1, 'GET manifests': 2 } });
    expect(proxy.take()).toMatchObject({ up: 0, down: 0, requests: 0, connections: 0, kinds: {} });
  });

  it('lets bodies wait for the rate, in both directions, and answers for the round trip', async () => {
    const waited: number[] = [];
    for (const link of [network.up, network.down])
      Object.assign(link, {
        rate: 1000,
        pass: async (bytes: number) => void waited.push(bytes),
      });
    await send('PUT', '/v2/a/manifests/latest', 'x'.repeat(700));
    expect(waited).toEqual([700, 5]);
  });

  it('breaks the connection when the server is gone', async () => {
    upstream.closeAllConnections();
    await new Promise((resolve) => upstream.close(resolve));
    await expect(send('GET', '/v2/')).rejects.toThrow();
  });
});

it('measures a head as it is written', () => {
  const written = 'GET / HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n';
  expect(headBytes('GET / HTTP/1.1', ['Host', 'a', 'Accept', '*/*'])).toBe(written.length);
});

it.each([
  [registryKind, 'GET', '/v2/org/app/manifests/sha256:0', 'GET manifests'],
  [registryKind, 'POST', '/v2/org/app/blobs/uploads/', 'POST uploads'],
  [registryKind, 'PATCH', '/v2/org/blobs/blobs/uploads/7', 'PATCH uploads'],
  [registryKind, 'HEAD', '/v2/org/app/blobs/sha256:0', 'HEAD blobs'],
  [registryKind, 'GET', '/v2/org/app/tags/list', 'GET tags'],
  [registryKind, 'GET', '/v2/', 'GET other'],
  [
    cacheKind,
    'POST',
    '/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry',
    'CreateCacheEntry',
  ],
  [cacheKind, 'PUT', '/blob/1', 'PUT blob'],
  [moduleKind, 'GET', '/golang.org/x/sync/@v/v0.1.0.zip', 'GET .zip'],
])('knows the kind of a request', (kindOf, method, path, kind) => {
  expect(kindOf(method, path)).toBe(kind);
});
