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

  describe('where it differs by platform', () => {
    const platforms = ['amd64', 'arm64'].map((architecture) => ({ os: 'linux', architecture }));
    const image = (name: string) => `docker.io/library/${name}:latest`;
    const several = async (...lines: string[]) => {
      const names = ['golang', 'golang-amd64', 'golang-arm64'];
      const project = {
        dockerfile: `${lines.join('\n')}\n`,
        bases: Object.fromEntries(names.map((name) => [image(name), { version: name }])),
        request: { platforms, buildPlatform: platforms[0]! },
      };
      const plan = await planOf(project);
      const stages = plan.platforms.flatMap(({ graph }) => graph.stages);
      return {
        bases: await pinnedBases(plan, stages, plan.pinned),
        unkeyed: plan.identity.platforms.map((one) => one.stages[0]!.unkeyed?.reason),
        keys: plan.identity.platforms.map((one) => one.stages[0]!.key !== undefined),
      };
    };
    const unheld = expect.stringContaining('its base differs by platform and has the name of a stage');
    const rest = ['RUN --network=none x', 'FROM scratch', 'COPY --from=0 /a /a'];

    it('has no line, and its stage no key on any platform, if one of them has the name of a stage', async () => {
      const result = await several('ARG TARGETARCH', 'FROM golang-$TARGETARCH AS golang-amd64', ...rest);
      expect(result).toEqual({ bases: new Map(), unkeyed: [unheld, unheld], keys: [false, false] });
    });

    it('has keys where contexts hold it', async () => {
      const result = await several('ARG TARGETARCH', 'FROM golang-$TARGETARCH AS build', ...rest);
      expect(result).toEqual({ bases: new Map(), unkeyed: [undefined, undefined], keys: [true, true] });
    });

    it('is not meant where all platforms start from the same one', async () => {
      const { bases, keys } = await several('FROM golang AS golang', ...rest);
      expect([...bases.keys()]).toEqual([0]);
      expect(keys).toEqual([true, true]);
    });
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
