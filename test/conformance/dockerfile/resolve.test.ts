import { expect, it } from 'vitest';
import { parseDockerfile, resolveGraph } from '../../../shared/dockerfile/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import type { ContainerConfig, ImageConfig } from '../../../shared/oci/index.ts';
import { describeWith } from '../../lab/index.ts';
import { type Build, cases, refused } from './cases.ts';
import { comparable, type Operation, ourOperations, theirOperations } from './compare.ts';
import { random, randomBuild } from './generate.ts';
import { buildkitCorpus, type Oracle, oracle } from './oracle.ts';

const image = (config: ContainerConfig): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  author: 'someone',
  config,
  rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] },
  history: [{ created_by: 'the base', created: '2020-01-01T00:00:00Z' }],
});

/** What the registries of these tests hold; * answers for every other name. */
const images: Readonly<Record<string, ImageConfig>> = {
  'docker.io/library/base:latest': image({
    Env: ['FOO=bar', 'PATH=/bin', 'A=base'],
    WorkingDir: '/base',
    User: 'nobody',
    Cmd: ['sh'],
    Labels: { a: 'b' },
    ExposedPorts: { '1/tcp': {} },
    OnBuild: ['ENV trig=$A', 'COPY --from=trigimg /x /y', 'RUN <<E\nx\nE'],
  }),
  '*': image({
    Env: ['X'],
    WorkingDir: 'rel',
    Entrypoint: ['/e'],
    Healthcheck: { Test: ['NONE'] },
    Shell: ['zsh'],
    Volumes: { '/v': {} },
    StopSignal: 'SIGINT',
  }),
};

async function theirs(buildkit: Oracle, builds: readonly Build[]): Promise<unknown[]> {
  const defaults = {
    op: 'resolve',
    platform: 'linux/arm64',
    buildPlatform: 'linux/amd64',
    labels: { given: 'label' },
    images,
  };
  const answers = await buildkit.ask<{ image: ImageConfig; ops: Operation[] }>(
    builds.map((build) => ({ ...defaults, ...build })),
  );
  return answers.map((answer) => {
    if ('panic' in answer) throw new Error(`The oracle broke: ${answer.panic}`);
    return answer.error === undefined
      ? { config: comparable(answer.image), operations: theirOperations(answer.ops) }
      : { refused: true };
  });
}

async function ours({ dockerfile, target, platform = 'linux/arm64', buildArgs }: Build): Promise<object> {
  const [os, architecture, variant] = platform.split('/') as [string, string, string?];
  try {
    const graph = await resolveGraph(parseDockerfile(dockerfile, 'Dockerfile'), {
      target,
      platform: { os, architecture, ...(variant === undefined ? {} : { variant }) },
      buildPlatform: { os: 'linux', architecture: 'amd64' },
      buildArgs,
      labels: { given: 'label' },
      configOf: async (reference) => images[reference] ?? images['*']!,
    });
    if (graph.unmodelled.length > 0) return { unmodelled: graph.unmodelled };
    const config = graph.stages.find((stage) => stage.index === graph.target)!.config;
    return { config: comparable(config), operations: ourOperations(graph) };
  } catch (error) {
    if (error instanceof Failure) return { refused: true };
    throw error;
  }
}

describeWith(
  'BuildKit resolves to the same configuration and operations',
  { buildkit: await oracle() },
  ({ buildkit }) => {
    it.each(Object.entries(cases))('%s', async (_, build) => {
      const [expected] = await theirs(buildkit, [build]);
      expect(expected).not.toEqual({ refused: true });
      expect(await ours(build)).toEqual(expected);
    });

    it.each(Object.entries(refused))('and refuses %s', async (_, build) => {
      expect(await theirs(buildkit, [build])).toEqual([{ refused: true }]);
      expect(await ours(build)).toEqual({ refused: true });
    });

    it("in every Dockerfile of BuildKit's own tests", async () => {
      const corpus = [...buildkitCorpus(buildkit.sources)].filter(
        ([, text]) => !text.includes('dockerfile-upstream:master-labs'),
      );
      const builds = corpus.map(([, dockerfile]) => ({
        dockerfile,
        buildArgs: { SOURCE: 'given', BASE: 'alpine' },
      }));
      const expected = await theirs(buildkit, builds);
      let compared = 0;
      for (const [at, build] of builds.entries()) {
        const result = await ours(build);
        // What is left to BuildKit is not compared.
        if (Object.hasOwn(result, 'unmodelled')) continue;
        compared++;
        expect(result, corpus[at]![0]).toEqual(expected[at]);
      }
      expect(compared).toBeGreaterThan(450);
    });

    it('in random builds', async () => {
      const from = random(5);
      const builds = Array.from({ length: 2_000 }, () => ({
        dockerfile: randomBuild(from),
        buildArgs: { A: 'given', UNUSED: '1' },
      }));
      const expected = await theirs(buildkit, builds);
      expect(expected.filter((one) => !Object.hasOwn(one as object, 'refused')).length).toBeGreaterThan(
        1_200,
      );
      for (const [at, build] of builds.entries())
        expect(await ours(build), build.dockerfile).toEqual(expected[at]);
    });
  },
);
