import { describe, expect, it } from 'vitest';
import { parseDockerfile, resolveGraph } from '../../../shared/dockerfile/index.ts';
import { crossingPaths, takings } from '../../../shared/image/builder/crossing.ts';
import { type Candidate, demandOf, firstWave } from '../../../shared/image/builder/demand.ts';
import { decideMethods, type StagePlan } from '../../../shared/image/method.ts';

const platform = { os: 'linux', architecture: 'amd64' };

async function plansOf(...lines: string[]): Promise<StagePlan[]> {
  const graph = await resolveGraph(parseDockerfile(`${lines.join('\n')}\n`, 'Dockerfile'), {
    platform,
    configOf: async () => ({ ...platform, rootfs: { type: 'layers', diff_ids: [] } }),
  });
  return decideMethods(graph, new Map());
}

/** Every stage with RUN that hands something over. */
function candidatesIn(plans: readonly StagePlan[]): Map<number, Candidate> {
  const found = plans.flatMap(({ stage, method }) => {
    const paths = crossingPaths(plans, stage.index);
    if (method.kind !== 'builder' || paths.length === 0) return [];
    const { index } = stage;
    return [
      [
        index,
        { index, name: String(index), stage, identity: undefined, paths, lifted: undefined, isRoot: false },
      ] as const,
    ];
  });
  return new Map(found);
}

function demand(plans: readonly StagePlan[], wanted: number[], have: { ready?: number[]; had?: number[] }) {
  const { runs, takes } = demandOf(plans, candidatesIn(plans), wanted, {
    isReady: (index) => have.ready?.includes(index) ?? false,
    canBeHad: (index) => have.had?.includes(index) ?? false,
  });
  return { runs: [...runs].sort(), takes: [...takes].sort() };
}

describe('what a stage takes from another', () => {
  it('is its paths where they are copied, and more where it is built upon, mounted or copied with parents', async () => {
    const plans = await plansOf(
      'FROM a AS zero',
      'RUN x',
      'FROM zero',
      'COPY --from=zero /out/app /out/lib/*.so /a/',
      'RUN --mount=from=zero,target=/z x',
      'COPY --from=zero / /all',
      'COPY --from=zero --parents /p/q /',
    );
    expect(takings(plans[1]!.stage)).toEqual([
      { kind: 'whole', from: 0 },
      { kind: 'paths', from: 0, paths: ['/out/app', '/out/lib'] },
      { kind: 'whole', from: 0 },
      { kind: 'whole', from: 0 },
      { kind: 'whole', from: 0 },
    ]);
    expect(crossingPaths(plans, 0)).toEqual(['/out/app', '/out/lib']);
  });
});

describe('what has to be done', () => {
  const chain = [
    'FROM a AS dep',
    'RUN x',
    'FROM a AS build',
    'COPY --from=dep /d /d',
    'RUN x',
    'FROM scratch',
    'COPY --from=build /b /b',
  ];

  it('is nothing behind a stage that can be had', async () => {
    const plans = await plansOf(...chain);
    expect(demand(plans, [1], { had: [0, 1] })).toEqual({ runs: [], takes: [1] });
    expect(demand(plans, [1], { had: [0] })).toEqual({ runs: [1], takes: [0] });
    expect(demand(plans, [1], {})).toEqual({ runs: [0, 1], takes: [] });
    expect(demand(plans, [1], { ready: [0] })).toEqual({ runs: [1], takes: [] });
    expect(demand(plans, [1], { ready: [1] })).toEqual({ runs: [], takes: [] });
  });

  it('is to run a base, whatever is stored of it, and to take nothing of it twice', async () => {
    const plans = await plansOf(
      'FROM a AS base',
      'RUN x',
      'FROM base AS build',
      'RUN x',
      'FROM scratch',
      'COPY --from=base /x /x',
      'COPY --from=build /y /y',
    );
    expect(demand(plans, [0, 1], { had: [0] })).toEqual({ runs: [0, 1], takes: [] });
    expect(demand(plans, [0, 1], { had: [0, 1] })).toEqual({ runs: [], takes: [0, 1] });
  });

  it('goes through stages without RUN that a builder carries out', async () => {
    const plans = await plansOf(
      'FROM a AS dep',
      'RUN x',
      'FROM scratch AS gathered',
      'COPY --from=dep /d /d',
      'FROM a AS build',
      'COPY --from=gathered /d /d',
      'RUN x',
      'FROM scratch',
      'COPY --from=build /b /b',
    );
    expect(demand(plans, [2], { had: [0] })).toEqual({ runs: [1, 2], takes: [0] });
  });

  it('is done first in front of what may be found', async () => {
    const three = await plansOf(
      'FROM a AS dep',
      'RUN x',
      'FROM a AS build',
      'COPY --from=dep /d /d',
      'RUN x',
      'FROM a AS last',
      'COPY --from=build /b /b',
      'RUN x',
      'FROM a AS apart',
      'RUN x',
      'FROM scratch',
      'COPY --from=last /l /l',
      'COPY --from=apart /a /a',
    );
    const all = new Set([0, 1, 2, 3]);
    expect([...firstWave(three, all, (index) => index === 1)]).toEqual([0, 3]);
    expect([...firstWave(three, all, (index) => index === 2)]).toEqual([0, 1, 3]);
    expect(firstWave(three, all, () => false)).toBe(all);
    expect(firstWave(three, new Set([1]), () => true)).toEqual(new Set([1]));
  });
});
