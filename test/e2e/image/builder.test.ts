import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { definition } from '../../../actions/docker-multistage/definition.ts';
import { main } from '../../../actions/docker-multistage/run.ts';
import { run } from '../../../shared/exec/index.ts';
import { Failure, readInputs } from '../../../shared/host/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import {
  baseImages,
  buildkit,
  containerdEngine,
  crane,
  describeWith,
  docker,
  engine,
  registry,
} from '../../lab/index.ts';
import { memoryHost, runAction } from '../../unit/image/host.ts';

const [bases, craneTool, lab, dockerEngine, containerd, kit] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
  containerdEngine(),
  buildkit(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-builder-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

function project(name: string, dockerfile: string): string {
  const folder = mkdtempSync(join(root, `${name}-`));
  makeContext(folder, { 'main.txt': 'source\n', 'conf/a': 'a\n' });
  writeFileSync(join(folder, 'Dockerfile'), dockerfile);
  return folder;
}

describeWith(
  'stages that need a container',
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
    const check = (...args: string[]) =>
      run({ program: have.crane.program, args }).then(({ stdout }) => stdout.toString());
    const list = async (tag: string) => {
      const { stdout } = await run({
        program: 'sh',
        args: ['-c', '"$1" export "$2" - | tar -tvf - --numeric-owner', 'sh', have.crane.program, tag],
      });
      return stdout.toString();
    };

    it('are run by a builder, and only what later stages copy comes back, owners and modes too', async () => {
      const folder = project(
        'stage',
        `FROM ${alpine()} AS build\nWORKDIR /src\nCOPY . .\nRUN mkdir -p /out/d && cp main.txt /out/app && chown 12:34 /out/app && chmod 4750 /out/app && ln -s app /out/link && echo x > /out/d/x && dd if=/dev/zero of=/large bs=1M count=20\nFROM scratch\nCOPY --from=build /out/app /out/link /bin/\nCOPY --from=build /out/d /d\nCOPY conf /conf\n`,
      );
      const tag = `${have.registry.host}/e2e/stage:1`;
      const done = await runAction(folder, { tags: tag, push: 'true' });
      await check('validate', '--remote', tag);
      const plan = JSON.parse(done.outputs.plan!);
      expect(plan).toMatchObject({ how: 'assembled', key: expect.stringMatching(/^sha256:/) });
      expect(plan.platforms[0].stages[0]).toMatchObject({
        stage: 'build',
        how: 'builder',
        detail: expect.stringContaining('line 4: RUN needs a container'),
      });
      const files = await list(tag);
      expect(files).toMatch(/-rwsr-x--- 12\/34 +7 .* bin\/app/);
      expect(files).toMatch(/-rwsr-x--- 12\/34 +7 .* bin\/link/);
      expect(files).toMatch(/ d\/x/);
      expect(files).not.toMatch(/large/);
    });

    it('get build arguments and secrets, and no secret is told', async () => {
      const folder = project(
        'secret',
        `FROM ${alpine()} AS build\nARG WHO=nobody\nRUN --mount=type=secret,id=token --mount=type=secret,id=two sh -c 'test "$(wc -c < /run/secrets/token)" = 9 && test "$(wc -l < /run/secrets/two)" = 1 && echo "$WHO" > /who'\nFROM scratch\nCOPY --from=build /who /who\n`,
      );
      const done = await runAction(folder, {
        layout: 'out',
        'build-args': 'WHO=me',
        secrets: 'token=hush-hush\n"two=line 1\nline 2"',
      });
      expect(done.secrets).toEqual(['hush-hush', 'line 1\nline 2']);
      expect(done.lines.join('\n')).not.toContain('hush-hush');
      expect(done.outputs.plan).not.toContain('hush-hush');
    });

    it('that fail are a sentence at their line', async () => {
      const folder = project(
        'fail',
        `FROM ${alpine()} AS build\n\nRUN echo before && \\\n    exit 7\nFROM scratch\nCOPY --from=build /x /x\n`,
      );
      const failure = await runAction(folder, { layout: 'out' }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Failure);
      expect((failure as Failure).message).toMatch(/^\[build \d\/2\] RUN echo before .*exit code: 7\.$/s);
      expect((failure as Failure).location).toMatchObject({ file: 'Dockerfile', line: 3 });
    });

    it('that lack what is copied from them are a sentence at the COPY', async () => {
      const folder = project(
        'lack',
        `FROM ${alpine()} AS build\nRUN true\nFROM scratch\nCOPY conf /c\nCOPY --from=build /bin/true /out/nope /x/\n`,
      );
      const failure = await runAction(folder, { layout: 'out' }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Failure);
      expect((failure as Failure).message).toMatch(
        /^COPY \/bin\/true \/out\/nope \/x\/: .*"\/out\/nope": not found\.$/s,
      );
      expect((failure as Failure).location).toMatchObject({ file: 'Dockerfile', line: 5 });
    });

    it('that make the image itself are built as a whole, here with the engine’s graph driver', async () => {
      const folder = project(
        'whole',
        `FROM ${alpine()}\nRUN echo hi > /hi\nCOPY main.txt /\nLABEL a=b\nUSER 1:2\n`,
      );
      const tag = `${have.registry.host}/e2e/whole:1`;
      const done = await runAction(folder, {
        tags: tag,
        push: 'true',
        layout: 'out',
        labels: 'c=d',
        annotations: 'one=1\nmanifest-descriptor:two=2',
      });
      expect(JSON.parse(await check('manifest', tag)).annotations).toEqual({ one: '1' });
      const { manifests } = JSON.parse(readFileSync(join(folder, 'out/index.json'), 'utf8'));
      expect(manifests[0].annotations).toMatchObject({ two: '2' });
      expect(JSON.parse(done.outputs.plan!)).toMatchObject({
        how: 'builder',
        because: 'Dockerfile, line 2: RUN needs a container',
      });
      await check('validate', '--remote', tag);
      expect(await check('digest', tag)).toBe(`${done.outputs.digest}\n`);
      expect(JSON.parse(await check('config', tag)).config).toMatchObject({
        Labels: { a: 'b', c: 'd' },
        User: '1:2',
      });
      expect(await list(tag)).toMatch(/ hi$/m);
    });

    it('that make the image itself cannot carry BuildKit’s attestations through a graph driver', async () => {
      const folder = project('attested', `FROM ${alpine()}\nRUN echo never built\n`);
      const host = memoryHost(folder);
      const inputs: Record<string, string> = { layout: 'out', attests: 'type=provenance,mode=max' };
      const failure = await main(
        host,
        readInputs(definition, (name) => inputs[name]),
      ).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(Failure);
      expect((failure as Failure).message).toMatch(
        /^The attestation type=provenance,mode=max .*docker-container/,
      );
      expect(host.lines.join('\n')).not.toContain('never built');
    });

    it('are handed in instead, and no builder is asked', async () => {
      const folder = project(
        'handed',
        `FROM nowhere.invalid/golang AS build\nRUN false\nFROM scratch\nCOPY --from=build /out/app /app\n`,
      );
      makeContext(join(folder, 'made/amd64'), { 'out/app': { text: 'binary', mode: 0o755 } });
      const done = await runAction(folder, {
        layout: 'out',
        platforms: 'linux/amd64',
        stages: 'build=made/{arch}',
      });
      expect(JSON.parse(done.outputs.plan!).platforms[0].stages[0]).toMatchObject({ how: 'handed in' });
    });

    it('load into the engine and run', async () => {
      const folder = project(
        'load',
        `FROM ${alpine()}\nCOPY --chmod=755 conf/a /a\nENTRYPOINT ["cat", "/a"]\n`,
      );
      const tag = `slipway-e2e-${process.pid}:1`;
      const done = await runAction(folder, { tags: tag, load: 'true' });
      const ran = await docker(have.engine, ['run', '--rm', '--network', 'none', tag]);
      expect(ran.stdout.toString()).toBe('a\n');
      const inspected = JSON.parse((await docker(have.engine, ['image', 'inspect', tag])).stdout.toString());
      expect(inspected[0].Id).toBe(done.outputs.imageid);
      const again = await runAction(folder, { tags: `${tag}\nslipway-e2e-${process.pid}:2`, load: 'true' });
      expect(again.lines).toContain('there already');
      await docker(have.engine, ['image', 'inspect', `slipway-e2e-${process.pid}:2`]);
    });

    it('without a builder: one sentence with the two ways out', async () => {
      const folder = project(
        'none',
        `FROM ${alpine()} AS build\nRUN true\nFROM scratch\nCOPY --from=build /bin/true /x\n`,
      );
      const failure = await runAction(folder, { layout: 'out', builder: 'no-such-builder' }).catch(
        (error: unknown) => error,
      );
      expect(failure).toBeInstanceOf(Failure);
      expect((failure as Failure).message).toMatch(
        /^The stage "build" has to be run \(Dockerfile, line 2\).*no builder.*stages: NAME=FOLDER.*start Docker/s,
      );
    });
  },
);

describeWith('an engine with the containerd image store', { engine: containerd }, (have) => {
  const before = { ...process.env };
  beforeAll(() =>
    Object.assign(process.env, have.engine.env, {
      PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
    }),
  );
  afterAll(() => {
    for (const name of ['PATH', ...Object.keys(have.engine.env)]) process.env[name] = before[name] ?? '';
  });
  const inspect = async (tag: string) =>
    JSON.parse((await docker(have.engine, ['image', 'inspect', tag])).stdout.toString())[0];

  it('knows an image by the digest of its manifest, and takes it once', async () => {
    const folder = project('load', 'FROM scratch\nCOPY conf/a /a\nCMD ["/a"]\n');
    const inputs = { load: 'true', layout: 'out', annotations: 'a=b' };
    const first = await runAction(folder, { ...inputs, tags: 'slipway-e2e-store:1' });
    expect(first.lines).not.toContain('there already');
    expect(await inspect('slipway-e2e-store:1')).toMatchObject({
      Id: first.outputs.digest,
      RepoTags: ['slipway-e2e-store:1'],
      Config: { Cmd: ['/a'] },
    });
    const again = await runAction(folder, {
      ...inputs,
      tags: 'slipway-e2e-store:1\nexample.com:5000/other/name',
    });
    expect(again.lines).toContain('there already');
    expect((await inspect('example.com:5000/other/name:latest')).Id).toBe(first.outputs.digest);
    const listed = await docker(have.engine, [
      'image',
      'ls',
      '--quiet',
      '--no-trunc',
      '--filter',
      'dangling=true',
    ]);
    expect(listed.stdout.toString()).toBe('');
    await docker(have.engine, ['create', '--name', 'slipway-e2e-store', 'slipway-e2e-store:1']);
  });

  it('exports attestations, which it has a place for', async () => {
    const folder = project('attested', 'FROM scratch\nCOPY conf/a /a\n');
    const done = await runAction(folder, { layout: 'out', attests: 'type=provenance,mode=max' });
    const index = join(folder, 'out/blobs', done.outputs.digest!.replace(':', '/'));
    expect(JSON.parse(readFileSync(index, 'utf8')).manifests).toHaveLength(2);
  });
});

describeWith(
  'a builder of its own',
  { bases, crane: craneTool, registry: lab, engine: dockerEngine, buildkit: kit },
  (have) => {
    const name = `slipway-e2e-${process.pid}`;
    const before = { ...process.env };
    beforeAll(async () => {
      Object.assign(process.env, have.engine.env, {
        PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
      });
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
      for (const key of ['PATH', ...Object.keys(have.engine.env)]) process.env[key] = before[key] ?? '';
    });

    it('exports a whole image, attestations included', async () => {
      const folder = project('whole', `FROM ${have.bases.references['alpine:3']}\nRUN echo hi > /hi\n`);
      const tag = `${have.registry.host}/e2e/attested:1`;
      const done = await runAction(folder, {
        tags: tag,
        push: 'true',
        builder: name,
        attests: 'type=provenance,mode=max',
        annotations: 'a=b',
        compression: 'zstd',
      });
      expect(JSON.parse(done.outputs.plan!).because).toBe('attestations of BuildKit’s are asked for');
      await run({ program: have.crane.program, args: ['validate', '--remote', tag] }).catch(() => {});
      const { stdout } = await run({ program: have.crane.program, args: ['manifest', tag] });
      const index = JSON.parse(stdout.toString());
      expect(index.manifests).toHaveLength(2);
      expect(index.manifests[1].annotations).toMatchObject({
        'vnd.docker.reference.type': 'attestation-manifest',
      });
    });

    it('makes the same bytes twice', async () => {
      const dockerfile = `FROM ${have.bases.references['alpine:3']}\nRUN echo hi > /hi\nCOPY . /src\n`;
      const one = await runAction(project('same', dockerfile), {
        layout: 'out',
        builder: name,
        'no-cache': 'true',
      });
      const two = await runAction(project('same', dockerfile), {
        layout: 'out',
        builder: name,
        'no-cache': 'true',
      });
      expect(two.outputs.digest).toBe(one.outputs.digest);
    });
  },
);
