import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Failure, type Task } from '../../../shared/host/index.ts';
import { type BuiltImage, buildImage, type MakeOptions } from '../../../shared/image/build.ts';
import { noSettings } from '../../../shared/image/builder/arguments.ts';
import { planImage } from '../../../shared/image/plan.ts';
import type { ImageRequest } from '../../../shared/image/request.ts';
import type { ResultsRun } from '../../../shared/image/results/record.ts';
import { registryResults } from '../../../shared/image/results/registry.ts';
import {
  openLayout,
  RegistryClient,
  readLayer,
  registrySource,
  registryTarget,
  resolveImage,
} from '../../../shared/oci/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import { requestFor } from '../../conformance/image/native.ts';
import {
  baseImages,
  buildkit,
  containerdEngine,
  describeWith,
  docker,
  type Engine,
  engine,
  forgetSteps,
  registry,
} from '../../lab/index.ts';
import { startProxy } from '../registry/proxy.ts';

const [bases, lab, dockerEngine, containerd, kit] = await Promise.all([
  baseImages(),
  registry(),
  engine(),
  containerdEngine(),
  buildkit(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-stages-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const client = new RegistryClient({
  credentials: { find: async () => undefined } as never,
  secret: () => {},
});
afterAll(() => client.close());

/** How the programs of one kind of builder are reached, and how it forgets what it did. */
interface Under {
  readonly env: Readonly<Record<string, string>>;
  readonly builder: string | undefined;
  readonly forget: () => Promise<unknown>;
}

interface Project {
  readonly folder: string;
  readonly repository: string;
  dockerfile(...lines: string[]): void;
  build(options?: BuildHow): Promise<Built>;
}

interface BuildHow {
  readonly builder?: string | undefined;
  readonly program?: string;
  readonly request?: Partial<ImageRequest>;
  readonly run?: Partial<ResultsRun>;
  readonly make?: Partial<MakeOptions>;
  readonly registry?: string;
  /** Folder of a layout that takes the image; default: one of this build alone. */
  readonly layout?: string;
  /** What happens once the image is planned. */
  readonly meanwhile?: () => Promise<unknown>;
}

interface Built {
  readonly image: BuiltImage;
  readonly lines: string[];
  /** What became of each stage, by its number. */
  readonly how: Readonly<Record<number, string>>;
  /** By path: mode, owner and content of what the image's own layers have. */
  readonly files: Readonly<Record<string, string>>;
}

function project(host: string, under: Under | undefined, files: Record<string, string> = {}): Project {
  const folder = mkdtempSync(join(root, 'project-'));
  const repository = `e2e/stages-${randomUUID().slice(0, 8)}`;
  makeContext(folder, { 'main.txt': 'one\n', ...files });
  return {
    folder,
    repository,
    dockerfile: (...lines) => writeFileSync(join(folder, 'Dockerfile'), `${lines.join('\n')}\n`),
    build: (how = {}) => build(folder, { registry: host, repository }, under, how),
  };
}

async function build(
  folder: string,
  place: { readonly registry: string; readonly repository: string },
  under: Under | undefined,
  how: BuildHow,
): Promise<Built> {
  const temporary = mkdtempSync(join(root, 'tmp-'));
  const lines: string[] = [];
  const task: Task = {
    task: (title, work) => {
      lines.push(title);
      return work(task);
    },
    log: (line) => lines.push(line),
    note: (text) => lines.push(text),
  };
  const request = requestFor(folder, how.request);
  const plan = await planImage(request, (reference, on) => resolveImage(client, reference, on), temporary);
  await how.meanwhile?.();
  const at = { ...place, registry: how.registry ?? place.registry };
  const results = registryResults(
    { source: registrySource(client, at), target: registryTarget(client, at) },
    {
      subject: [request.target ?? ''],
      branch: 'main',
      readable: true,
      writable: true,
      temporary,
      signal: undefined,
      ...how.run,
    },
  );
  const layout = await openLayout(how.layout ?? join(temporary, 'out'));
  const image = await buildImage(
    plan,
    [{ kind: 'layout', target: layout, tags: ['made'] }],
    {
      temporary,
      results,
      trusted: true,
      builder: {
        ...noSettings,
        builder: 'builder' in how ? how.builder : under?.builder,
        program: how.program,
      },
      ...how.make,
    },
    task,
  );
  const files: Record<string, string> = {};
  for (const { descriptor, origin } of image.platforms[0]!.layers) {
    if (origin === 'base') continue;
    for await (const { entry, content } of readLayer(descriptor, layout)) {
      const chunks: Buffer[] = [];
      for await (const chunk of content) chunks.push(Buffer.from(chunk));
      const what = entry.type === 'file' ? Buffer.concat(chunks).toString() : (entry.linkname ?? '');
      const mode = entry.type === 'symlink' ? '' : `${entry.mode.toString(8)} `;
      files[entry.name] = `${entry.type} ${mode}${entry.uid}:${entry.gid} ${what}`.trimEnd();
    }
  }
  return {
    image,
    lines,
    files,
    how: Object.fromEntries(image.outcomes.map(({ stage, how: made }) => [stage, made])),
  };
}

/** Points this process's docker to an engine for the tests of a block. */
function use(env: Readonly<Record<string, string>>, program: string): void {
  const before = { ...process.env };
  beforeAll(() => {
    Object.assign(process.env, env, { PATH: `${join(program, '..')}:${before.PATH}` });
  });
  afterAll(() => {
    for (const name of ['PATH', ...Object.keys(env)]) process.env[name] = before[name] ?? '';
  });
}

function ofEngine(one: Engine): Under {
  return {
    env: one.env,
    builder: undefined,
    forget: () => docker(one, ['builder', 'prune', '--all', '--force']),
  };
}

const random = 'head -c 16 /dev/urandom | base64';

/** What has to hold whatever builder it is. */
function suite(host: () => string, alpine: () => string, under: () => Under): void {
  it('restores an unchanged stage without a builder, and without running it', async () => {
    const one = project(host(), under());
    one.dockerfile(
      `FROM ${alpine()} AS build`,
      'COPY main.txt /',
      `RUN --network=none mkdir -p /out/d && ${random} > /out/d/random && chown 12:34 /out/d/random && chmod 4750 /out/d/random && ln -s random /out/d/link && ln /out/d/random /out/d/hard`,
      'FROM scratch',
      'COPY --from=build /out/d /d',
    );
    const first = await one.build();
    expect(first.how).toEqual({ 0: 'built' });
    expect(first.files['d/hard']).toMatch(/^file 4750 12:34 ./);
    expect(first.files['d/random']).toBe('hardlink 4750 12:34 d/hard');
    await under().forget();
    const second = await one.build({ program: 'no-such-docker' });
    expect(second.how).toEqual({ 0: 'restored' });
    expect(second.files).toEqual(first.files);
    expect(second.image.descriptor.digest).toBe(first.image.descriptor.digest);
    expect(second.image.steps).toEqual([]);
  });

  it('runs a stage again when what it reads has changed, and not when something else has', async () => {
    const one = project(host(), under(), { 'other.txt': 'one\n' });
    one.dockerfile(
      `FROM ${alpine()} AS build`,
      'COPY main.txt /',
      `RUN --network=none ${random} > /random`,
      'FROM scratch',
      'COPY --from=build /random /main.txt /',
      'COPY other.txt /',
    );
    const first = await one.build();
    writeFileSync(join(one.folder, 'other.txt'), 'two\n');
    const second = await one.build({ program: 'no-such-docker' });
    expect(second.how).toEqual({ 0: 'restored' });
    expect(second.files.random).toBe(first.files.random);
    expect(second.files['other.txt']).toContain('two');
    writeFileSync(join(one.folder, 'main.txt'), 'two\n');
    const third = await one.build();
    expect(third.how).toEqual({ 0: 'built' });
    expect(third.files.random).not.toBe(first.files.random);
    expect(third.files['main.txt']).toContain('two');
  });

  it('hands restored stages to those that run, unnamed ones too, with owners, modes and links', async () => {
    const one = project(host(), under());
    one.dockerfile(
      `FROM ${alpine()}`,
      `RUN --network=none mkdir -p /dep/d && ${random} > /dep/d/r && chown 12:34 /dep/d /dep/d/r && chmod 1770 /dep/d && chmod 6755 /dep/d/r && ln -s d/r /dep/l`,
      `FROM ${alpine()} AS build`,
      'COPY --from=0 /dep /dep',
      'COPY main.txt /',
      'RUN --network=none mkdir /out && cp /main.txt /out/main && cp /dep/l /out/r && stat -c "%a %u:%g" /dep/d /dep/d/r > /out/stat && readlink /dep/l >> /out/stat',
      'FROM scratch',
      'COPY --from=build /out /',
    );
    const first = await one.build();
    expect(first.how).toEqual({ 0: 'built', 1: 'built' });
    expect(first.files.stat).toBe('file 644 0:0 1770 12:34\n6755 12:34\nd/r');
    writeFileSync(join(one.folder, 'main.txt'), 'two\n');
    await under().forget();
    const second = await one.build();
    expect(second.how).toEqual({ 0: 'restored', 1: 'built' });
    expect(second.files).toEqual({ ...first.files, main: 'file 644 0:0 two' });
    expect(second.image.steps.map(({ name }) => name).filter((name) => name.includes('/dep/d &&'))).toEqual(
      [],
    );
  });

  it('finds a stage by what others came out as, when they were made again and are as before', async () => {
    const one = project(host(), under());
    const lines = (comment: string) => [
      `FROM ${alpine()} AS dep`,
      `RUN --network=none echo same > /dep # ${comment}`,
      `FROM ${alpine()} AS build`,
      'COPY --from=dep /dep /dep',
      `RUN --network=none ${random} > /random`,
      'FROM scratch',
      'COPY --from=build /random /',
    ];
    one.dockerfile(...lines('one'));
    const first = await one.build();
    one.dockerfile(...lines('two'));
    await under().forget();
    const second = await one.build();
    expect(second.how).toEqual({ 0: 'built', 1: 'restored' });
    expect(second.files).toEqual(first.files);
    // From now on it is known under its new key.
    const third = await one.build({ program: 'no-such-docker' });
    expect(third.how).toEqual({ 1: 'restored' });
    one.dockerfile(...lines('three').map((line) => line.replace('echo same', 'echo other')));
    const fourth = await one.build();
    expect(fourth.how).toEqual({ 0: 'built', 1: 'built' });
    expect(fourth.files.random).not.toBe(first.files.random);
  });

  it('looks for each stage at what it takes, and at what those take that it is built on', async () => {
    const one = project(host(), under());
    const lines = (log: string) => [
      `FROM ${alpine()} AS dep`,
      `RUN --network=none echo same > /dep && echo ${log} > /log`,
      `FROM ${alpine()} AS first`,
      'COPY --from=dep /dep /dep',
      `RUN --network=none ${random} > /random`,
      `FROM ${alpine()} AS base`,
      'COPY --from=dep /log /log',
      'FROM base AS second',
      'COPY --from=dep /dep /dep',
      `RUN --network=none ${random} > /random`,
      'FROM scratch',
      'COPY --from=first /random /first',
      'COPY --from=second /random /second',
    ];
    one.dockerfile(...lines('one'));
    const before = await one.build();
    one.dockerfile(...lines('two'));
    await under().forget();
    const after = await one.build();
    expect(after.how).toEqual({ 0: 'built', 1: 'restored', 3: 'built' });
    expect(after.files.first).toBe(before.files.first);
    expect(after.files.second).not.toBe(before.files.second);
  });

  it('goes on from a stage that is found to what is behind it', async () => {
    const one = project(host(), under());
    const lines = (comment: string) => [
      `FROM ${alpine()} AS dep`,
      `RUN --network=none echo same > /dep # ${comment}`,
      `FROM ${alpine()} AS middle`,
      'COPY --from=dep /dep /dep',
      `RUN --network=none ${random} > /random`,
      `FROM ${alpine()} AS last`,
      'COPY --from=middle /random /',
      `RUN --network=none ${random} > /other`,
      'FROM scratch',
      'COPY --from=last /random /other /',
    ];
    one.dockerfile(...lines('one'));
    const before = await one.build();
    one.dockerfile(...lines('two'));
    await under().forget();
    const after = await one.build();
    expect(after.how).toMatchObject({ 0: 'built', 2: 'restored' });
    expect(after.files).toEqual(before.files);
  });

  it('hands restored stages to a builder that makes the whole image', async () => {
    const one = project(host(), under());
    one.dockerfile(
      `FROM ${alpine()} AS build`,
      `RUN --network=none mkdir /out && ${random} > /out/r && chown 12:34 /out/r && chmod 4750 /out/r`,
      `FROM ${alpine()}`,
      'COPY --from=build /out /app',
      'COPY main.txt /',
      'RUN --network=none stat -c "%a %u:%g" /app/r > /stat && cat /app/r > /copy',
    );
    const first = await one.build();
    expect(first.image.plan.how).toBe('builder');
    expect(first.files.stat).toBe('file 644 0:0 4750 12:34');
    writeFileSync(join(one.folder, 'main.txt'), 'two\n');
    await under().forget();
    const second = await one.build();
    expect(second.how).toMatchObject({ 0: 'restored', 1: 'built' });
    expect(second.files).toMatchObject({
      stat: first.files.stat,
      copy: first.files.copy,
      'app/r': first.files['app/r'],
      'main.txt': 'file 644 0:0 two',
    });
  });

  it('takes a path and the folder above it as COPY does, links and all', async () => {
    const one = project(host(), under());
    one.dockerfile(
      `FROM ${alpine()} AS build`,
      'RUN --network=none mkdir -p /out /opt && echo x > /opt/x && ln -s /opt/x /out/l && echo y > /out/y',
      'FROM scratch',
      'COPY --from=build /out /folder',
      'COPY --from=build /out/l /file',
    );
    for (const how of ['built', 'restored']) {
      const { files, how: made } = await one.build();
      expect(made).toEqual({ 0: how });
      expect(files).toMatchObject({
        'folder/l': 'symlink 0:0 /opt/x',
        'folder/y': 'file 644 0:0 y',
        file: 'file 644 0:0 x',
      });
    }
  });
}

describeWith(
  'results of stages, with the engine’s own builder and a graph driver',
  { bases, registry: lab, engine: dockerEngine },
  (have) => {
    use(have.engine.env, have.engine.docker);
    suite(
      () => have.registry.host,
      () => have.bases.references['alpine:3'],
      () => ofEngine(have.engine),
    );
  },
);

describeWith(
  'results of stages, with an engine that has the containerd image store',
  { bases, registry: lab, engine: containerd },
  (have) => {
    use(have.engine.env, have.engine.docker);
    suite(
      () => have.registry.host,
      () => have.bases.references['alpine:3'],
      () => ofEngine(have.engine),
    );
  },
);

describeWith(
  'results of stages, with a BuildKit of its own',
  { bases, registry: lab, engine: dockerEngine, buildkit: kit },
  (have) => {
    use(have.engine.env, have.engine.docker);
    const name = `slipway-stages-${process.pid}`;
    beforeAll(async () => {
      await docker(have.engine, [
        'buildx',
        'create',
        '--name',
        name,
        '--driver',
        'remote',
        have.buildkit.address,
      ]);
    });
    afterAll(async () => {
      await docker(have.engine, ['buildx', 'rm', name]).catch(() => {});
    });
    const under = (): Under => ({
      env: have.engine.env,
      builder: name,
      forget: () => forgetSteps(have.buildkit),
    });
    const alpine = () => have.bases.references['alpine:3'];
    suite(() => have.registry.host, alpine, under);

    describe('and a registry that fails', () => {
      const stage = () => [
        `FROM ${alpine()} AS build`,
        `RUN --network=none ${random} > /random`,
        'FROM scratch',
        'COPY --from=build /random /',
      ];

      it('by losing blobs: the stage is made and kept anew', async () => {
        const one = project(have.registry.host, under());
        one.dockerfile(...stage());
        await one.build();
        await using proxy = await startProxy(have.registry.host, [
          {
            method: /^(GET|HEAD)$/,
            path: /\/blobs\/sha256:/,
            fault: { kind: 'answer', status: 404 },
            times: 2,
          },
        ]);
        const second = await one.build({ registry: proxy.host });
        expect(second.how).toEqual({ 0: 'built' });
        expect(second.lines.join('\n')).toMatch(/The result of build .* cannot be had/);
        expect((await one.build({ program: 'no-such-docker' })).files).toEqual(second.files);
      });

      it('by cutting and changing bytes: nothing of them is used', async () => {
        const one = project(have.registry.host, under());
        one.dockerfile(...stage());
        const first = await one.build();
        for (const fault of [
          { kind: 'corrupt' },
          { kind: 'shorten', to: 30 },
          { kind: 'lengthen' },
        ] as const) {
          await using proxy = await startProxy(have.registry.host, [
            { method: /^GET$/, path: /\/blobs\/sha256:/, fault },
          ]);
          const again = await one.build({ registry: proxy.host, run: { writable: false } });
          expect(again.how).toEqual({ 0: 'built' });
          // The builder still has the step.
          expect(again.files).toEqual(first.files);
        }
      });

      it('by refusing artifacts, or everything: the build goes on', async () => {
        const one = project(have.registry.host, under());
        one.dockerfile(...stage());
        await using denied = await startProxy(have.registry.host, [
          { method: /^(PUT|POST|PATCH)$/, path: /./, fault: { kind: 'answer', status: 403 } },
        ]);
        const first = await one.build({ registry: denied.host });
        expect(first.how).toEqual({ 0: 'built' });
        expect(first.lines.join('\n')).toMatch(/The result of build .* is not kept: /);
        await using closed = await startProxy(have.registry.host, [
          { method: /./, path: /./, fault: { kind: 'answer', status: 401 } },
        ]);
        expect((await one.build({ registry: closed.host })).how).toEqual({ 0: 'built' });
      });
    });

    it('runs a stage again that is named for it, and finds what is behind it when it came out as before', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS dep`,
        'RUN --network=none echo same > /dep',
        `FROM ${alpine()} AS build`,
        'COPY --from=dep /dep /dep',
        `RUN --network=none ${random} > /random`,
        'FROM scratch',
        'COPY --from=build /random /',
      );
      const first = await one.build();
      const runs = {
        network: undefined,
        addHosts: [],
        ulimit: [],
        shmSize: undefined,
        cgroupParent: undefined,
      };
      const again: BuildHow = {
        request: { runs: { ...runs, secrets: [], ssh: [], again: ['dep'] } },
        make: { builder: { ...noSettings, builder: name, noCacheFilters: ['dep'] } },
      };
      await one.build(again);
      await under().forget();
      const third = await one.build(again);
      expect(third.how).toEqual({ 0: 'built', 1: 'restored' });
      expect(third.files).toEqual(first.files);
    });

    it('asks once for all stages, and moves nothing but what is restored', async () => {
      const one = project(have.registry.host, under());
      const stages = [1, 2, 3, 4].flatMap((at) => [
        `FROM ${alpine()} AS s${at}`,
        `RUN --network=none ${random} > /r${at}`,
      ]);
      one.dockerfile(...stages, 'FROM scratch', ...[1, 2, 3, 4].map((at) => `COPY --from=s${at} /r${at} /`));
      await one.build();
      await using proxy = await startProxy(have.registry.host);
      await one.build({ registry: proxy.host, program: 'no-such-docker' });
      const asked = proxy.seen.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f]{32,}/, '…')}`);
      expect(asked.filter((line) => line.includes('/manifests/'))).toEqual([
        `GET /v2/${one.repository}/manifests/slipway-stages-…`,
      ]);
      // The four results, and the keys of the last build.
      expect(asked.filter((line) => line.includes('/blobs/'))).toHaveLength(5);
    });

    it('holds bases to what their keys were made from, when a tag moves meanwhile', async () => {
      const one = project(have.registry.host, under());
      const place = { registry: have.registry.host, repository: `${one.repository}-base` };
      const push = async (text: string) => {
        one.dockerfile(`FROM ${alpine()}`, `RUN --network=none echo ${text} > /text`);
        const output = `type=image,name=${place.registry}/${place.repository}:${text},push=true`;
        const args = ['buildx', 'build', '--builder', name, '--provenance=false', '--output', output];
        await docker(have.engine, [...args, one.folder]);
      };
      await push('before');
      await push('after');
      const move = async (text: string) => {
        const { bytes, descriptor } = await client.manifest({ ...place, tag: text });
        await client.putManifest({ ...place, tag: 'moving' }, bytes, descriptor.mediaType);
      };
      await move('before');
      const base = `${place.registry}/${place.repository}:moving`;
      one.dockerfile(
        `FROM ${base} AS build`,
        'RUN --network=none cp /text /out',
        'FROM scratch',
        'COPY --from=build /out /',
        `COPY --from=${base} /text /copied`,
      );
      const { files } = await one.build({ meanwhile: () => move('after') });
      expect(files).toMatchObject({ out: 'file 644 0:0 before', copied: 'file 644 0:0 before' });
      expect((await one.build()).files).toMatchObject({
        out: 'file 644 0:0 after',
        copied: 'file 644 0:0 after',
      });
    });

    it('hands each platform its own, when a builder makes the whole image for several', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS build`,
        'ARG TARGETARCH',
        `RUN --network=none (echo $TARGETARCH && ${random}) > /r`,
        `FROM ${alpine()}`,
        'ARG TARGETARCH',
        'COPY main.txt /',
        'COPY --from=build /r /r',
        'RUN --network=none grep -x $TARGETARCH /r > /arch',
      );
      const platforms = ['amd64', '386'].map((architecture) => ({ os: 'linux', architecture }));
      const first = await one.build({ request: { platforms } });
      expect(first.image.platforms).toHaveLength(2);
      writeFileSync(join(one.folder, 'main.txt'), 'two\n');
      await under().forget();
      const second = await one.build({ request: { platforms } });
      expect(second.image.outcomes.filter(({ how }) => how === 'restored')).toHaveLength(2);
      expect(second.files.r).toBe(first.files.r);
      expect(second.files.arch).toBe('file 644 0:0 amd64');
    });

    it('hands each platform the folder that is given for it', async () => {
      const one = project(have.registry.host, under(), {
        'made/amd64/app': 'for amd64',
        'made/386/app': 'for 386',
      });
      one.dockerfile(
        'FROM nowhere.invalid/golang AS build',
        'RUN false',
        `FROM ${alpine()}`,
        'ARG TARGETARCH',
        'COPY --from=build /app /app',
        'RUN --network=none grep "for $TARGETARCH" /app > /found',
      );
      const platforms = ['amd64', '386'].map((architecture) => ({ os: 'linux', architecture }));
      const handedIn = {
        build: ({ architecture }: { architecture: string }) => join(one.folder, 'made', architecture),
      };
      const { files, image } = await one.build({ request: { platforms, handedIn } });
      expect(image.platforms).toHaveLength(2);
      expect(files.found).toBe('file 644 0:0 for amd64');
    });

    it('keeps nothing of a context that changed meanwhile', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS build`,
        'COPY main.txt /',
        'RUN --network=none cp /main.txt /out',
        'FROM scratch',
        'COPY --from=build /out /',
      );
      const change = async () => writeFileSync(join(one.folder, 'main.txt'), 'meanwhile\n');
      await one.build({ meanwhile: change });
      writeFileSync(join(one.folder, 'main.txt'), 'one\n');
      expect((await one.build()).files.out).toBe('file 644 0:0 one');
    });

    it('keeps triggers of a base that is held to its digest', async () => {
      const one = project(have.registry.host, under());
      const base = `${have.registry.host}/${one.repository}-base:1`;
      one.dockerfile(
        `FROM ${alpine()}`,
        'ENV FROM_BASE=yes',
        'ONBUILD RUN --network=none echo "$FROM_BASE" > /triggered',
      );
      await docker(have.engine, [
        ...['buildx', 'build', '--builder', name, '--provenance=false'],
        ...['--output', `type=image,name=${base},push=true,oci-mediatypes=false`, one.folder],
      ]);
      one.dockerfile(
        `FROM ${base} AS build`,
        'RUN --network=none cp /triggered /out',
        'FROM scratch',
        'COPY --from=build /out /',
      );
      expect((await one.build()).files.out).toBe('file 644 0:0 yes');
    });

    describe('that are verified', () => {
      const lines = (command: string) => [
        `FROM ${alpine()} AS build`,
        `RUN --network=none mkdir /out && echo same > /out/same && ${command} > /out/x`,
        'FROM scratch',
        'COPY --from=build /out /',
      ];
      const all: BuildHow = { make: { verifyReuse: 1 } };

      it('come out the same when they are made again, or fail with the paths that differ', async () => {
        const one = project(have.registry.host, under());
        one.dockerfile(...lines('echo same'));
        const first = await one.build();
        const second = await one.build(all);
        expect(second.how).toEqual({ 0: 'restored' });
        expect(second.files).toEqual(first.files);
        expect(second.lines).toContain('the same when made again');
        one.dockerfile(...lines(random));
        await one.build();
        const failure = (await one.build(all).catch((error: unknown) => error)) as Failure;
        expect(failure).toBeInstanceOf(Failure);
        expect(failure.message).toMatch(
          /^The stage "build", restored from .*, came out differently .*: \/out\/x: another content\. A RUN/,
        );
        expect(failure.location).toMatchObject({ file: 'Dockerfile', line: 1 });
      });

      it('are drawn one by one', async () => {
        const one = project(have.registry.host, under());
        one.dockerfile(...lines(random));
        await one.build();
        const draws = [0.04, 0.06];
        const how = { make: { verifyReuse: 0.05, random: () => draws.pop()! } };
        expect((await one.build(how)).how).toEqual({ 0: 'restored' });
        await expect(one.build(how)).rejects.toThrow(/came out differently/);
      });

      it('as a whole image, too', async () => {
        const one = project(have.registry.host, under());
        const layout = join(one.folder, '.slipway', 'image');
        one.dockerfile(...lines('echo same'));
        await one.build({ layout });
        const second = await one.build({ ...all, layout });
        expect(second.image.reused).toBe(true);
        expect(second.lines).toContain('the image came out the same when it was made again');
        one.dockerfile(...lines(random));
        await one.build({ layout });
        await expect(one.build({ ...all, layout })).rejects.toThrow(
          /^The image for .* under this key came out differently .*: \/x: another content/,
        );
      });
    });

    it('keeps nothing of a run that others do not believe, and reads all the same', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS build`,
        `RUN --network=none ${random} > /random`,
        'FROM scratch',
        'COPY --from=build /random /',
      );
      await one.build({ run: { writable: false }, make: { trusted: false } });
      expect(await client.tags({ registry: have.registry.host, repository: one.repository })).toEqual([]);
      const first = await one.build();
      const second = await one.build({
        program: 'no-such-docker',
        run: { writable: false },
        make: { trusted: false },
      });
      expect(second.files).toEqual(first.files);
    });

    it('looks at nothing where everything is to be made again, and what is made takes its place', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS build`,
        `RUN --network=none ${random} > /random`,
        'FROM scratch',
        'COPY --from=build /random /',
      );
      const first = await one.build();
      await under().forget();
      const second = await one.build({ make: { reuse: false } });
      expect(second.how).toEqual({ 0: 'built' });
      expect(second.files.random).not.toBe(first.files.random);
      expect((await one.build({ program: 'no-such-docker' })).files).toEqual(second.files);
    });

    it('keeps no result of a build that failed', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS build`,
        'RUN --network=none echo x > /x && false',
        'FROM scratch',
        'COPY --from=build /x /',
      );
      const failure = await one.build().catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Failure);
      expect((failure as Failure).location).toMatchObject({ line: 2 });
      expect(await client.tags({ registry: have.registry.host, repository: one.repository })).toEqual([]);
    });

    it('tells a failure behind a restored stage at its line', async () => {
      const one = project(have.registry.host, under());
      const lines = (command: string) => [
        `FROM ${alpine()} AS dep`,
        'RUN --network=none \\',
        '  echo x > /x',
        `FROM ${alpine()} AS build`,
        'COPY --from=dep /x /x',
        `RUN --network=none ${command} > /out`,
        'FROM scratch',
        'COPY --from=build /out /',
      ];
      one.dockerfile(...lines('cat /x'));
      await one.build();
      one.dockerfile(...lines('cat /nothing'));
      const failure = (await one.build().catch((error: unknown) => error)) as Failure;
      expect(failure).toBeInstanceOf(Failure);
      expect(failure.location).toMatchObject({ file: 'Dockerfile', line: 6 });
    });

    it('runs a base again for the stage on it, and takes its files from that run', async () => {
      const one = project(have.registry.host, under());
      one.dockerfile(
        `FROM ${alpine()} AS base`,
        'RUN --network=none mkdir /b && echo base > /b/base',
        'FROM base AS build',
        'COPY main.txt /',
        'RUN --network=none cat /b/base /main.txt > /out',
        'FROM scratch',
        'COPY --from=build /out /',
        'COPY --from=base /b /b',
      );
      const first = await one.build();
      expect(first.how).toEqual({ 0: 'built', 1: 'built' });
      writeFileSync(join(one.folder, 'main.txt'), 'two\n');
      await under().forget();
      const second = await one.build();
      expect(second.how).toMatchObject({ 0: 'built', 1: 'built' });
      expect(second.files).toMatchObject({ out: 'file 644 0:0 base\ntwo', 'b/base': 'file 644 0:0 base' });
    });
  },
);
