import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../../../shared/exec/index.ts';
import { makeContext } from '../../conformance/image/context.ts';
import {
  type BuildKit,
  baseImages,
  buildkit,
  crane,
  describeWith,
  docker,
  engine,
  freshBuildkit,
  registry,
} from '../../lab/index.ts';
import { runAction } from '../../unit/image/host.ts';

const [bases, craneTool, lab, dockerEngine, kit] = await Promise.all([
  baseImages(),
  crane(),
  registry(),
  engine(),
  buildkit(),
]);
const root = mkdtempSync(join(tmpdir(), 'slipway-options-e2e-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Each option does what it does with plain buildx: a RUN sees it, in a stage whose files are taken and in one that is the image. */
describeWith(
  'what users ask of a builder',
  { bases, crane: craneTool, registry: lab, engine: dockerEngine, buildkit: kit },
  (have) => {
    const before = { ...process.env };
    const builders: (BuildKit & AsyncDisposable)[] = [];
    const names: string[] = [];
    beforeAll(() =>
      Object.assign(process.env, have.engine.env, {
        PATH: `${join(have.engine.docker, '..')}:${before.PATH}`,
      }),
    );
    afterAll(async () => {
      for (const name of names) await docker(have.engine, ['buildx', 'rm', name]).catch(() => {});
      for (const builder of builders) await builder[Symbol.asyncDispose]();
      for (const key of ['PATH', ...Object.keys(have.engine.env)]) process.env[key] = before[key] ?? '';
    });
    async function builder(): Promise<string> {
      const own = await freshBuildkit();
      builders.push(own);
      const name = `slipway-options-${process.pid}-${builders.length}`;
      await docker(have.engine, ['buildx', 'create', '--name', name, '--driver', 'remote', own.address]);
      names.push(name);
      return name;
    }
    let shared: string;
    beforeAll(async () => {
      shared = await builder();
    });

    let builds = 0;
    /** What files at the root of an image hold, for which a stage ran steps. */
    async function made(
      steps: readonly string[],
      files: readonly string[],
      inputs: Readonly<Record<string, string>>,
      kind: 'stage' | 'image' = 'stage',
    ): Promise<string[]> {
      const folder = mkdtempSync(join(root, 'project-'));
      makeContext(folder, { 'conf/a': 'a\n' });
      const from = have.bases.references['alpine:3'];
      const last =
        kind === 'stage' ? ['FROM scratch', ...files.map((file) => `COPY --from=build ${file} ${file}`)] : [];
      writeFileSync(join(folder, 'Dockerfile'), [`FROM ${from} AS build`, ...steps, ...last, ''].join('\n'));
      const tag = `${have.registry.host}/e2e/options:${process.pid}-${++builds}`;
      const options = { builder: shared, store: 'none', 'reuse-tag': 'false', lint: 'false' };
      await runAction(folder, { ...options, tags: tag, push: 'true', ...inputs });
      return await Promise.all(
        files.map(async (file) => {
          const { stdout } = await run({
            program: 'sh',
            args: [
              '-c',
              '"$1" export "$2" - | tar -xOf - "$3"',
              'sh',
              have.crane.program,
              tag,
              file.slice(1),
            ],
          });
          return stdout.toString().trim();
        }),
      );
    }
    const see = async (command: string, inputs: Readonly<Record<string, string>>, kind?: 'stage' | 'image') =>
      (await made([`RUN ${command} > /seen`], ['/seen'], inputs, kind))[0]!;

    it.each(['stage', 'image'] as const)('ulimit, for a %s', async (kind) => {
      expect(await see('ulimit -n', { ulimit: 'nofile=1234:1234' }, kind)).toBe('1234');
      expect(await see('ulimit -n', {}, kind)).not.toBe('1234');
    });

    it.each(['stage', 'image'] as const)('shm-size, for a %s', async (kind) => {
      const command = 'grep " /dev/shm " /proc/mounts';
      expect(await see(command, { 'shm-size': '17m' }, kind)).toMatch(/size=17408k/);
      expect(await see(command, {}, kind)).not.toMatch(/size=17408k/);
    });

    it.each(['stage', 'image'] as const)('add-hosts, for a %s', async (kind) => {
      const command = 'grep -c "10.9.8.7.*db" /etc/hosts || true';
      expect(await see(`sh -c '${command}'`, { 'add-hosts': 'db:10.9.8.7' }, kind)).toBe('1');
      expect(await see(`sh -c '${command}'`, {}, kind)).toBe('0');
    });

    it.each(['stage', 'image'] as const)('network, for a %s', async (kind) => {
      const interfaces = 'tail -n +3 /proc/net/dev';
      const none = await see(interfaces, { network: 'none' }, kind);
      const host = await see(interfaces, { network: 'host', allow: 'network.host' }, kind);
      const names = (text: string) => text.split('\n').map((line) => line.split(':')[0]!.trim());
      expect(names(none)).toEqual(['lo']);
      expect(names(host).length).toBeGreaterThan(1);
    });

    it.each(['stage', 'image'] as const)('cgroup-parent, for a %s', async (kind) => {
      const parent = `/slipway-options-${kind}`;
      expect(await see('cat /proc/self/cgroup', { 'cgroup-parent': parent }, kind)).toContain(parent);
    });

    const random = 'cat /proc/sys/kernel/random/uuid';

    it.each(['stage', 'image'] as const)('no-cache, for a %s', async (kind) => {
      const mark = `# ${kind}`;
      const first = await see(`${random} ${mark}`.replace(mark, ''), {}, kind);
      expect(await see(`${random} `, {}, kind)).toBe(first);
      expect(await see(`${random} `, { 'no-cache': 'true' }, kind)).not.toBe(first);
    });

    it('no-cache-filters', async () => {
      const from = have.bases.references['alpine:3'];
      const steps = [
        `RUN ${random} > /kept`,
        `FROM ${from} AS again`,
        `RUN ${random} > /made`,
        `FROM build AS both`,
        'COPY --from=again /made /made',
      ];
      const both = (inputs: Readonly<Record<string, string>>) =>
        made(steps, ['/kept', '/made'], inputs, 'image');
      const first = await both({});
      expect(await both({})).toEqual(first);
      const [kept, fresh] = await both({ 'no-cache-filters': 'again' });
      expect(kept).toBe(first[0]);
      expect(fresh).not.toBe(first[1]);
    });

    it.each(['stage', 'image'] as const)('cache-to and cache-from, for a %s', async (kind) => {
      const cache = mkdtempSync(join(root, 'cache-'));
      const command = `${random} && echo ${kind}`;
      const first = await see(
        `sh -c '${command}'`,
        { 'cache-to': `type=local,dest=${cache},mode=max` },
        kind,
      );
      const [fresh, other] = [await builder(), await builder()];
      const from = { 'cache-from': `type=local,src=${cache}` };
      expect(await see(`sh -c '${command}'`, { ...from, builder: fresh }, kind)).toBe(first);
      expect(await see(`sh -c '${command}'`, { builder: other }, kind)).not.toBe(first);
    });

    it('annotations at every level of an image that BuildKit makes', async () => {
      const folder = mkdtempSync(join(root, 'annotated-'));
      makeContext(folder, { 'conf/a': 'a\n' });
      writeFileSync(join(folder, 'Dockerfile'), 'FROM scratch\nCOPY conf /conf\n');
      const tag = `${have.registry.host}/e2e/options-annotated:1`;
      const done = await runAction(folder, {
        builder: shared,
        tags: tag,
        push: 'true',
        layout: 'out',
        platforms: 'linux/amd64,linux/arm64',
        attests: 'type=provenance',
        annotations: [
          'manifest:m=1',
          'manifest[linux/arm64]:arm=2',
          'manifest-descriptor:d=3',
          'manifest-descriptor[linux/amd64]:amd=4',
          'index:i=5',
          'index-descriptor:id=6',
        ].join('\n'),
      });
      expect(JSON.parse(done.outputs.plan!).how).toBe('builder');
      const read = async (reference: string) =>
        JSON.parse(
          (await run({ program: have.crane.program, args: ['manifest', reference] })).stdout.toString(),
        );
      const index = await read(tag);
      expect(index.annotations).toEqual({ i: '5' });
      const [amd, arm] = ['amd64', 'arm64'].map((architecture) =>
        index.manifests.find(
          (one: { platform: { architecture: string } }) => one.platform.architecture === architecture,
        ),
      );
      expect(amd.annotations).toEqual({ d: '3', amd: '4' });
      expect(arm.annotations).toEqual({ d: '3' });
      const repository = tag.replace(/:1$/, '');
      expect((await read(`${repository}@${amd.digest}`)).annotations).toEqual({ m: '1' });
      expect((await read(`${repository}@${arm.digest}`)).annotations).toEqual({ m: '1', arm: '2' });
      const { manifests } = JSON.parse(readFileSync(join(folder, 'out/index.json'), 'utf8'));
      expect(manifests[0].annotations).toMatchObject({ id: '6' });
      const metadata = JSON.parse(done.outputs.metadata!);
      expect(metadata).toMatchObject({ 'containerimage.digest': done.outputs.digest, 'image.name': tag });
    });
  },
);
