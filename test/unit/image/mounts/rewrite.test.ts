import { describe, expect, it } from 'vitest';
import {
  type Dockerfile,
  parseDockerfile,
  type ResolvedStage,
  resolveGraph,
  type StageGraph,
} from '../../../../shared/dockerfile/index.ts';
import { cacheMounts, lastStage, writtenUses } from '../../../../shared/image/mounts/cache-mount.ts';
import { seededSource } from '../../../../shared/image/mounts/rewrite.ts';
import { TRIM_OVERLAY } from '../../../../shared/image/mounts/trim.ts';

async function read(
  text: string,
  config: { readonly OnBuild?: readonly string[] } = {},
): Promise<{ readonly dockerfile: Dockerfile; readonly graph: StageGraph }> {
  const dockerfile = parseDockerfile(text, 'Dockerfile');
  const graph = await resolveGraph(dockerfile, {
    platform: { os: 'linux', architecture: 'amd64' },
    configOf: async () => ({
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  });
  return { dockerfile, graph };
}

const mountsOf = ({ dockerfile, graph }: Awaited<ReturnType<typeof read>>) =>
  cacheMounts(dockerfile, writtenUses(graph.stages));

async function seeded(text: string) {
  const given = await read(text);
  const fit = mountsOf(given).filter(({ unfit }) => unfit === undefined);
  const all = fit.map((mount, at) => ({
    mount,
    seed: { context: `slipway-mount-${at}`, id: `slipway-0123-${mount.id}` },
    overlay: undefined,
  }));
  return { given, all, source: seededSource(given.dockerfile, all, []) };
}

/** What a resolved stage says, but for the mounts that start from a seed. */
function withoutSeeds(stages: readonly ResolvedStage[]) {
  return stages.map(({ steps, needs: _, ...stage }) => ({
    ...stage,
    steps: steps.map((step) =>
      step.kind !== 'run'
        ? step
        : {
            ...step,
            mounts: step.mounts.map((mount) =>
              mount.type === 'cache' && (mount.from === undefined || isSeed(mount.from))
                ? { type: 'cache', target: mount.target }
                : mount,
            ),
          },
    ),
  }));
}

function isSeed(from: { readonly kind: string; readonly reference?: string }): boolean {
  return from.kind === 'image' && /slipway-mount-\d/.test(from.reference ?? '');
}

const FORMS: readonly (readonly [string, string])[] = [
  ['one', 'RUN --mount=type=cache,target=/c go build'],
  [
    'several',
    'RUN --mount=type=cache,target=/c --mount=type=cache,target=/d,id=x --mount=type=tmpfs,target=/t y',
  ],
  [
    'on lines of their own',
    'RUN --mount=type=cache,target=/c \\\n    --mount=type=cache,target=/d \\\n    # why\n    go build && \\\n    go vet',
  ],
  ['cut inside of the flag', 'RUN --mount=type=cache,\\\ntarget=/c go build'],
  ['quoted', `RUN --mount="type=cache,target=/c" --mount='type=cache,target=/d d,id=d' x`],
  ['quoted as CSV', 'RUN --mount=type=cache,\\"target=/c\\" x'],
  ['with a variable', 'ARG WHERE=/c\nENV ID=one\nRUN --mount=type=cache,target=${WHERE},id=$ID x'],
  ['relative', 'WORKDIR /w\nRUN --mount=type=cache,target=c x'],
  ['by other names', 'RUN --mount=type=cache,dst=/c,sharing=locked,uid=1,gid=2,mode=0700 x'],
  ['of a heredoc', 'RUN --mount=type=cache,target=/c <<EOF\nRUN --mount=type=cache,target=/no\nEOF'],
  ['of an exec form', 'RUN --mount=type=cache,target=/c ["go", "build"]'],
  ['with other flags', 'RUN --network=none --mount=type=cache,target=/c --security=sandbox x'],
  [
    'beside one with a source',
    'RUN --mount=type=cache,from=busybox,target=/s --mount=type=cache,target=/c x',
  ],
  ['beside a bind', 'RUN --mount=target=/b --mount=type=cache,target=/c x'],
  ['with bytes of several', 'RUN --mount=type=bind,target=/ä --mount=type=cache,target=/c echo ü'],
  ['in lower case with tabs', 'run\t--mount=type=cache,target=/c\tx'],
  ['with a carriage return', 'RUN --mount=type=cache,target=/c x\r'],
];

describe('a Dockerfile whose mounts start from seeds', () => {
  it.each(FORMS)('%s: is the same but for its mounts, line for line', async (_, text) => {
    for (const head of ['FROM golang AS build\n', '# syntax=docker/dockerfile:1\n\nFROM golang AS build\n']) {
      const { given, all, source } = await seeded(`${head}${text}\nRUN after\n`);
      const again = await read(source);
      expect(source.split('\n')).toHaveLength(given.dockerfile.source.split('\n').length);
      expect(withoutSeeds(again.graph.stages)).toEqual(withoutSeeds(given.graph.stages));
      const wanted = all.map(({ seed, mount }) => [
        mount.target,
        seed.id,
        `docker.io/library/${seed.context}:latest`,
        '/mount',
      ]);
      const found = again.graph.stages.flatMap(({ steps }) =>
        steps.flatMap((step) =>
          step.kind === 'run'
            ? step.mounts.flatMap(({ target, options, from }) =>
                from !== undefined && isSeed(from) && from.kind === 'image'
                  ? [[target, options.id, from.reference, options.source]]
                  : [],
              )
            : [],
        ),
      );
      expect(found).toEqual(wanted);
      expect(found.length).toBeGreaterThan(0);
    }
  });

  it('names the stages that have no name, and lays files over mounts', async () => {
    const given = await read(
      'FROM golang\nRUN --mount=type=cache,target=/c x\nFROM scratch\nCOPY --from=0 /a /\n',
    );
    const [mount] = mountsOf(given);
    const seed = { context: 'slipway-mount-0', id: 'slipway-0-/c' };
    const source = seededSource(
      given.dockerfile,
      [{ mount: mount!, seed, overlay: TRIM_OVERLAY }],
      [lastStage(mount!)],
    );
    expect(source).toBe(
      'FROM golang AS slipway-stage-0\nRUN --mount=type=cache,target=/c,id=slipway-0-/c,from=slipway-mount-0,source=/mount --mount=type=bind,from=slipway-mounts,source=/trim.txt,target=/c/trim.txt x\nFROM scratch\nCOPY --from=0 /a /\n',
    );
  });
});

describe('cache mounts', () => {
  it('are one for each id, of all stages', async () => {
    const mounts = mountsOf(
      await read(
        'FROM golang AS a\nRUN --mount=type=cache,target=/c x\nRUN --mount=type=cache,target=/c,id=other x\nFROM a AS b\nRUN --mount=type=cache,target=/d,id=/c y\n',
      ),
    );
    expect(mounts.map(({ id, target, uses }) => [id, target, uses.length])).toEqual([
      ['/c', '/c', 2],
      ['other', '/c', 1],
    ]);
    expect(lastStage(mounts[0]!).name).toBe('b');
    expect(lastStage(mounts[1]!).name).toBe('a');
  });

  it.each([
    ['RUN --mount=type=cache,target=/c,readonly x', 'only read'],
    ['RUN --mount=type=cache,target=/c,id="a b" x', 'characters'],
    ['RUN --mount=type=cache,target=/c,uid=1 x\nRUN --mount=type=cache,target=/c,uid=2 x', 'several mounts'],
    ['RUN --mount=type=cache,target=/c,source=/s x', 'source of its own'],
  ])('%s is not carried: %s', async (text, why) => {
    const mounts = mountsOf(await read(`FROM golang\n${text}\n`));
    expect(mounts[0]!.unfit).toContain(why);
  });

  it('of triggers are not carried', async () => {
    const mounts = mountsOf(
      await read('FROM golang\nRUN --mount=type=cache,target=/d x\n', {
        OnBuild: ['RUN --mount=type=cache,target=/c x'],
      }),
    );
    expect(mounts.map(({ id, unfit }) => [id, unfit])).toEqual([
      ['/c', expect.stringContaining('ONBUILD')],
      ['/d', undefined],
    ]);
  });
});
