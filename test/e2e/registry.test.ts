import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { digestOf, type TarMember } from '../../shared/content/index.ts';
import {
  copyImage,
  decompress,
  describe as descriptorOf,
  formatReference,
  MediaType,
  openLayout,
  type Reference,
  registrySource,
  registryTarget,
  resolveImage,
  writeLayer,
} from '../../shared/oci/index.ts';
import { account, crane, describeWith, freshRegistry, registry, skopeo } from '../lab/index.ts';
import { startProxy } from './registry/proxy.ts';
import {
  bytesOf,
  chunked,
  clientOf,
  freshName,
  loginAs,
  MIB,
  noise,
  push,
  sampleImage,
  sizeAndDigestOf,
} from './registry/sample.ts';
import { startTokenServer } from './registry/token-server.ts';

const [registryPart, cranePart, skopeoPart] = [await registry(), crane(), skopeo()];

function run(program: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw error ?? new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

const blobOf = (bytes: Buffer) => ({ digest: digestOf(bytes), size: bytes.length });
const at = (reference: Reference, tag: string) => ({ ...reference, tag });

describeWith('a registry', { registry: registryPart }, ({ registry: { host } }) => {
  it('takes an image and gives it back', async () => {
    await using client = clientOf();
    const name = freshName(host);
    const sample = sampleImage();
    const stored = await push(registryTarget(client, name), sample, ['v1', 'latest']);
    expect(await client.tags(name)).toEqual(['latest', 'v1']);
    expect(await client.head(at(name, 'latest'))).toEqual(stored);
    expect(await client.head(at(name, 'v2'))).toBeUndefined();
    const found = await resolveImage(client, at(name, 'v1'), { os: 'linux', architecture: 'amd64' });
    expect(found.root).toEqual(stored);
    expect((await bytesOf(found.source.blob(found.manifest.layers[0]!))).equals(sample.layer)).toBe(true);
  });

  it('counts what moved', async () => {
    await using client = clientOf();
    const sample = sampleImage(noise(300_000));
    await push(registryTarget(client, freshName(host)), sample, ['v1']);
    const { requests, bytesSent, bytesReceived } = client.traffic();
    expect(bytesSent).toBe(sample.layer.length + sample.config.length + sample.manifest.length);
    expect(bytesReceived).toBe(0);
    // For each of two blobs: is it there, where to, the bytes. Then the manifest.
    expect(requests).toBe(7);
  });

  it('is not sent what it has', async () => {
    await using first = clientOf();
    const name = freshName(host);
    const sample = sampleImage();
    await push(registryTarget(first, name), sample, ['v1']);
    await using again = clientOf();
    await push(registryTarget(again, name), sample, ['v2']);
    expect(again.traffic().bytesSent).toBe(sample.manifest.length);
  });

  it('mounts from another repository without moving bytes', async () => {
    await using client = clientOf();
    const [from, to] = [freshName(host, 'base'), freshName(host)];
    const sample = sampleImage(noise(MIB));
    await push(registryTarget(client, from), sample, ['v1']);
    const before = client.traffic();
    const how: string[] = [];
    await copyImage(registrySource(client, from), 'v1', registryTarget(client, to), {
      tags: ['copy'],
      onBlob: (_, one) => how.push(one),
    });
    expect(how).toEqual(['mounted', 'mounted']);
    expect(client.traffic().bytesSent - before.bytesSent).toBe(sample.manifest.length);
  });

  it('goes on with the upload that it opens when it cannot mount', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(1000);
    const target = registryTarget(client, name);
    const other = { registry: proxy.host, repository: 'not/there' };
    expect(await target.mount(descriptorOf(bytes, MediaType.ociLayer), other)).toBe(false);
    await target.put(blobOf(bytes), () => chunked(bytes));
    expect(proxy.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
    expect(await target.has(blobOf(bytes))).toBe(true);
  });

  it('takes an index of several platforms, from which one is found', async () => {
    await using client = clientOf();
    const name = freshName(host);
    const target = registryTarget(client, name);
    const members = await Promise.all(
      ['amd64', 'arm64'].map(async (architecture) => ({
        ...(await push(target, sampleImage(noise(1000), architecture), [])),
        platform: { os: 'linux', architecture },
      })),
    );
    const index = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: members }),
    );
    await target.putManifest(index, MediaType.ociIndex, ['multi']);
    const found = await resolveImage(client, at(name, 'multi'), { os: 'linux', architecture: 'arm64' });
    expect(found.descriptor.digest).toBe(members[1]!.digest);
    expect(found.config.architecture).toBe('arm64');
  });

  it('lists tags over many pages', async () => {
    await using client = clientOf();
    const name = freshName(host);
    const tags = Array.from({ length: 25 }, (_, i) => `t${String(i).padStart(2, '0')}`);
    await push(registryTarget(client, name), sampleImage(noise(10)), tags);
    await using proxy = await startProxy(host);
    proxy.rewrite = (path) => path.replace('n=1000', 'n=10');
    expect(await client.tags({ ...name, registry: proxy.host })).toEqual(tags);
    expect(proxy.seen).toHaveLength(3);
  });

  it('lists what refers to an image, with the tag that stands in for the API', async () => {
    await using client = clientOf();
    const name = freshName(host);
    const target = registryTarget(client, name);
    const subject = await push(target, sampleImage(), ['v1']);
    const empty = Buffer.from('{}');
    await target.put(blobOf(empty), () => chunked(empty));
    const artifact = (artifactType: string) =>
      Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaType.ociManifest,
          artifactType,
          config: descriptorOf(empty, 'application/vnd.oci.empty.v1+json'),
          layers: [descriptorOf(empty, 'application/vnd.oci.empty.v1+json')],
          subject,
        }),
      );
    const sbom = await target.putManifest(
      artifact('application/vnd.cyclonedx+json'),
      MediaType.ociManifest,
      [],
    );
    await target.putManifest(artifact('application/vnd.other'), MediaType.ociManifest, []);
    expect(await client.referrers(name, subject.digest)).toHaveLength(2);
    const found = await client.referrers(name, subject.digest, 'application/vnd.cyclonedx+json');
    expect(found.map(({ digest }) => digest)).toEqual([sbom.digest]);
  });

  it('leaves the list of what refers to an image to a registry that keeps one, and reads all its pages', async () => {
    await using client = clientOf();
    await using proxy = await startProxy(host);
    const name = { ...freshName(host), registry: proxy.host };
    const subject = { mediaType: MediaType.ociManifest, digest: digestOf('image'), size: 5 };
    const empty = descriptorOf(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
    const artifact = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      artifactType: 'a/b',
      config: empty,
      layers: [empty],
      subject,
    };
    const bytes = Buffer.from(JSON.stringify(artifact));
    const one = { ...descriptorOf(bytes, MediaType.ociManifest), artifactType: 'a/b' };
    const other = { ...one, digest: digestOf('other'), artifactType: 'c/d' };
    const page = (manifests: readonly unknown[], headers: Record<string, string> = {}) => ({
      kind: 'answer' as const,
      status: 200,
      headers,
      body: JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }),
    });
    const list = `/v2/${name.repository}/referrers/${subject.digest}`;
    proxy.rules = [
      {
        method: /PUT/,
        path: /./,
        fault: { kind: 'answer', status: 201, headers: { 'oci-subject': subject.digest } },
      },
      { method: /GET/, path: /last=/, fault: page([other]) },
      { method: /GET/, path: /referrers/, fault: page([one], { link: `<${list}?last=1>; rel="next"` }) },
    ];
    await client.putManifest({ ...name, digest: one.digest }, bytes, MediaType.ociManifest);
    expect(proxy.seen.filter(({ path }) => path.includes('/manifests/sha256-'))).toEqual([]);
    expect(await client.referrers(name, subject.digest)).toEqual([one, other]);
    expect(await client.referrers(name, subject.digest, 'c/d')).toEqual([other]);
  });

  it.each([0, 1, 3 * MIB, 5 * MIB])(
    'takes a stream of %i bytes whose digest nobody knows before',
    async (size) => {
      await using client = clientOf();
      const name = freshName(host);
      const bytes = noise(size);
      const stored = await client.stream(name, chunked(bytes));
      expect(stored).toEqual(blobOf(bytes));
      expect((await bytesOf(client.blob(name, stored))).equals(bytes)).toBe(true);
      // The second time it is there already.
      const before = client.traffic().bytesSent;
      await client.stream(name, chunked(bytes));
      expect(client.traffic().bytesSent).toBe(before);
    },
  );

  it('takes a stream of 200 MB while it is made, in flat memory', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const block = noise(MIB);
    let most = 0;
    async function* endless() {
      for (let i = 0; i < 200; i++) {
        most = Math.max(most, process.memoryUsage().arrayBuffers);
        block.writeUInt32LE(i);
        yield Buffer.from(block);
      }
    }
    const before = process.memoryUsage().arrayBuffers;
    const stored = await client.stream(name, endless());
    expect(stored.size).toBe(200 * MIB);
    expect(most - before).toBeLessThan(150 * MIB);
    expect(proxy.seen.map(({ method }) => method)).toEqual(['POST', 'PATCH', 'PUT']);
    expect(await client.has(name, stored)).toBe(true);
    expect((await sizeAndDigestOf(client.blob(name, stored))).digest).toBe(stored.digest);
  });

  it('gets the copy of a stream when it refuses the stream', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const hash = createHash('sha256');
    async function* content() {
      for (let i = 0; i < 80; i++) {
        const block = noise(MIB);
        hash.update(block);
        if (i > 64) await new Promise((resolve) => setTimeout(resolve, 5));
        yield block;
      }
    }
    proxy.rules = [{ method: /PATCH/, path: /uploads/, fault: { kind: 'answer', status: 416 } }];
    const stored = await client.stream(name, content());
    expect(stored).toEqual({ size: 80 * MIB, digest: `sha256:${hash.digest('hex')}` });
    expect((await sizeAndDigestOf(client.blob(name, stored))).digest).toBe(stored.digest);
  });

  it('gets the rest of a stream that broke, from the copy', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const block = noise(MIB);
    async function* content() {
      for (let i = 0; i < 100; i++) {
        block.writeUInt32LE(i);
        yield Buffer.from(block);
      }
    }
    proxy.rules = [
      { method: /PATCH/, path: /uploads/, fault: { kind: 'cut-request', after: 30 * MIB }, times: 1 },
    ];
    const stored = await client.stream(name, content());
    expect(stored.size).toBe(100 * MIB);
    expect((await sizeAndDigestOf(client.blob(name, stored))).digest).toBe(stored.digest);
    const left = await readdir(tmpdir());
    expect(left.filter((file) => file.startsWith(`slipway-${process.pid}-`))).toEqual([]);
  });
});

describeWith('a registry on a bad day', { registry: registryPart }, ({ registry: { host } }) => {
  it('gets the rest of an upload that broke, and not all of it again', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(40 * MIB);
    proxy.rules = [
      { method: /PUT/, path: /uploads/, fault: { kind: 'cut-request', after: 25 * MIB }, times: 1 },
    ];
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    expect(await sizeAndDigestOf(client.blob(name, blobOf(bytes)))).toEqual(blobOf(bytes));
    const methods = proxy.seen.map(({ method }) => method);
    expect(methods.slice(0, 6)).toEqual(['POST', 'PUT', 'HEAD', 'GET', 'PATCH', 'PUT']);
    const resumed = proxy.seen.find(({ method }) => method === 'PATCH');
    expect(resumed?.headers['content-range']).toMatch(/^\d{8,}-41943039$/);
    expect(resumed!.bytes).toBeLessThan(20 * MIB);
    expect(client.logged.join()).toContain('the connection broke');
  });

  it('gets a blob in chunks when a proxy refuses large bodies', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(40 * MIB);
    proxy.rules = [{ method: /PUT/, path: /uploads/, fault: { kind: 'answer', status: 413 }, times: 1 }];
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    expect(await sizeAndDigestOf(client.blob(name, blobOf(bytes)))).toEqual(blobOf(bytes));
    const patches = proxy.seen.filter(({ method }) => method === 'PATCH');
    expect(patches.map((one) => one.bytes)).toEqual([16 * MIB, 16 * MIB, 8 * MIB]);
  });

  it('may have taken a blob although its answer was lost', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(1000);
    await client.put({ ...name, registry: host }, blobOf(bytes), () => chunked(bytes));
    proxy.rules = [{ method: /PUT/, path: /uploads/, fault: { kind: 'answer', status: 502 }, times: 1 }];
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    expect(proxy.seen.filter(({ method }) => method === 'PUT')).toHaveLength(1);
  });

  it('begins anew when the registry forgot the upload', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(1000);
    proxy.rules = [{ method: /PUT/, path: /uploads/, fault: { kind: 'answer', status: 404 }, times: 2 }];
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    expect(proxy.seen.filter(({ method }) => method === 'POST')).toHaveLength(3);
  });

  it('is asked for the rest of a blob whose download broke', async () => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const bytes = noise(3 * MIB);
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    proxy.rules = [{ method: /GET/, path: /blobs/, fault: { kind: 'cut-answer', after: MIB }, times: 2 }];
    expect((await bytesOf(client.blob(name, blobOf(bytes)))).equals(bytes)).toBe(true);
    const ranges = proxy.seen
      .filter(({ method, path }) => method === 'GET' && path.includes('/blobs/sha256'))
      .map(({ headers }) => headers.range);
    expect(ranges).toHaveLength(3);
    expect(ranges[0]).toBeUndefined();
    expect(Number(/^bytes=(\d+)-$/.exec(ranges[1]!)![1])).toBeGreaterThan(0);
    expect(client.traffic().bytesReceived).toBe(bytes.length);
  });

  it('may not know ranges: then what is there already is passed over', async () => {
    await using client = clientOf();
    const bytes = noise(2 * MIB);
    let count = 0;
    const server = http.createServer((_, response) => {
      count += 1;
      response.writeHead(200, { 'content-length': String(bytes.length) });
      if (count === 1)
        response.write(bytes.subarray(0, 700_000), () => setTimeout(() => response.destroy(), 20));
      else response.end(bytes);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const name = freshName(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect((await bytesOf(client.blob(name, blobOf(bytes)))).equals(bytes)).toBe(true);
    expect(count).toBe(2);
    server.close();
  });

  it.each([500, 502, 503, 504, 429, 408])('that answers %i once is asked again', async (status) => {
    await using proxy = await startProxy(host);
    await using client = clientOf();
    const name = freshName(proxy.host);
    const fault = {
      kind: 'answer',
      status,
      body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}',
    } as const;
    proxy.rules = ['HEAD', 'POST', 'PUT', 'GET'].flatMap((method) =>
      [/blobs/, /manifests/].map((path) => ({ method: new RegExp(method), path, fault, times: 1 })),
    );
    const sample = sampleImage();
    await push(registryTarget(client, name), sample, ['v1']);
    const found = await resolveImage(client, at(name, 'v1'), { os: 'linux', architecture: 'amd64' });
    expect((await bytesOf(found.source.blob(found.manifest.layers[0]!))).equals(sample.layer)).toBe(true);
    expect(client.logged.length).toBeGreaterThanOrEqual(5);
  });

  it('is given the time that it asks for', async () => {
    await using proxy = await startProxy(host);
    const waits: number[] = [];
    await using client = clientOf({
      retries: { attempts: 4, first: 5, longest: 20, total: 60_000 },
      clock: {
        now: () => performance.now(),
        random: () => 1,
        sleep: async (milliseconds) => void waits.push(milliseconds),
      },
    });
    proxy.rules = [
      {
        method: /HEAD/,
        path: /blobs/,
        fault: { kind: 'answer', status: 429, headers: { 'retry-after': '7' } },
        times: 1,
      },
    ];
    await client.has(freshName(proxy.host), blobOf(noise(1)));
    expect(waits).toEqual([7_000]);
  });

  it('redirects to storage, which is not shown the login', async () => {
    const bytes = noise(100_000);
    const seen: http.IncomingHttpHeaders[] = [];
    const storage = http.createServer((request, response) => {
      seen.push(request.headers);
      response.end(bytes);
    });
    await new Promise<void>((resolve) => storage.listen(0, '127.0.0.1', resolve));
    const location = `http://127.0.0.1:${(storage.address() as AddressInfo).port}/signed?key=1`;
    await using guard = await startTokenServer(host, { username: 'me', password: 'secret' });
    await using proxy = await startProxy(guard.host);
    await using client = clientOf({
      credentials: loginAs({ kind: 'password', username: 'me', password: 'secret' }),
    });
    const name = freshName(proxy.host);
    // The first request is to be refused, so that there is a login to be leaked.
    await client.has(name, blobOf(bytes));
    proxy.rules = [
      { method: /GET/, path: /blobs\/sha256/, fault: { kind: 'answer', status: 307, headers: { location } } },
    ];
    expect((await bytesOf(client.blob(name, blobOf(bytes)))).equals(bytes)).toBe(true);
    expect(proxy.seen.at(-1)!.headers.authorization).toMatch(/^Bearer /);
    expect(seen).toHaveLength(1);
    expect(seen[0]!.authorization).toBeUndefined();
    storage.close();
  });

  it('redirects an upload to another host, which is not shown the login', async () => {
    await using guard = await startTokenServer(host, { username: 'me', password: 'secret' });
    await using proxy = await startProxy(guard.host);
    await using storage = await startProxy(host);
    await using client = clientOf({
      credentials: loginAs({ kind: 'password', username: 'me', password: 'secret' }),
    });
    const name = freshName(proxy.host);
    const bytes = noise(1000);
    const location = `http://${storage.host}/v2/${name.repository}/blobs/uploads/`;
    await client.has(name, blobOf(bytes));
    proxy.rules = [
      { method: /POST/, path: /uploads/, fault: { kind: 'answer', status: 307, headers: { location } } },
    ];
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    expect(await client.has(name, blobOf(bytes))).toBe(true);
    expect(storage.seen.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['POST', undefined],
      ['PUT', undefined],
    ]);
  });

  it('may call its manifests plain JSON', async () => {
    const { manifest } = sampleImage();
    const server = http.createServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' });
      response.end(manifest);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    await using client = clientOf();
    const name = freshName(`127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect((await client.manifest(at(name, 'v1'))).descriptor).toEqual(
      descriptorOf(manifest, MediaType.ociManifest),
    );
    server.close();
  });

  it('is reached through a tunnel of the proxy with TLS', async () => {
    const asked: string[] = [];
    const proxy = http.createServer();
    proxy.on('connect', (request, socket) => {
      asked.push(request.url ?? '');
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const env = { https_proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    await using client = clientOf({ env });
    await expect(client.head(at(freshName('registry.invalid'), 'v1'))).rejects.toThrow(
      'the registry registry.invalid was not reached, the proxy refused the connection.',
    );
    expect(asked[0]).toBe('registry.invalid:443');
    proxy.close();
  });

  it('is reached through the proxy of the environment', async () => {
    // To a host that is not this machine by name; the proxy sends it where it is.
    const asked: string[] = [];
    const proxy = http.createServer((request, response) => {
      asked.push(request.url ?? '');
      const { pathname, search } = new URL(request.url ?? '');
      const [address, port] = host.split(':');
      const onward = http.request(
        {
          host: address,
          port,
          path: `${pathname}${search}`,
          method: request.method,
          headers: { ...request.headers, host },
        },
        (answer) => {
          response.writeHead(answer.statusCode!, answer.headers);
          answer.pipe(response);
        },
      );
      request.pipe(onward);
    });
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
    const env = { HTTP_PROXY: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
    await using client = clientOf({ env, insecure: ['registry.invalid'] });
    await using direct = clientOf();
    const name = freshName(host);
    const sample = sampleImage();
    const stored = await push(registryTarget(direct, name), sample, ['v1']);
    const through = { ...name, registry: 'registry.invalid' };
    expect(await client.head(at(through, 'v1'))).toEqual(stored);
    expect(asked[0]).toMatch(/^http:\/\/registry\.invalid\/v2\//);
    await using not = clientOf({
      env: { ...env, NO_PROXY: 'registry.invalid' },
      insecure: ['registry.invalid'],
    });
    await expect(not.head(at(through, 'v1'))).rejects.toThrow('there is no such host');
    proxy.close();
  });
});

describeWith('the limit on what is under way', { registry: registryPart }, ({ registry: { host } }) => {
  it('holds for all that goes to one registry', async () => {
    const bytes = noise(10_000);
    let now = 0;
    let most = 0;
    const server = http.createServer((_, response) => {
      now += 1;
      most = Math.max(most, now);
      setTimeout(() => {
        now -= 1;
        response.end(bytes);
      }, 20);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await using client = clientOf({ parallel: 3 });
    await Promise.all(
      Array.from({ length: 20 }, () => bytesOf(client.blob(freshName(address), blobOf(bytes)))),
    );
    expect(most).toBe(3);
    server.close();
  });

  it('does not stop a copy within one registry that cannot mount', async () => {
    await using proxy = await startProxy(host);
    proxy.rewrite = (path) => path.replace(/mount=[^&]+&from=[^&]+/, '');
    await using client = clientOf({ parallel: 1 });
    const [from, to] = [freshName(proxy.host, 'base'), freshName(proxy.host)];
    await push(registryTarget(client, from), sampleImage(noise(3 * MIB)), ['v1']);
    const how: string[] = [];
    await copyImage(registrySource(client, from), 'v1', registryTarget(client, to), {
      tags: ['v1'],
      onBlob: (_, one) => how.push(one),
    });
    expect(how).toEqual(['copied', 'copied']);
  });

  it('gives back its places when readers stop early', async () => {
    await using client = clientOf({ parallel: 1 });
    const name = freshName(host);
    const bytes = noise(5 * MIB);
    await client.put(name, blobOf(bytes), () => chunked(bytes));
    for (let i = 0; i < 3; i++) for await (const _ of client.blob(name, blobOf(bytes))) break;
    expect((await bytesOf(client.blob(name, blobOf(bytes)))).equals(bytes)).toBe(true);
  });
});

describeWith('a registry with tokens', { registry: registryPart }, ({ registry: { host } }) => {
  const login = { kind: 'password', username: 'me', password: 'secret' } as const;

  it('gives one token for each set of scopes, however much is under way', async () => {
    await using guard = await startTokenServer(host, login);
    await using client = clientOf({ credentials: loginAs(login) });
    const name = freshName(guard.host);
    const target = registryTarget(client, name);
    await Promise.all(Array.from({ length: 8 }, () => push(target, sampleImage(), [])));
    const { repository } = name;
    expect(new Set(guard.grants.flat())).toEqual(new Set([`repository:${repository}:pull,push`]));
    // The first requests all go without a token and are refused side by side.
    expect(guard.grants).toHaveLength(1);
    await push(target, sampleImage(), ['v1']);
    expect(guard.grants).toHaveLength(1);
    expect(client.secrets.length).toBeGreaterThan(0);
  });

  it('is asked for both repositories to mount', async () => {
    await using guard = await startTokenServer(host, login);
    await using client = clientOf({ credentials: loginAs(login) });
    const [from, to] = [freshName(guard.host, 'base'), freshName(guard.host)];
    const sample = sampleImage();
    await push(registryTarget(client, from), sample, ['v1']);
    const target = registryTarget(client, to);
    expect(await target.mount(descriptorOf(sample.layer, MediaType.ociLayer), from)).toBe(true);
    expect(guard.grants.at(-1)).toEqual([
      `repository:${to.repository}:pull,push`,
      `repository:${from.repository}:pull`,
    ]);
  });

  it('is asked for a new token when one has lost its worth', async () => {
    await using guard = await startTokenServer(host, login);
    await using client = clientOf({ credentials: loginAs(login) });
    const name = freshName(guard.host);
    await push(registryTarget(client, name), sampleImage(), ['v1']);
    guard.revoke();
    await push(registryTarget(client, name), sampleImage(), ['v2']);
    expect(await client.tags(name)).toEqual(['v1', 'v2']);
  });

  it('is asked before a token runs out', async () => {
    await using guard = await startTokenServer(host, { ...login, life: 11 });
    let now = 0;
    await using client = clientOf({
      credentials: loginAs(login),
      clock: { now: () => now, random: () => 1, sleep: async () => {} },
    });
    const name = freshName(guard.host);
    await client.has(name, blobOf(noise(1)));
    await client.has(name, blobOf(noise(1)));
    expect(guard.grants).toHaveLength(1);
    now = 2_000;
    await client.has(name, blobOf(noise(1)));
    expect(guard.grants).toHaveLength(2);
  });

  it('takes an identity token', async () => {
    await using guard = await startTokenServer(host, {
      identity: 'refresh-me',
      username: 'x',
      password: 'y',
    });
    await using client = clientOf({ credentials: loginAs({ kind: 'identity', token: 'refresh-me' }) });
    await push(registryTarget(client, freshName(guard.host)), sampleImage(), ['v1']);
    expect(guard.refused.count).toBe(0);
  });

  it('takes a bearer token as it is', async () => {
    await using guard = await startTokenServer(host, login);
    const url = await fetch(`http://${guard.host}/v2/a/b/manifests/x`);
    const realm = /realm="([^"]+)"/.exec(url.headers.get('www-authenticate')!)![1];
    const name = freshName(guard.host);
    const answer = await fetch(`${realm}?scope=repository:${name.repository}:pull,push`, {
      headers: { authorization: `Basic ${Buffer.from('me:secret').toString('base64')}` },
    });
    const { token } = (await answer.json()) as { token: string };
    await using client = clientOf({ credentials: loginAs({ kind: 'bearer', token }) });
    await push(registryTarget(client, name), sampleImage(), ['v1']);
    expect(await client.tags(name)).toEqual(['v1']);
  });

  it('is reached with a password where it wants Basic', async () => {
    await using guarded = await freshRegistry({ account: true });
    const password = { kind: 'password', username: account.user, password: account.password } as const;
    await using client = clientOf({ credentials: loginAs(password) });
    const name = freshName(guarded.host);
    await push(registryTarget(client, name), sampleImage(), ['v1']);
    expect(await client.tags(name)).toEqual(['v1']);
  });
});

describeWith(
  'independent clients',
  { registry: registryPart, crane: cranePart, skopeo: skopeoPart },
  ({ registry: { host }, crane: craneTool, skopeo: skopeoTool }) => {
    const layerMembers = (): TarMember[] =>
      Array.from({ length: 20 }, (_, i) => {
        const bytes = noise(200_000);
        const name = `folder/file-${i}`;
        const entry = {
          name,
          type: 'file',
          mode: 0o644,
          uid: 0,
          gid: 0,
          size: bytes.length,
          mtime: 0,
        } as const;
        return { entry, content: () => chunked(bytes) };
      });

    async function pushLayers(name: Reference, compression: 'gzip' | 'zstd' | 'none') {
      await using client = clientOf();
      const target = registryTarget(client, name);
      const layer = await writeLayer(layerMembers(), { compression, target });
      const config = Buffer.from(
        JSON.stringify({
          architecture: 'amd64',
          os: 'linux',
          config: {},
          rootfs: { type: 'layers', diff_ids: [layer.diffId] },
        }),
      );
      await target.put(blobOf(config), () => chunked(config));
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MediaType.ociManifest,
          config: descriptorOf(config, MediaType.ociConfig),
          layers: [layer.descriptor],
        }),
      );
      return await target.putManifest(manifest, MediaType.ociManifest, ['v1']);
    }

    it.each(['gzip', 'zstd', 'none'] as const)('accept what we push with %s', async (compression) => {
      const name = freshName(host);
      const stored = await pushLayers(name, compression);
      const reference = formatReference(at(name, 'v1'));
      expect(run(craneTool.program, 'digest', reference)).toBe(stored.digest);
      // crane's validation knows gzip alone.
      if (compression === 'gzip')
        expect(run(craneTool.program, 'validate', '--remote', reference)).toContain('PASS');
      const inspected = JSON.parse(
        run(skopeoTool.program, 'inspect', '--tls-verify=false', `docker://${reference}`),
      );
      expect(inspected.Layers).toHaveLength(1);
    });

    it('accept our layouts', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
      try {
        const name = freshName(host);
        const stored = await pushLayers(name, 'gzip');
        await using client = clientOf();
        const layout = await openLayout(directory);
        await copyImage(registrySource(client, name), 'v1', layout, { tags: ['v1'] });
        const inspected = JSON.parse(run(skopeoTool.program, 'inspect', `oci:${directory}:v1`));
        expect(inspected.Digest).toBe(stored.digest);
        const copy = formatReference(at(freshName(host), 'again'));
        run(
          skopeoTool.program,
          'copy',
          '--dest-tls-verify=false',
          '--preserve-digests',
          `oci:${directory}:v1`,
          `docker://${copy}`,
        );
        expect(run(craneTool.program, 'digest', copy)).toBe(stored.digest);
        const pushed = formatReference(at(freshName(host), 'crane'));
        run(craneTool.program, 'push', '--index', directory, pushed);
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });

    it('are read by us: what crane pushed, and what skopeo wrote', async () => {
      const directory = await mkdtemp(join(tmpdir(), 'slipway-e2e-'));
      try {
        const name = freshName(host);
        const tar = join(directory, 'layer.tar');
        run('tar', '-cf', tar, '-C', import.meta.dirname, '.');
        const reference = formatReference(at(name, 'crane'));
        const base = freshName(host, 'base');
        await pushLayers(base, 'gzip');
        await using client = clientOf();
        run(craneTool.program, 'append', '-b', formatReference(at(base, 'v1')), '-f', tar, '-t', reference);
        const found = await resolveImage(client, reference, { os: 'linux', architecture: 'amd64' });
        const layer = found.manifest.layers.at(-1)!;
        const { digest } = await sizeAndDigestOf(decompress(found.source.blob(layer)));
        expect(digest).toBe(found.config.rootfs.diff_ids.at(-1));
        const layoutPath = join(directory, 'layout');
        run(
          skopeoTool.program,
          'copy',
          '--src-tls-verify=false',
          `docker://${reference}`,
          `oci:${layoutPath}:skopeo`,
        );
        const layout = await openLayout(layoutPath);
        const back = freshName(host);
        await copyImage(layout, 'skopeo', registryTarget(client, back), { tags: ['back'] });
        expect(run(craneTool.program, 'validate', '--remote', formatReference(at(back, 'back')))).toContain(
          'PASS',
        );
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    });
  },
);
