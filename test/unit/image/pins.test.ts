import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../../shared/dockerfile/index.ts';
import { holdBases, pinnedBases, pinnedContexts } from '../../../shared/image/builder/pins.ts';
import { type Project, planOf } from './identities.ts';

const GOLANG = 'docker.io/library/golang:latest';

/** What a builder that runs all stages of a project is held to. */
async function pinsOf(project: Project) {
  const plan = await planOf(project);
  const { graph, platform } = plan.platforms[0]!;
  return {
    plan,
    contexts: await pinnedContexts(plan, graph.stages, platform, plan.pinned),
    bases: await pinnedBases(plan, graph.stages, plan.pinned),
  };
}

describe('what a builder starts from', () => {
  const bases = { [GOLANG]: { version: '1' } };

  it('is held by a context of the name that the base has', async () => {
    const dockerfile = 'FROM golang AS build\nRUN x\nFROM scratch\nCOPY --from=build /a /a\n';
    const { plan, contexts, bases: held } = await pinsOf({ dockerfile, bases });
    const digest = await plan.pinned(GOLANG, plan.platforms[0]!.platform);
    expect(contexts).toEqual({ golang: `docker-image://${GOLANG}@${digest}` });
    expect(held).toEqual(new Map());
  });

  it('is held in the Dockerfile where a stage has the name of the base', async () => {
    const dockerfile = [
      'FROM --platform=$BUILDPLATFORM golang AS first',
      'RUN x',
      'FROM golang AS Golang',
      'RUN y',
      'FROM scratch',
      'COPY --from=first /a /a',
      'COPY --from=golang /b /b',
      '',
    ].join('\n');
    const { plan, contexts, bases: held } = await pinsOf({ dockerfile, bases });
    const digest = await plan.pinned(GOLANG, plan.platforms[0]!.platform);
    expect(digest).toMatch(/^sha256:/);
    expect(contexts).toEqual({});
    expect(holdBases(dockerfile, plan.dockerfile, held).split('\n')).toEqual([
      `FROM --platform=$BUILDPLATFORM ${GOLANG}@${digest} AS first`,
      'RUN x',
      `FROM ${GOLANG}@${digest} AS golang`,
      ...dockerfile.split('\n').slice(3),
    ]);
  });

  it('keeps what follows on its lines', () => {
    const source = 'FROM \\\n  golang\nRUN x\nFROM golang AS golang\n';
    const held = holdBases(source, parseDockerfile(source, 'Dockerfile'), new Map([[0, 'a@b']]));
    expect(held).toBe('FROM a@b AS slipway-stage-0\n\nRUN x\nFROM golang AS golang\n');
  });

  it('is a layout on disk, held to the image that it had', async () => {
    const layout = 'oci-layout:///srv/base:v1';
    const { plan, contexts } = await pinsOf({
      dockerfile: 'FROM base\nRUN x\n',
      bases: { [layout]: { version: '1' } },
      request: { contexts: { base: layout } },
    });
    const digest = await plan.pinned(layout, plan.platforms[0]!.platform);
    expect(contexts).toEqual({ base: `${layout}@${digest}` });
  });
});
