import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { digestOf, type TarEntry } from '../../shared/content/index.ts';
import { Failure } from '../../shared/host/index.ts';
import {
  copyImage,
  dockerCredentials,
  MediaType,
  openLayout,
  parsePlatform,
  parseReference,
  type Reference,
  readLayer,
  registrySource,
  registryTarget,
  resolveImage,
  writeLayer,
} from '../../shared/oci/index.ts';
import { account, describeWith, freshRegistry, registry } from '../lab/index.ts';
import { type Fault, startProxy } from './registry/proxy.ts';
import { chunked, clientOf, freshName, loginAs, MIB, noise, push, sampleImage } from './registry/sample.ts';
import { startTokenServer } from './registry/token-server.ts';

const registryPart = await registry();
const AMD64 = { os: 'linux', architecture: 'amd64' };
const never = { registry: '127.0.0.1:1', repository: 'a/b' };

/** What a case works with; `work` is a folder of its own. */
interface Stage {
  readonly host: string;
  readonly work: string;
}

interface Case {
  readonly title: string;
  readonly says: string | RegExp;
  readonly run: (stage: Stage) => Promise<unknown>;
  /** Why it cannot run on this machine. */
  readonly needs?: string | undefined;
}

const blobOf = (bytes: Buffer) => ({ digest: digestOf(bytes), size: bytes.length });

/** Pushes an image through a faulty line, and makes sure that no tag came of it. */
async function pushThrough(
  { host }: Stage,
  method: RegExp,
  path: RegExp,
  fault: Fault,
  options: Parameters<typeof clientOf>[0] = {},
): Promise<void> {
  await using proxy = await startProxy(host, [{ method, path, fault }]);
  await using client = clientOf(options);
  await using direct = clientOf();
  const name = freshName(proxy.host);
  try {
    await push(registryTarget(client, name), sampleImage(noise(2 * MIB)), ['v1', 'latest']);
  } finally {
    expect(await direct.tags({ ...name, registry: host })).toEqual([]);
  }
}

/** Pulls a good image through a faulty line into a layout, and makes sure that the layout has no image after it. */
async function pullThrough({ host, work }: Stage, path: RegExp, fault: Fault): Promise<void> {
  await using direct = clientOf();
  const name = freshName(host);
  await push(registryTarget(direct, name), sampleImage(noise(2 * MIB)), ['v1']);
  await using proxy = await startProxy(host, [{ method: /GET/, path, fault }]);
  await using client = clientOf();
  await intoLayout(work, async (layout) => {
    await copyImage(registrySource(client, { ...name, registry: proxy.host }), 'v1', layout, {
      tags: ['v1'],
    });
  });
}

/** Every blob that a layout has must be what its name says, whatever went wrong, and no tag must be there. */
async function intoLayout(
  work: string,
  fill: (layout: Awaited<ReturnType<typeof openLayout>>) => Promise<void>,
) {
  const directory = join(work, 'layout');
  const layout = await openLayout(directory, 'the layout');
  try {
    await fill(layout);
  } finally {
    expect(await layout.tags()).toEqual([]);
    const blobs = join(directory, 'blobs', 'sha256');
    for (const file of await readdir(blobs))
      expect(digestOf(await readFile(join(blobs, file)))).toBe(`sha256:${file}`);
  }
}

/** A server that answers everything alike, for what a real registry never says. */
async function answering(status: number, headers: Record<string, string>, body: string | Buffer = '') {
  const server = http.createServer((_, response) => {
    response.writeHead(status, headers);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function resolveAt(host: string, options: Parameters<typeof clientOf>[0] = {}): Promise<unknown> {
  await using client = clientOf(options);
  return await resolveImage(client, `${host}/shop/app:v1`, AMD64);
}

/** A login file of this content, and a question for ghcr.io. */
async function ask(work: string, content: string): Promise<unknown> {
  await writeFile(join(work, 'config.json'), content);
  const credentials = dockerCredentials({
    secret: () => {},
    env: { DOCKER_CONFIG: work, PATH: process.env.PATH },
    home: work,
  });
  return await credentials.login(parseReference('ghcr.io/shop/app'));
}

const openssl = spawnSync('openssl', ['version']).status === 0 ? undefined : 'the openssl program';
const tmpfs = (() => {
  const directory = join(tmpdir(), `slipway-probe-${process.pid}`);
  spawnSync('mkdir', ['-p', directory]);
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status === 0;
  if (mounted) spawnSync('umount', [directory]);
  spawnSync('rmdir', [directory]);
  return mounted ? undefined : 'the right to mount a small file system';
})();

/** A file system of 1 MB, full or soon so. */
async function onSmallDisk<T>(work: string, then: (directory: string) => Promise<T>): Promise<T> {
  const directory = join(work, 'disk');
  await mkdir(directory);
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status).toBe(0);
  try {
    return await then(directory);
  } finally {
    spawnSync('umount', [directory]);
  }
}

/** A registry with TLS whose certificate nobody signed; on the machine's name, for loopback is spoken to without TLS. */
async function selfSigned({ work }: Stage, commonName: string): Promise<unknown> {
  const [key, certificate] = [join(work, 'key.pem'), join(work, 'cert.pem')];
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'],
    ...['-keyout', key, '-out', certificate, '-subj', `/CN=${commonName}`],
  ]);
  expect(made.status).toBe(0);
  const server = https.createServer(
    { key: await readFile(key), cert: await readFile(certificate) },
    (_, response) => {
      response.end();
    },
  );
  await new Promise<void>((resolve) => server.listen(0, resolve));
  try {
    return await resolveAt(`${hostname()}:${(server.address() as AddressInfo).port}`);
  } finally {
    server.close();
  }
}

const json = { 'content-type': MediaType.ociManifest };
const denied = '{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}';
const reference = (text: string) => async () => parseReference(text);

const cases: readonly Case[] = [
  // What was written.
  { title: 'an empty reference', says: 'An image reference is empty', run: reference('') },
  {
    title: 'a URL for a reference',
    says: 'leave out https://, as in ghcr.io/a/b',
    run: reference('https://ghcr.io/a/b'),
  },
  {
    title: 'upper case in a repository',
    says: 'is in lower case, as in ghcr.io/shop/app',
    run: reference('ghcr.io/Shop/App'),
  },
  {
    title: 'a slash in a tag',
    says: 'the tag "a/b" may hold letters',
    run: reference('ghcr.io/shop/app:a/b'),
  },
  { title: 'half a digest', says: '"sha256:12" is no digest', run: reference('app@sha256:12') },
  {
    title: 'a port that is no number',
    says: '"http" is no port of the registry localhost',
    run: reference('localhost:http/app'),
  },
  {
    title: 'an unknown processor',
    says: 'Did you mean "amd64"?',
    run: async () => parsePlatform('linux/amd46'),
  },
  { title: 'an unknown system', says: 'Did you mean "linux"?', run: async () => parsePlatform('linx/amd64') },

  // What cannot be reached.
  {
    title: 'a registry that is not there',
    says: 'the registry 127.0.0.1:1 was not reached, nothing listens there',
    run: () => resolveAt('127.0.0.1:1'),
  },
  {
    title: 'a host that does not exist',
    says: 'the registry nowhere.invalid was not reached, there is no such host',
    run: () => resolveAt('nowhere.invalid'),
  },
  {
    title: 'a registry that does not speak TLS',
    says: 'it does not speak TLS; name it in "insecure-registries" if that is meant',
    run: async () => {
      const server = http.createServer();
      await new Promise<void>((resolve) => server.listen(0, resolve));
      try {
        return await resolveAt(`${hostname()}:${(server.address() as AddressInfo).port}`);
      } finally {
        server.close();
      }
    },
  },
  {
    title: 'a certificate that nobody signed',
    needs: openssl,
    says: 'its certificate is signed by no authority that this machine trusts',
    run: (stage) => selfSigned(stage, hostname()),
  },
  {
    title: 'a server that does not speak HTTP',
    says: 'what answers does not speak HTTP',
    run: async () => {
      const { createServer } = await import('node:net');
      const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        return await resolveAt(`127.0.0.1:${(server.address() as AddressInfo).port}`);
      } finally {
        server.close();
      }
    },
  },
  {
    title: 'a proxy that is not there',
    says: 'nothing listens there',
    run: () =>
      resolveAt('registry.invalid', {
        env: { HTTP_PROXY: 'http://127.0.0.1:1' },
        insecure: ['registry.invalid'],
      }),
  },

  // What is refused.
  {
    title: '401 without a login',
    says: /answered 401, it wants another login .*No login for 127\.0\.0\.1:\d+ was found in the test: run docker login/,
    run: async () => {
      await using guarded = await freshRegistry({ account: true });
      return await resolveAt(guarded.host);
    },
  },
  {
    title: '401 for a wrong password',
    says: 'answered 401, it wants another login',
    run: async () => {
      await using guarded = await freshRegistry({ account: true });
      return await resolveAt(guarded.host, {
        credentials: loginAs({ kind: 'password', username: account.user, password: 'wrong' }),
      });
    },
  },
  {
    title: 'a token server that refuses the login',
    says: /the token server 127\.0\.0\.1:\d+ answered 401, it refuses the login for 127\.0\.0\.1:\d+ from the test \(incorrect username or password\)\.$/,
    run: async ({ host }) => {
      await using guard = await startTokenServer(host, { username: 'me', password: 'right' });
      return await resolveAt(guard.host, {
        credentials: loginAs({ kind: 'password', username: 'me', password: 'wrong' }),
      });
    },
  },
  {
    title: 'a token server that gives nothing without a login',
    says: /gives no token without a login, and none for 127\.0\.0\.1:\d+ was found in the test/,
    run: async ({ host }) => {
      await using guard = await startTokenServer(host, { username: 'me', password: 'right' });
      return await resolveAt(guard.host);
    },
  },
  {
    title: 'a token that allows to pull and not to push',
    says: /^Cannot push .* answered 401, it wants another login \(UNAUTHORIZED, authentication required\)/,
    run: async ({ host }) => {
      await using guard = await startTokenServer(host, { pullOnly: true });
      await using client = clientOf();
      return await client.put(freshName(guard.host), blobOf(noise(10)), () => chunked(noise(10)));
    },
  },
  {
    title: 'a token server that is not protected',
    says: 'which is not protected by TLS',
    run: async () => {
      const { Authorizer } = await import('../../shared/oci/auth.ts');
      const authorizer = new Authorizer({
        registry: 'registry.example',
        base: new URL('https://registry.example'),
        credentials: loginAs({ kind: 'password', username: 'a', password: 'b' }),
        secret: () => {},
        now: () => 0,
        send: async () => {
          throw new Error('the login was sent');
        },
      });
      const headers = { 'www-authenticate': 'Bearer realm="http://evil.example/token"' };
      authorizer.learn({ headers } as never, undefined, []);
      return await authorizer.header(never, [], { registry: 'registry.example', what: 'pull a/b' });
    },
  },
  {
    title: "a token server at the address of the cloud's own secrets",
    says: 'which is an address of this machine alone',
    run: async () => {
      await using server = await answering(401, {
        'www-authenticate': 'Bearer realm="http://169.254.169.254/latest"',
      });
      return await resolveAt(server.host);
    },
  },
  {
    title: 'a token server that answers without a token',
    says: 'answered without a token',
    run: async () => {
      await using tokens = await answering(200, {}, '{}');
      await using server = await answering(401, {
        'www-authenticate': `Bearer realm="http://${tokens.host}/token"`,
      });
      return await resolveAt(server.host);
    },
  },
  {
    title: '403 on push',
    says: 'answered 403, it denies this to the login that was used (DENIED, requested access to the resource is denied)',
    run: (stage) => pushThrough(stage, /POST/, /uploads/, { kind: 'answer', status: 403, body: denied }),
  },
  {
    title: '403 for the manifest alone',
    says: 'answered 403',
    run: (stage) => pushThrough(stage, /PUT/, /manifests/, { kind: 'answer', status: 403, body: denied }),
  },
  { title: '404 for an image', says: 'does not have it.', run: async ({ host }) => resolveAt(host) },
  {
    title: '404 for a tag that is nearly there',
    says: /does not have it\. Did you mean "v1\.2\.3"\?$/,
    run: async ({ host }) => {
      await using client = clientOf();
      const name = freshName(host);
      await push(registryTarget(client, name), sampleImage(), ['v1.2.3']);
      return await resolveImage(client, { ...name, tag: 'v1.2.2' }, AMD64);
    },
  },
  {
    title: '404 for a layer',
    says: 'answered 404, it has no such thing',
    run: (stage) => pullThrough(stage, /blobs/, { kind: 'answer', status: 404 }),
  },
  {
    title: '405 on push',
    says: 'answered 405, it does not support this',
    run: (stage) => pushThrough(stage, /POST/, /uploads/, { kind: 'answer', status: 405 }),
  },
  {
    title: '429 that does not end',
    says: 'answered 429, it gets too many requests from here',
    run: (stage) => pushThrough(stage, /./, /blobs/, { kind: 'answer', status: 429 }),
  },
  {
    title: '429 that asks for an hour',
    says: 'it gets too many requests from here, and asks to wait 3600 s.',
    run: (stage) =>
      pushThrough(stage, /./, /blobs/, { kind: 'answer', status: 429, headers: { 'retry-after': '3600' } }),
  },
  {
    title: '500 that does not end, at a blob',
    says: 'answered 500, it has an error of its own',
    run: (stage) => pushThrough(stage, /PUT/, /uploads/, { kind: 'answer', status: 500 }),
  },
  {
    title: '500 that does not end, at the manifest',
    says: 'answered 500',
    run: (stage) => pushThrough(stage, /PUT/, /manifests/, { kind: 'answer', status: 500 }),
  },
  {
    title: '502 with a page of HTML',
    says: /answered 502, the server behind it does not answer\.$/,
    run: (stage) =>
      pushThrough(stage, /POST/, /uploads/, {
        kind: 'answer',
        status: 502,
        body: '<html><h1>Bad gateway</h1></html>',
      }),
  },
  {
    title: '507',
    says: 'answered 507, its disk is full',
    run: (stage) => pushThrough(stage, /PUT/, /uploads/, { kind: 'answer', status: 507 }),
  },
  {
    title: 'a manifest whose blobs the registry lacks',
    says: /answered 40[04], .*(MANIFEST_BLOB_UNKNOWN|blob unknown)/,
    run: async ({ host }) => {
      await using client = clientOf();
      return await registryTarget(client, freshName(host)).putManifest(
        sampleImage().manifest,
        MediaType.ociManifest,
        ['v1'],
      );
    },
  },

  // What comes damaged.
  {
    title: 'a line that is cut at every upload',
    says: 'the connection broke',
    run: (stage) => pushThrough(stage, /PUT|PATCH/, /uploads/, { kind: 'reset' }),
  },
  {
    title: 'a layer that always ends early',
    says: /gave only \d+ of the \d+ bytes of sha256:/,
    run: (stage) => pullThrough(stage, /blobs/, { kind: 'answer', status: 200, body: 'short' }),
  },
  {
    title: 'a layer with a wrong bit',
    says: /gave sha256:\w+ (where|for the blob) sha256:/,
    run: (stage) => pullThrough(stage, /blobs/, { kind: 'corrupt' }),
  },
  {
    title: 'a layer with a wrong bit that nobody stores',
    says: /gave sha256:\w+ for the blob sha256:/,
    run: async ({ host }) => {
      await using direct = clientOf();
      const name = freshName(host);
      const { layer, ...rest } = sampleImage();
      await push(registryTarget(direct, name), { layer, ...rest }, ['v1']);
      await using proxy = await startProxy(host, [
        { method: /GET/, path: /blobs/, fault: { kind: 'corrupt' } },
      ]);
      await using client = clientOf();
      for await (const _ of client.blob({ ...name, registry: proxy.host }, blobOf(layer)));
    },
  },
  {
    title: 'a layer that is longer than it should be',
    says: /has more than its \d+ bytes/,
    run: (stage) => pullThrough(stage, /blobs/, { kind: 'lengthen' }),
  },
  {
    title: 'a manifest that is cut',
    says: 'the connection broke',
    run: (stage) => pullThrough(stage, /manifests/, { kind: 'cut-answer', after: 50 }),
  },
  {
    title: 'a manifest that is shortened',
    says: /gave sha256:\w+ where sha256:\w+ was asked for/,
    run: (stage) => pullThrough(stage, /manifests/, { kind: 'shorten', to: 50 }),
  },
  {
    title: 'a manifest with a wrong bit',
    says: /gave sha256:\w+ where sha256:\w+ was asked for/,
    run: (stage) => pullThrough(stage, /manifests/, { kind: 'corrupt' }),
  },
  {
    title: 'a manifest that is no JSON',
    says: 'is no JSON object',
    run: async () => {
      await using server = await answering(200, json, 'hello');
      return await resolveAt(server.host);
    },
  },
  {
    title: 'a page of HTML where a manifest belongs',
    says: 'is no JSON object',
    run: async () => {
      await using server = await answering(200, { 'content-type': 'text/html' }, '<html>Sign in</html>');
      return await resolveAt(server.host);
    },
  },
  {
    title: 'a manifest of 5 MB',
    says: 'has more than 4194304 bytes',
    run: async () => {
      await using server = await answering(200, json, Buffer.alloc(5 * MIB, ' '));
      return await resolveAt(server.host);
    },
  },
  {
    title: "an image of Docker's schema 1",
    says: "is an image of Docker's schema 1, which registries gave up",
    run: async () => {
      const type = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
      await using server = await answering(
        200,
        { 'content-type': type },
        '{"schemaVersion":1,"fsLayers":[]}',
      );
      return await resolveAt(server.host);
    },
  },
  {
    title: 'a manifest with a digest of another kind',
    says: 'config has the digest "md5:1"; accepted is sha256.',
    run: async () => {
      const manifest = { schemaVersion: 2, config: { mediaType: 'x', digest: 'md5:1', size: 1 }, layers: [] };
      await using server = await answering(200, json, JSON.stringify(manifest));
      return await resolveAt(server.host);
    },
  },
  {
    title: 'an index without the platform',
    says: /has no image for linux\/amd64; it has linux\/arm64, windows\/amd64\.$/,
    run: async ({ host }) => {
      await using client = clientOf();
      const name = freshName(host);
      const target = registryTarget(client, name);
      const members = [];
      for (const platform of [
        { os: 'linux', architecture: 'arm64' },
        { os: 'windows', architecture: 'amd64' },
      ])
        members.push({ ...(await push(target, sampleImage(noise(10)), [])), platform });
      const index = Buffer.from(
        JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: members }),
      );
      await target.putManifest(index, MediaType.ociIndex, ['v1']);
      return await resolveImage(client, { ...name, tag: 'v1' }, AMD64);
    },
  },
  {
    title: 'redirects without end',
    says: 'redirects without end',
    run: async ({ host }) => {
      const name = await pushManifestOf(host);
      await using proxy = await startProxy(host, [
        {
          method: /GET/,
          path: /blobs/,
          fault: { kind: 'answer', status: 307, headers: { location: '/v2/a/blobs/x' } },
        },
      ]);
      await using client = clientOf();
      return await resolveImage(client, { ...name, registry: proxy.host }, AMD64);
    },
  },
  {
    title: 'a redirect to a file',
    says: 'redirects to "file:///etc/passwd", which is no address',
    run: async ({ host }) => {
      const name = await pushManifestOf(host);
      await using proxy = await startProxy(host, [
        {
          method: /GET/,
          path: /blobs/,
          fault: { kind: 'answer', status: 302, headers: { location: 'file:///etc/passwd' } },
        },
      ]);
      await using client = clientOf();
      return await resolveImage(client, { ...name, registry: proxy.host }, AMD64);
    },
  },
  {
    title: 'a layer that is no gzip inside',
    says: 'cannot be decompressed',
    run: async ({ work }) => {
      const layout = await openLayout(join(work, 'layout'), 'the layout');
      const bytes = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), noise(10_000)]);
      const { digest, size } = await layout.stream(chunked(bytes));
      for await (const _ of readLayer({ mediaType: MediaType.ociLayerGzip, digest, size }, layout));
    },
  },

  // Logins.
  {
    title: 'a login file that is no JSON',
    says: /config\.json is no valid JSON/,
    run: ({ work }) => ask(work, '{"auths":'),
  },
  {
    title: 'a login that is no base64',
    says: 'has an "auth" for "ghcr.io" that is not base64 of USER:PASSWORD.',
    run: ({ work }) => ask(work, '{"auths":{"ghcr.io":{"auth":"%%%"}}}'),
  },
  {
    title: 'a login helper that is not installed',
    says: 'The credential helper docker-credential-nowhere',
    run: ({ work }) => ask(work, '{"credsStore":"nowhere"}'),
  },

  // This side.
  {
    title: 'a disk that is full, at a layout',
    needs: tmpfs,
    says: 'Cannot write to the layout: the disk is full',
    run: ({ work }) =>
      onSmallDisk(work, (disk) =>
        intoLayout(disk, async (layout) => {
          await push(layout, sampleImage(noise(2 * MIB)), ['v1']);
        }),
      ),
  },
  {
    title: 'a disk that is full, at the copy of a stream',
    needs: tmpfs,
    says: 'the disk is full',
    run: ({ host, work }) =>
      onSmallDisk(work, async (disk) => {
        await using client = clientOf({ temporary: disk });
        return await client.stream(freshName(host), chunked(noise(8 * MIB)));
      }),
  },
  {
    title: 'a file that shrinks while it is read',
    says: 'The file "app" changed while it was read: 1000 bytes were announced and only 10 came.',
    run: async ({ work }) =>
      intoLayout(work, async (layout) => {
        const entry: TarEntry = {
          name: 'app',
          type: 'file',
          mode: 0o755,
          uid: 0,
          gid: 0,
          size: 1000,
          mtime: 0,
        };
        await writeLayer([{ entry, content: () => chunked(noise(10)) }], {
          compression: 'gzip',
          target: layout,
        });
      }),
  },
  {
    title: 'content that is not what its digest says, on push',
    says: /gave sha256:\w+ where sha256:\w+ was asked for: the content is damaged/,
    run: async ({ host }) => {
      await using client = clientOf();
      const name = freshName(host);
      const blob = blobOf(noise(1000));
      try {
        return await client.put(name, blob, () => chunked(noise(1000)));
      } finally {
        expect(await client.has(name, blob)).toBe(false);
      }
    },
  },
  {
    title: 'a layout of a version to come',
    says: 'does not say that the layout is an image layout of version 1',
    run: async ({ work }) => {
      await writeFile(join(work, 'oci-layout'), '{"imageLayoutVersion":"2.0.0"}');
      return await openLayout(work, 'the layout');
    },
  },
  {
    title: 'a layout that lost a layer',
    says: /^The image layout the layout is damaged: the blob sha256:\w+ is missing/,
    run: async ({ host, work }) => {
      const layout = await openLayout(work, 'the layout');
      const sample = sampleImage();
      await push(layout, sample, ['v1']);
      await rm(join(work, 'blobs', 'sha256', digestOf(sample.layer).slice(7)));
      await using client = clientOf();
      const name = freshName(host);
      try {
        return await copyImage(layout, 'v1', registryTarget(client, name), { tags: ['v1'] });
      } finally {
        expect(await client.tags(name)).toEqual([]);
      }
    },
  },
  {
    title: 'a layout with a layer that was cut on the disk',
    says: /gave only 10 of the 100000 bytes of sha256:/,
    run: async ({ host, work }) => {
      const layout = await openLayout(work, 'the layout');
      const sample = sampleImage();
      await push(layout, sample, ['v1']);
      await truncate(join(work, 'blobs', 'sha256', digestOf(sample.layer).slice(7)), 10);
      await using client = clientOf();
      return await copyImage(layout, 'v1', registryTarget(client, freshName(host)), { tags: ['v1'] });
    },
  },
  {
    title: 'a layout without the tag',
    says: 'the layout has no image "v1"; it has no tags.',
    run: async ({ work }) => (await openLayout(work, 'the layout')).manifest('v1'),
  },

  // Stopped on the way.
  {
    title: 'a run that is cancelled while it pushes',
    says: /^Cancelled: stopped before it could push /,
    run: async (stage) => {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 300);
      return await pushThrough(stage, /PUT/, /uploads/, { kind: 'hang' }, { signal: stop.signal });
    },
  },
  {
    title: 'a run that is cancelled before the manifest',
    says: /^Cancelled: stopped before it could push /,
    run: async (stage) => {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 300);
      return await pushThrough(stage, /PUT/, /manifests/, { kind: 'hang' }, { signal: stop.signal });
    },
  },
  {
    title: 'a run that is cancelled while it waits for another attempt',
    says: /^Cancelled: stopped before it could push /,
    run: async (stage) => {
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 300);
      const fault = { kind: 'answer', status: 503, headers: { 'retry-after': '30' } } as const;
      const retries = { attempts: 3, first: 1, longest: 1, total: 60_000 };
      return await pushThrough(stage, /POST/, /uploads/, fault, { signal: stop.signal, retries });
    },
  },
  {
    title: 'a run that is cancelled while it pulls',
    says: /^Cancelled: stopped before it could pull /,
    run: async ({ host, work }) => {
      await using direct = clientOf();
      const name = freshName(host);
      await push(registryTarget(direct, name), sampleImage(noise(2 * MIB)), ['v1']);
      await using proxy = await startProxy(host, [{ method: /GET/, path: /blobs/, fault: { kind: 'hang' } }]);
      const stop = new AbortController();
      setTimeout(() => stop.abort(), 300);
      await using client = clientOf({ signal: stop.signal });
      return await intoLayout(work, async (layout) => {
        await copyImage(registrySource(client, { ...name, registry: proxy.host }), 'v1', layout, {
          tags: ['v1'],
        });
      });
    },
  },
];

async function pushManifestOf(host: string): Promise<Reference> {
  await using client = clientOf();
  const name = { ...freshName(host), tag: 'v1' };
  await push(registryTarget(client, name), sampleImage(), ['v1']);
  return name;
}

describeWith('bad input, for images and registries', { registry: registryPart }, ({ registry: { host } }) => {
  const folders: string[] = [];
  afterAll(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });

  cases.forEach(({ title, says, run, needs }, i) => {
    const name = `${i + 1}. ${title}`;
    it.skipIf(needs !== undefined)(needs === undefined ? name : `${name} [needs ${needs}]`, async () => {
      const work = await mkdtemp(join(tmpdir(), 'slipway-bad-'));
      folders.push(work);
      const error = await run({ host, work }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error, 'it went through').toBeDefined();
      if (!(error instanceof Failure)) throw error;
      expect(error.message).toMatch(says);
      expect(error.message).not.toMatch(/\n|undefined|\[object/);
      expect(error.message).toMatch(/[.?]$/);
      expect(error.message.length).toBeLessThan(500);
    });
  });
});
