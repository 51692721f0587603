import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { readRequest } from '../../../actions/docker-multistage/request.ts';
import { cacheFolder, type MadeImage, main, runImage } from '../../../actions/docker-multistage/run.ts';
import { definition as upDefinition } from '../../../actions/up/definition.ts';
import { main as up } from '../../../actions/up/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { readInputs } from '../../../shared/host/index.ts';
import type { ImagePlan } from '../../../shared/image/index.ts';
import type { Descriptor } from '../../../shared/oci/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import {
  baseImages,
  crane,
  describeWith,
  engine,
  freshRegistry,
  go,
  type Registry,
  registry,
} from '../../lab/index.ts';
import { type MemoryHost, memoryHost } from '../../unit/image/host.ts';

const [bases, craneTool, lab, dockerEngine] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
]);
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
): Promise<MadeImage & { readonly host: MemoryHost; readonly plan: ImagePlan }> {
  const host = { ...memoryHost(folder), run: { trusted: options.trusted ?? true } };
  const given = readInputs(definition, (name) => ({ push: 'true', ...inputs })[name]);
  const request = readRequest(host, given, options.cache ?? cacheFolder(), {});
  const { made, plan } = await runImage(host, given, request, false);
  return { ...made!, host, plan };
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
  /** The image that a key's tag means. */
  const imageUnder = async (tag: string) => {
    const { stdout } = await run({ program: have.crane.program, args: ['manifest', tag] });
    return JSON.parse(stdout.toString()).annotations['dev.slipway.image'];
  };
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
      {},
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
    const two = checkout('FROM scratch\nCOPY app /app\nCOPY conf /conf\nENV A=1\n');
    const other = await make(two, { tags: `${to.host}/other:1` });
    const key = (await tagsOf(`${to.host}/app`)).find((tag) => tag.startsWith('slipway-'))!;
    const theirs = (await tagsOf(`${to.host}/other`)).find((tag) => tag.startsWith('slipway-'))!;
    await run({
      program: have.crane.program,
      args: ['copy', `${to.host}/other:${theirs}`, `${to.host}/app:${key}`],
    });
    const again = await make(checkout(dockerfile), { tags: `${to.host}/app:2` });
    expect(again.result).toMatchObject({ reused: false, descriptor: first.result.descriptor });
    expect(again.host.lines.join('\n')).toContain('is another image');
    expect(await imageUnder(`${to.host}/app:${key}`)).toBe(first.result.descriptor.digest);
    expect(other.result.descriptor.digest).not.toBe(first.result.descriptor.digest);
    // Nor does an image that somebody gave the tag.
    await run({ program: have.crane.program, args: ['copy', `${to.host}/app:1`, `${to.host}/app:${key}`] });
    expect((await make(checkout(dockerfile), { tags: `${to.host}/app:3` })).result.reused).toBe(false);
  });

  it('is not gone with the tag of its key', async () => {
    await using to = await freshRegistry();
    await make(checkout('FROM scratch\nCOPY app /app\n'), {
      ...two,
      annotations: '',
      tags: `${to.host}/app:1`,
    });
    const key = (await tagsOf(`${to.host}/app`)).find((tag) => tag.startsWith('slipway-'))!;
    const digest = await digestOf(`${to.host}/app:${key}`);
    await run({ program: have.crane.program, args: ['delete', `${to.host}/app@${digest}`] });
    expect(await tagsOf(`${to.host}/app`)).toEqual(['1']);
    await run({ program: have.crane.program, args: ['validate', '--remote', `${to.host}/app:1`] });
  });

  it('gets its own configuration where only that differs: no layer is read, and no base either', async () => {
    await using to = await freshRegistry();
    const base = have.bases.references['gcr.io/distroless/static-debian12:nonroot'];
    const dockerfile = (user: number) => `FROM ${base}\nCOPY app /app\nCOPY conf /conf\nUSER ${user}\n`;
    const inputs = (revision: string) => ({
      ...two,
      labels: `org.opencontainers.image.revision=${revision}`,
      tags: `${to.host}/one/app:${revision}\n${to.host}/two/app:${revision}`,
    });
    const first = await make(checkout(dockerfile(1)), inputs('one'));
    requests(to);
    const again = await make(checkout(dockerfile(2)), inputs('two'), {
      cache: mkdtempSync(join(root, 'cache-')),
    });
    expect(again.result).toMatchObject({ reused: false, there: 'layers' });
    const layersOf = ({ result }: MadeImage) =>
      result.platforms.map(({ layers }) => layers.map(({ descriptor }) => descriptor.digest));
    expect(layersOf(again)).toEqual(layersOf(first));
    const asked = requests(to);
    expect(
      asked.filter((request) =>
        layersOf(first)
          .flat()
          .some((digest) => request.startsWith('GET') && request.includes(digest)),
      ),
    ).toEqual([]);
    expect(asked.filter((request) => /^PUT \S*\/blobs\//.test(request))).toHaveLength(4); // a configuration each
    expect(again.traffic.bytesReceived + again.traffic.bytesSent).toBeLessThanOrEqual(60_000);
    const { stdout } = await run({
      program: have.crane.program,
      args: ['config', '--platform=linux/arm64', `${to.host}/two/app:two`],
    });
    expect(JSON.parse(stdout.toString()).config).toMatchObject({
      User: '2',
      Labels: { 'org.opencontainers.image.revision': 'two' },
    });
    for (const name of inputs('two').tags.split('\n'))
      await run({ program: have.crane.program, args: ['validate', '--remote', name] });
    // It is what would have been made without anything to reuse.
    await using other = await freshRegistry();
    const anew = await make(checkout(dockerfile(2)), { ...inputs('two'), tags: `${other.host}/app:1` });
    expect(anew.result).toMatchObject({ there: 'no', descriptor: again.result.descriptor });
    const third = await make(checkout(dockerfile(2)), inputs('two'));
    expect(third.result).toMatchObject({ reused: true, descriptor: again.result.descriptor });
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

  it('is made again, too, when a layer is lost that another label was to be put on', async () => {
    await using to = await freshRegistry();
    const first = await make(checkout('FROM scratch\nCOPY app /app\n'), { tags: `${to.host}/app:1` });
    lose(to, first);
    const again = await make(checkout('FROM scratch\nCOPY app /app\nLABEL a=b\n'), {
      tags: `${to.host}/app:2`,
    });
    expect(again.result).toMatchObject({ reused: false, there: 'no' });
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

describeWith(
  'an image in which a builder takes part',
  { bases, crane: craneTool, registry: lab, engine: dockerEngine },
  (have) => {
    const before = { ...process.env };
    beforeAll(() =>
      Object.assign(process.env, have.engine.env, {
        PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
      }),
    );
    afterAll(() => {
      for (const name of ['PATH', ...Object.keys(have.engine.env)]) process.env[name] = before[name] ?? '';
    });
    const alpine = () => have.bases.references['alpine:3'];
    const none = { store: 'none' };
    const built = ({ host }: { readonly host: MemoryHost }) =>
      host.lines.some((line) => /^Build (stage|with BuildKit)/.test(line));
    const validate = (name: string) =>
      run({ program: have.crane.program, args: ['validate', '--remote', name] });
    const config = async (name: string) =>
      JSON.parse((await run({ program: have.crane.program, args: ['config', name] })).stdout.toString());
    const staged = (more = '') =>
      `FROM ${alpine()} AS build\nCOPY app /src/app\nRUN cp /src/app /out && sleep 0\nFROM scratch\nCOPY --from=build /out /app\n${more}`;

    it('only gets its new name while nothing changed, with no builder and no base', async () => {
      await using to = await freshRegistry();
      const first = await make(checkout(staged()), { ...none, tags: `${to.host}/app:1` });
      expect(built(first)).toBe(true);
      requests(to);
      const again = await make(checkout(staged()), { ...none, tags: `${to.host}/app:2` });
      expect(again.result).toMatchObject({
        reused: true,
        there: 'image',
        descriptor: first.result.descriptor,
      });
      expect(built(again)).toBe(false);
      expect(
        requests(to)
          .map((one) => one.split(' ')[0])
          .sort(),
      ).toEqual(['GET', 'GET', 'GET', 'PUT']);
      expect(again.traffic.bytesReceived + again.traffic.bytesSent).toBeLessThanOrEqual(20_000);
      await validate(`${to.host}/app:2`);
    });

    it('gets a label without a builder, and is made when a file changed', async () => {
      await using to = await freshRegistry();
      const tags = `${to.host}/app:1`;
      await make(checkout(staged()), { ...none, tags });
      const labelled = await make(checkout(staged('LABEL a=b\n')), { ...none, tags });
      expect(labelled.result).toMatchObject({ reused: false, there: 'layers' });
      expect(built(labelled)).toBe(false);
      expect((await config(tags)).config.Labels).toEqual({ a: 'b' });
      const changed = checkout(staged('LABEL a=b\n'));
      writeFileSync(join(changed, 'app'), 'other');
      const made = await make(changed, { ...none, tags });
      expect(built(made)).toBe(true);
      expect(made.result).toMatchObject({ there: 'no' });
      await validate(tags);
    });

    it('is found by what its stages came out as', async () => {
      await using to = await freshRegistry();
      const tags = `${to.host}/app:1`;
      const first = await make(checkout(staged()), { ...none, tags });
      const other = staged().replace('sleep 0', 'true');
      const again = await make(
        checkout(other),
        { ...none, tags },
        { cache: mkdtempSync(join(root, 'cache-')) },
      );
      expect(built(again)).toBe(true);
      expect(again.result).toMatchObject({
        reused: true,
        there: 'image',
        descriptor: first.result.descriptor,
      });
      // Next time the builder is not asked either.
      const third = await make(checkout(other), { ...none, tags });
      expect(built(third)).toBe(false);
      expect(third.result.reused).toBe(true);
    });

    it('has no key by which it could be found once max-age is 0, and is not found when it is over', async () => {
      await using to = await freshRegistry();
      const inputs = { ...none, tags: `${to.host}/app:1` };
      await make(checkout(staged()), inputs);
      const never = await make(checkout(staged()), { ...inputs, 'max-age': '0' });
      expect(built(never)).toBe(true);
      expect(never.plan.platforms[0]!.identity.stages[0]!.unkeyed?.reason).toMatch(/max-age is 0/);
      const days = await make(checkout(staged()), { ...inputs, 'max-age': '1d' });
      expect(built(days)).toBe(true);
    });

    const whole = (more = '') =>
      `FROM ${alpine()}\nWORKDIR /srv\nCOPY app /app\nRUN echo hi > hi\nENV A=1\nUSER 1:2\n${more}`;

    it('is found when BuildKit made all of it, and keeps its layers under another label', async () => {
      await using to = await freshRegistry();
      const tags = `${to.host}/app:1`;
      const first = await make(checkout(whole()), { ...none, tags });
      expect(built(first)).toBe(true);
      const again = await make(checkout(whole()), { ...none, tags: `${to.host}/app:2` });
      expect(again.result).toMatchObject({
        reused: true,
        there: 'image',
        descriptor: first.result.descriptor,
      });
      expect(built(again)).toBe(false);
      const labelled = await make(checkout(whole('LABEL a=b\n')), { ...none, tags });
      expect(labelled.result).toMatchObject({ reused: false, there: 'layers' });
      expect((await config(tags)).config).toMatchObject({
        Labels: { a: 'b' },
        User: '1:2',
        WorkingDir: '/srv',
      });
      await validate(tags);
      const changed = checkout(whole());
      writeFileSync(join(changed, 'app'), 'other');
      expect(built(await make(changed, { ...none, tags }))).toBe(true);
    });

    it('is made whole by BuildKit where that shows only when its stages are made', async () => {
      await using to = await freshRegistry();
      const folder = checkout(staged('COPY conf /conf\n'));
      writeFileSync(join(folder, 'conf/.wh.x'), 'no deletion');
      const tags = `${to.host}/app:1`;
      const { host, plan, result } = await make(folder, { ...none, tags });
      expect(plan.because).toMatchObject({
        reason: expect.stringContaining('/conf/.wh.x'),
        lines: { start: 6 },
      });
      expect(host.lines).toContain('Build with BuildKit');
      await validate(tags);
      expect((await make(folder, { ...none, tags })).result).toMatchObject({
        reused: true,
        descriptor: result.descriptor,
      });
    });

    it('is kept under no key when a file changes while it is made', async () => {
      await using to = await freshRegistry();
      const tags = `${to.host}/app:1`;
      const folder = checkout(staged());
      const host = memoryHost(folder);
      const given = readInputs(definition, (name) => ({ push: 'true', ...none, tags })[name]);
      const { task } = host;
      const changing: MemoryHost['task'] = async (title, work) => {
        if (title.startsWith('Build stage')) writeFileSync(join(folder, 'app'), 'changed meanwhile');
        return await task(title, work);
      };
      Object.assign(host, { task: changing });
      await runImage(host, given, readRequest(host, given, cacheFolder(), {}), false);
      expect(host.lines.join('\n')).toContain('changed while the image was being made');
      const { stdout } = await run({ program: have.crane.program, args: ['ls', `${to.host}/app`] });
      expect(stdout.toString().trim()).toBe('1');
    });

    it('says of each stage what became of it, and why', async () => {
      await using to = await freshRegistry();
      const tags = `${to.host}/app:1`;
      const folder = checkout(staged());
      await make(folder, { ...none, tags });
      writeFileSync(join(folder, 'app'), 'other');
      const host = { ...memoryHost(folder), run: { trusted: true } };
      await main(
        host,
        readInputs(definition, (name) => ({ push: 'true', ...none, tags, plan: 'true' })[name]),
      );
      const told = JSON.parse(host.outputs.plan!);
      expect(told).toMatchObject({ there: 'no', changes: ['stage "build": app: content changed'] });
      expect(told.platforms[0].stages).toMatchObject([
        {
          stage: 'build',
          result: { kind: 'built' },
          changes: ['app: content changed'],
          unkeyed: null,
          aging: 'Dockerfile, line 3: RUN may use the network',
        },
        { stage: '1', result: { kind: 'assembled' }, changes: ['stage "build" changed'] },
      ]);
      expect(host.summaries[0]!.text).toMatch(/app: content changed/);
    });
  },
);

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
