import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type NamedContext, parseDockerfile, resolveGraph } from '../../../shared/dockerfile/index.ts';
import { run } from '../../../shared/exec/index.ts';
import type { ImageConfig, Index, Manifest } from '../../../shared/oci/index.ts';
import { buildkit, describeWith } from '../../lab/index.ts';
import { type Build, cases } from './cases.ts';
import { comparable } from './compare.ts';

/** Cases that a daemon can build with nothing at hand: scratch, and no file of the context, no command, no network. */
const metadata = Object.entries(cases).filter(
  ([, { dockerfile }]) =>
    !/^\s*(run|copy|add)\b/im.test(dockerfile) && !/^from (?!scratch|[a-z] |[a-z]$)/im.test(dockerfile),
);

/** Contexts in the place of stages; each folder holds the file `app`. */
const replaced: Readonly<Record<string, Build>> = {
  'a stage that is copied from': {
    dockerfile:
      'FROM nothing AS build\nRUN never\nFROM scratch\nWORKDIR /w\nCOPY --from=build app /app\nENTRYPOINT ["/app"]\n',
  },
  'a stage behind its reader': {
    dockerfile: 'FROM scratch AS a\nCOPY --from=build app /app\nFROM scratch AS build\nFROM a\n',
  },
  'a source that is no stage': { dockerfile: 'FROM scratch\nCOPY --from=build app /app\n' },
};

describeWith(
  'A BuildKit daemon writes the same configuration',
  { daemon: await buildkit() },
  ({ daemon }) => {
    async function built(build: Build, folder: string, contexts: readonly string[]): Promise<unknown> {
      await writeFile(join(folder, 'Dockerfile'), build.dockerfile);
      const file = join(folder, 'image.tar');
      const options = [
        `platform=${build.platform ?? 'linux/arm64'}`,
        'label:given=label',
        ...(build.target === undefined ? [] : [`target=${build.target}`]),
        ...Object.entries(build.buildArgs ?? {}).map(([name, value]) => `build-arg:${name}=${value}`),
        ...contexts.map((name) => `context:${name}=local:${name}`),
      ].flatMap((option) => ['--opt', option]);
      const locals = ['context', 'dockerfile', ...contexts].flatMap((name) => [
        '--local',
        `${name}=${folder}`,
      ]);
      const args = [
        '--addr',
        daemon.address,
        'build',
        '--frontend',
        'dockerfile.v0',
        ...options,
        ...locals,
        '--output',
        `type=oci,dest=${file}`,
      ];
      await run({ program: daemon.buildctl, args, timeout: 120_000 });
      return comparable(await configIn(file));
    }

    async function resolved(build: Build, contexts: ReadonlyMap<string, NamedContext>): Promise<unknown> {
      const [os, architecture, variant] = (build.platform ?? 'linux/arm64').split('/') as [
        string,
        string,
        string?,
      ];
      const graph = await resolveGraph(parseDockerfile(build.dockerfile, 'Dockerfile'), {
        target: build.target,
        platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
        buildArgs: build.buildArgs,
        labels: { given: 'label' },
        contexts,
        configOf: () => Promise.reject(new Error('no base is needed')),
      });
      return comparable(graph.stages.find((stage) => stage.index === graph.target)!.config);
    }

    async function compare(build: Build, names: readonly string[]): Promise<void> {
      const folder = await mkdtemp(join(tmpdir(), 'slipway-dockerfile-'));
      try {
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, 'app'), 'app');
        const contexts = new Map(names.map((name) => [name, { kind: 'directory', path: folder } as const]));
        expect(await resolved(build, contexts)).toEqual(await built(build, folder, names));
      } finally {
        await rm(folder, { recursive: true });
      }
    }

    it.each(metadata)('for %s', (_, build) => compare(build, []));
    it.each(Object.entries(replaced))('with a directory in the place of %s', (_, build) =>
      compare(build, ['build']),
    );
  },
);

/** The configuration of the only image in an OCI layout that is packed in a tar archive. */
async function configIn(file: string): Promise<ImageConfig> {
  const index = await member<Index>(file, 'index.json');
  const manifest = await blob<Manifest>(file, index.manifests[0]!.digest);
  return blob<ImageConfig>(file, manifest.config.digest);
}

const blob = <T>(file: string, digest: string) => member<T>(file, `blobs/${digest.replace(':', '/')}`);

async function member<T>(file: string, name: string): Promise<T> {
  const { stdout } = await run({ program: 'tar', args: ['-xOf', file, name] });
  return JSON.parse(stdout.toString());
}
