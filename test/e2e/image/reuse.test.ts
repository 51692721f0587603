import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { readRequest } from '../../../actions/docker-multistage/request.ts';
import { cacheFolder, type MadeImage, runImage } from '../../../actions/docker-multistage/run.ts';
import { definition as upDefinition } from '../../../actions/up/definition.ts';
import { main as up } from '../../../actions/up/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { readInputs } from '../../../shared/host/index.ts';
import type { Descriptor } from '../../../shared/oci/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import {
  baseImages,
  crane,
  describeWith,
  freshRegistry,
  go,
  type Registry,
  registry,
} from '../../lab/index.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';

const [bases, craneTool, lab] = await Promise.all([baseImages(), crane(), registry()]);
const root = mkdtempSync(join(tmpdir(), 'slipway-reuse-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** A fresh checkout: nothing is remembered from earlier runs. */
function checkout(dockerfile: string): string {
  const folder = mkdtempSync(join(root, 'checkout-'));
  makeContext(folder, { app: { text: '#!/bin/sh\necho hello\n', mode: 0o755 }, 'conf/a.yaml': 'a: 1\n' });
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  return folder;
}

async function make(
  folder: string,
  inputs: Readonly<Record<string, string>>,
  options: { trusted?: boolean; cache?: string } = {},
): Promise<MadeImage & { readonly host: MemoryHost }> {
  const host = { ...memoryHost(folder), run: { trusted: options.trusted ?? true } };
  const given = readInputs(definition, (name) => ({ push: 'true', ...inputs })[name]);
  const request = readRequest(host, given, options.cache ?? cacheFolder(), {});
  const { made } = await runImage(host, given, request, false);
  return { ...made!, host };
}

/** The requests that a registry has answered since the last call: method, path below /v2/, and status. */
function requests(of: Registry): string[] {
  const all = readFileSync(of.log, 'utf8').split('\n');
  const before = seen.get(of.log) ?? 0;
  seen.set(of.log, all.length - 1);
  return all.slice(before).flatMap((line) => {
    const told = line.includes('"response completed') ? JSON.parse(line) : undefined;
    return told === undefined ? [] : [`${told['http.request.method']} ${told['http.request.uri'].slice(4)}`];
  });
}
const seen = new Map<string, number>();

const moves = (request: string) => /^(POST|PATCH|PUT) \S*\/blobs\//.test(request);
const KEY_TAG = /manifests\/slipway-[0-9a-f]{32}$/;

describeWith('an image that its registry has already', { bases, crane: craneTool, registry: lab }, (have) => {
  const digestOf = (tag: string) =>
    run({ program: have.crane.program, args: ['digest', tag] }).then(({ stdout }) =>
      stdout.toString().trim(),
    );
  const tagsOf = async (repository: string) =>
    (await run({ program: have.crane.program, args: ['ls', repository] })).stdout
      .toString()
      .trim()
      .split('\n');
  const two = {
    platforms: 'linux/amd64,linux/arm64',
    annotations: 'index:a=b\none=1\nmanifest-descriptor:d=2',
  };

  it('only gets its new names, in every repository: no blob moves, and at most 20 KB', async () => {
    await using to = await freshRegistry();
    const dockerfile = `FROM ${have.bases.references['gcr.io/distroless/static-debian12:nonroot']}\nCOPY app /app\nCOPY conf /conf\nUSER 65532\n`;
    const names = (tag: string) => `${to.host}/one/app:${tag}\n${to.host}/two/app:${tag}`;
    const first = await make(checkout(dockerfile), { ...two, tags: names('1') });
    const written = requests(to).filter(
      (request) => request.startsWith('PUT') && request.includes('manifests'),
    );
    expect(written.slice(-2).every((request) => KEY_TAG.test(request))).toBe(true);
    expect(written.filter((request) => KEY_TAG.test(request))).toHaveLength(2);

    const again = await make(checkout(dockerfile), { ...two, tags: names('2') });
    expect(again.result).toMatchObject({ reused: true, descriptor: first.result.descriptor });
    expect(again.result.platforms).toEqual(
      first.result.platforms.map((platform) => ({
        ...platform,
        layers: platform.layers.map((layer) => ({
          ...layer,
          origin: layer.origin === 'base' ? 'base' : 'reused',
        })),
      })),
    );
    const asked = requests(to);
    expect(asked.filter(moves)).toEqual([]);
    const layers = first.result.platforms.flatMap((one) =>
      one.layers.map((layer) => layer.descriptor.digest),
    );
    expect(asked.filter((request) => layers.some((digest) => request.includes(digest)))).toEqual([]);
    expect(asked.filter((request) => request.startsWith('PUT'))).toHaveLength(2);
    expect(again.traffic.bytesReceived + again.traffic.bytesSent).toBeLessThanOrEqual(20_000);
    for (const name of names('2').split('\n')) {
      expect(await digestOf(name)).toBe(first.result.descriptor.digest);
      await run({ program: have.crane.program, args: ['validate', '--remote', name] });
    }
  });

  it('is looked for once, and that it is not there is no news', async () => {
    await using to = await freshRegistry();
    const { host } = await make(checkout('FROM scratch\nCOPY app /app\n'), { tags: `${to.host}/app:1` });
    const asked = requests(to);
    expect(asked.filter((one) => /^GET \S*\/manifests\/slipway-/.test(one))).toHaveLength(1);
    expect(asked.filter((one) => one.includes('/tags/list'))).toEqual([]);
    expect(host.lines.join('\n')).not.toContain('No image to reuse');
  });

  it('is mounted into a repository that does not have it, and copied to another registry', async () => {
    await using to = await freshRegistry();
    await using other = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const first = await make(checkout(dockerfile), { tags: `${to.host}/one:1` });
    const tags = `${to.host}/one:2\n${to.host}/two:2\n${other.host}/three:2`;
    const again = await make(checkout(dockerfile), { tags });
    expect(again.result.reused).toBe(true);
    expect(again.result.deliveries.map(({ copied, mounted }) => [copied, mounted])).toEqual([
      [0, 0],
      [0, 2],
      [2, 0],
    ]);
    for (const name of tags.split('\n')) expect(await digestOf(name)).toBe(first.result.descriptor.digest);
    expect((await tagsOf(`${other.host}/three`)).some((tag) => tag.startsWith('slipway-'))).toBe(true);
  });

  it('is made where anything about it differs: content, configuration, annotation, compression, platform', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const tags = `${to.host}/app:1`;
    await make(checkout(dockerfile), { tags });
    const changed = checkout(dockerfile);
    writeFileSync(join(changed, 'app'), 'other');
    expect((await make(changed, { tags })).result.reused).toBe(false);
    for (const inputs of [
      { labels: 'a=b' },
      { annotations: 'a=b' },
      { compression: 'zstd' },
      { 'media-types': 'docker' },
      { 'source-date-epoch': '1' },
      { platforms: 'linux/s390x' },
    ])
      expect((await make(checkout(dockerfile), { ...inputs, tags })).result.reused).toBe(false);
    expect((await make(checkout(dockerfile), { tags })).result.reused).toBe(true);
  });

  it('is named by its key by trusted runs alone', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const tags = `${to.host}/app:1`;
    await make(checkout(dockerfile), { tags }, { trusted: false });
    expect(await tagsOf(`${to.host}/app`)).toEqual(['1']);
    await make(checkout(dockerfile), { tags });
    const reader = await make(checkout(dockerfile), { tags: `${to.host}/app:2` }, { trusted: false });
    expect(reader.result.reused).toBe(true);
  });

  it('is neither looked for nor named so with reuse-tag: false, and not looked for with no-cache', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const tags = `${to.host}/app:1`;
    await make(checkout(dockerfile), { tags, 'reuse-tag': 'false' });
    expect(requests(to).filter((request) => KEY_TAG.test(request))).toEqual([]);
    await make(checkout(dockerfile), { tags });
    requests(to);
    const anew = await make(checkout(dockerfile), { tags, 'no-cache': 'true' });
    expect(anew.result.reused).toBe(false);
    expect(requests(to).filter((request) => request.startsWith('GET') && KEY_TAG.test(request))).toEqual([]);
  });

  it('does not count when what is under its key is another image, or is broken', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\nENV A=1\n';
    const first = await make(checkout(dockerfile), { tags: `${to.host}/app:1` });
    const other = await make(checkout('FROM scratch\nCOPY app /app\nENV A=2\n'), {
      tags: `${to.host}/other:1`,
    });
    const key = (await tagsOf(`${to.host}/app`)).find((tag) => tag.startsWith('slipway-'))!;
    await run({ program: have.crane.program, args: ['copy', `${to.host}/other:1`, `${to.host}/app:${key}`] });
    const again = await make(checkout(dockerfile), { tags: `${to.host}/app:2` });
    expect(again.result).toMatchObject({ reused: false, descriptor: first.result.descriptor });
    expect(again.host.lines.join('\n')).toContain('is another image');
    expect(await digestOf(`${to.host}/app:${key}`)).not.toBe(other.result.descriptor.digest);
  });

  const lose = (from: Registry, { result }: MadeImage) => {
    const [layer] = result.platforms[0]!.layers;
    const path = `docker/registry/v2/repositories/app/_layers/sha256/${layer!.descriptor.digest.slice(7)}`;
    expect(existsSync(join(from.storage, path))).toBe(true);
    rmSync(join(from.storage, path), { recursive: true });
  };

  it('is made again when the registry has lost a layer of it', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const first = await make(checkout(dockerfile), { tags: `${to.host}/app:1` });
    lose(to, first);
    const again = await make(checkout(dockerfile), { tags: `${to.host}/app:2` });
    expect(again.result).toMatchObject({ reused: false, descriptor: first.result.descriptor });
    expect(again.host.lines.join('\n')).toContain('The image is made again.');
    await run({ program: have.crane.program, args: ['validate', '--remote', `${to.host}/app:2`] });
  });

  it('is brought to a registry that has lost a layer of it from a layout that has it', async () => {
    await using to = await freshRegistry();
    const folder = checkout('FROM scratch\nCOPY app /app\n');
    lose(to, await make(folder, { layout: 'out', tags: `${to.host}/app:1` }));
    const again = await make(folder, { layout: 'out', tags: `${to.host}/app:2` });
    expect(again.result.reused).toBe(true);
    expect(again.result.deliveries.map(({ copied }) => copied)).toEqual([0, 1]);
    await run({ program: have.crane.program, args: ['validate', '--remote', `${to.host}/app:2`] });
  });

  it('is made and pushed where a registry refuses the tag of its key', async () => {
    await using to = await freshRegistry();
    const dockerfile = 'FROM scratch\nCOPY app /app\n';
    const front = createServer((request, response) => {
      if (KEY_TAG.test(request.url!) && request.method === 'PUT')
        return void response
          .writeHead(403, { 'content-type': 'application/json' })
          .end('{"errors":[{"code":"DENIED"}]}');
      const [hostname, port] = to.host.split(':');
      const headers = { ...request.headers, host: request.headers.host };
      const onward = ask({ hostname, port, method: request.method, path: request.url, headers }, (answer) => {
        response.writeHead(answer.statusCode!, answer.headers);
        answer.pipe(response);
      });
      request.pipe(onward);
    });
    await new Promise<void>((done) => front.listen(0, '127.0.0.1', done));
    const host = `127.0.0.1:${(front.address() as AddressInfo).port}`;
    try {
      const { result, host: told } = await make(checkout(dockerfile), { tags: `${host}/app:1` });
      expect(result.reused).toBe(false);
      expect(told.lines.join('\n')).toMatch(/The tag for reuse was not written to .*403|DENIED/);
      expect(await digestOf(`${to.host}/app:1`)).toBe(result.descriptor.digest);
      expect(await tagsOf(`${to.host}/app`)).toEqual(['1']);
    } finally {
      front.close();
    }
  });
});

describeWith('a base that no machine has seen yet', { bases, crane: craneTool, registry: lab }, (have) => {
  it('is fetched once: for its index, for files that are copied out of it, and into a layout', async () => {
    await using from = await freshRegistry();
    const copy = async (reference: string, to: string) => {
      const args = ['copy', reference, `${from.host}/${to}`];
      await run({ program: have.crane.program, args });
      return `${from.host}/${to}`;
    };
    const base = await copy(have.bases.references['gcr.io/distroless/static-debian12:nonroot'], 'base:1');
    const other = await copy(have.bases.references['alpine:3'], 'other:1');
    requests(from);
    const { result, traffic } = await make(
      checkout(`FROM ${base}\nCOPY app /usr/bin/app\nCOPY --from=${other} /bin/busybox /x/\n`),
      { push: 'false', layout: 'out', platforms: 'linux/amd64,linux/arm64' },
      { cache: mkdtempSync(join(root, 'cache-')) },
    );
    const { stdout } = await run({ program: have.crane.program, args: ['manifest', other] });
    const copied = JSON.parse(stdout.toString()).layers as Descriptor[];
    const own = result.platforms.flatMap(({ layers }) =>
      layers.filter(({ origin }) => origin === 'base').map(({ descriptor }) => descriptor),
    );
    const layers = [...new Map([...own, ...copied].map((layer) => [layer.digest, layer])).values()];
    const fetched = requests(from).flatMap((request) => /^GET .*\/blobs\/(\S+)$/.exec(request)?.[1] ?? []);
    for (const { digest } of layers) expect(fetched.filter((one) => one === digest)).toEqual([digest]);
    const size = layers.reduce((sum, layer) => sum + layer.size, 0);
    expect(traffic.bytesReceived).toBeGreaterThan(size);
    expect(traffic.bytesReceived).toBeLessThan(size + 20_000);
  });
});

describeWith('slipway up --push of an image that is published already', { go: go(), registry: lab }, () => {
  function service(): string {
    const folder = checkout(
      'FROM golang:1.26 AS build\nCOPY . .\nRUN CGO_ENABLED=0 go build -o /app .\nFROM scratch\nCOPY --from=build /app /app\n',
    );
    writeFileSync(join(folder, 'go.mod'), 'module example.com/app\n\ngo 1.24\n');
    writeFileSync(join(folder, 'main.go'), 'package main\n\nfunc main() {}\n');
    return folder;
  }
  const push = async (folder: string, name: string) => {
    const host = memoryHost(folder);
    await up(
      host,
      readInputs(upDefinition, (input) => ({ push: name, platforms: 'linux/amd64' })[input]),
    );
    return host;
  };

  it('only gets its new name, and fills no layout that nobody asked for', async () => {
    await using to = await freshRegistry();
    const first = await push(service(), `${to.host}/app:1`);
    expect(first.outputs.layout).toMatch(/\.slipway\/images$/);
    requests(to);
    const folder = service();
    const again = await push(folder, `${to.host}/app:2`);
    expect(again.outputs).toMatchObject({ digest: first.outputs.digest, layout: '' });
    expect(requests(to).filter((request) => moves(request) || /^PUT/.test(request))).toEqual([
      'PUT app/manifests/2',
    ]);
    expect(existsSync(join(folder, '.slipway/images/blobs/sha256', first.outputs.digest!.slice(7)))).toBe(
      false,
    );
  });
});
