import { describe, expect, it } from 'vitest';
import { parseDockerfile, type ResolveOptions, resolveGraph } from '../../../shared/dockerfile/index.ts';
import type { ContainerConfig, ImageConfig } from '../../../shared/oci/index.ts';

const image = (config: ContainerConfig = {}): ImageConfig => ({
  architecture: 'amd64',
  os: 'linux',
  config,
  rootfs: { type: 'layers', diff_ids: [] },
  history: [{ created_by: 'base' }],
});

function resolve(text: string, options: Partial<ResolveOptions> = {}) {
  return resolveGraph(parseDockerfile(text, 'Dockerfile'), {
    platform: { os: 'linux', architecture: 'amd64' },
    configOf: async () => image(),
    ...options,
  });
}

describe('resolveGraph', () => {
  const text =
    'FROM golang:1.26 AS build\nWORKDIR /src\nCOPY . .\nRUN go build -o /out/app\nFROM alpine AS unused\nFROM scratch\nCOPY --from=build /out/app /app\nENTRYPOINT ["/app"]\n';

  it('takes the stages that the target needs, and asks for their bases only', async () => {
    const asked: string[] = [];
    const graph = await resolve(text, {
      configOf: async (reference) => {
        asked.push(reference);
        return image();
      },
    });
    expect(graph.stages.map(({ index, needs, base }) => ({ index, needs, base }))).toEqual([
      { index: 0, needs: [], base: { kind: 'image', reference: 'docker.io/library/golang:1.26' } },
      { index: 2, needs: [0], base: { kind: 'scratch' } },
    ]);
    expect(asked).toEqual(['docker.io/library/golang:1.26']);
  });

  it('puts a directory in the place of a stage, whose base is then not asked for', async () => {
    const contexts = new Map([['build', { kind: 'directory', path: '/out' } as const]]);
    const graph = await resolve(text, {
      contexts,
      configOf: () => Promise.reject(new Error('nobody may ask')),
    });
    expect(graph.stages[0]).toMatchObject({ index: 0, base: { kind: 'directory', path: '/out' }, steps: [] });
    expect(graph.stages[1]!.steps[0]).toMatchObject({ kind: 'copy', from: { kind: 'stage', index: 0 } });
  });

  it('lets a stage that was handed in stand behind its reader', async () => {
    const contexts = new Map([['late', { kind: 'directory', path: '/out' } as const]]);
    const graph = await resolve('FROM scratch AS a\nCOPY --from=late x y\nFROM scratch AS late\nFROM a\n', {
      contexts,
    });
    expect(graph.stages.map((stage) => stage.index)).toEqual([0, 1, 2]);
  });

  it('puts contexts in the place of images, under any spelling of their name', async () => {
    const contexts = new Map([
      ['docker.io/library/alpine:latest', { kind: 'image', reference: 'mirror/alpine:3' } as const],
      ['tools', { kind: 'directory', path: '/t' } as const],
      ['tools::linux/arm64', { kind: 'directory', path: '/arm' } as const],
    ]);
    const file = 'FROM alpine\nCOPY --from=tools a b\nCOPY --from=busybox c d\n';
    const [stage] = (await resolve(file, { contexts })).stages;
    expect(stage!.base).toEqual({ kind: 'image', reference: 'mirror/alpine:3' });
    expect(stage!.steps.map((step) => step.kind === 'copy' && step.from)).toEqual([
      { kind: 'directory', path: '/t' },
      { kind: 'image', reference: 'docker.io/library/busybox:latest' },
    ]);
    const arm = await resolve(file, { contexts, platform: { os: 'linux', architecture: 'arm64' } });
    expect(arm.stages[0]!.steps[0]).toMatchObject({ from: { kind: 'directory', path: '/arm' } });
  });

  it('finds a target by name in any case and by number', async () => {
    expect((await resolve(text, { target: 'BUILD' })).target).toBe(0);
    expect((await resolve(text, { target: '1' })).target).toBe(1);
  });

  it('gives the arguments that a stage saw, and warns of one that nobody declares', async () => {
    const graph = await resolve('ARG V=1\nFROM scratch\nARG V\nARG W=$V-x\nARG U\nENV A=$W\n', {
      buildArgs: { W: 'given', VERSON: '2', HTTP_PROXY: 'http://p' },
    });
    expect(graph.stages[0]!.args).toEqual({ V: '1', W: 'given' });
    expect(graph.warnings.map((one) => one.message)).toEqual([
      'The build argument VERSON is given, but no ARG of Dockerfile declares it.',
    ]);
  });

  it('warns of a context that stands for nothing', async () => {
    const directory = { kind: 'directory', path: '/out' } as const;
    const contexts = new Map([
      ['biuld', directory],
      ['context', directory],
      ['build::linux/arm64', directory],
      ['busybox', directory],
    ]);
    const graph = await resolve('FROM scratch AS build\nFROM scratch\nCOPY --from=busybox:latest a b\n', {
      contexts,
    });
    expect(graph.warnings.map((one) => one.message)).toEqual([
      'The context biuld is given, but no stage and no image of Dockerfile has that name. Did you mean "build"?',
      'The context context is given, but that name is reserved.',
    ]);
  });

  it('warns of a source that is nearly the name of a stage', async () => {
    const graph = await resolve(
      'FROM scratch AS build\nFROM scratch\nCOPY --from=biuld a b\nCOPY --from=busybox a b\n',
    );
    expect(graph.warnings).toEqual([
      {
        message: 'COPY --from=biuld names no stage, so it means the image biuld. Did you mean "build"?',
        lines: { start: 3, end: 3 },
      },
    ]);
  });

  it('writes the configuration and history that BuildKit writes', async () => {
    const graph = await resolve(
      'FROM scratch\nARG V=1\nENV A=$V\nWORKDIR /w\nCOPY --chown=1:2 a b/ \nUSER 3\nEXPOSE 80\nCMD ["x y"]\n',
      {
        labels: { l: '1' },
      },
    );
    const { config } = graph.stages[0]!;
    expect(config.config).toEqual({
      User: '3',
      ExposedPorts: { '80/tcp': {} },
      Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'A=1'],
      Cmd: ['x y'],
      WorkingDir: '/w',
      Labels: { l: '1' },
      ArgsEscaped: true,
    });
    expect(config.history!.map((entry) => entry.created_by)).toEqual([
      'ARG V=1',
      'ENV A=1',
      'WORKDIR /w',
      'COPY --chown=1:2 a b/ # buildkit',
      'USER 3',
      'EXPOSE [80/tcp]',
      'CMD ["x y"]',
    ]);
    expect(config.history!.map((entry) => entry.empty_layer ?? false)).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
    expect(config.history).toHaveLength(graph.stages[0]!.steps.length);
  });

  it('says what is left to BuildKit', async () => {
    const reasons = async (file: string, options = {}) =>
      (await resolve(file, options)).unmodelled.map((one) => one.message);
    expect(await reasons('# syntax=docker/dockerfile:1\nFROM scratch\n')).toEqual([]);
    expect(await reasons('# syntax=example/frontend\nFROM scratch\n')).toEqual([
      'the Dockerfile is written for the frontend example/frontend',
    ]);
    expect(await reasons('FROM scratch\nADD https://x.example/a.git /a\n')).toEqual([
      'ADD takes a git repository',
    ]);
    const contexts = new Map([['a', { kind: 'directory', path: '/a' }]]);
    expect(await reasons('FROM x AS a\nFROM a\nRUN x\n', { contexts })).toEqual([
      'the stage builds on a directory that was handed in',
    ]);
    expect(await reasons('FROM x AS a\nFROM scratch\nCOPY --from=a x y\n', { contexts })).toEqual([]);
    expect(await reasons('FROM scratch\n', { platform: { os: 'windows', architecture: 'amd64' } })).toEqual([
      'the stage is for windows',
    ]);
    expect(await reasons('FROM scratch\n', { buildArgs: { SOURCE_DATE_EPOCH: 'context' } })).toEqual([
      'SOURCE_DATE_EPOCH asks for the time of "context"',
    ]);
  });

  it('reads the time that SOURCE_DATE_EPOCH gives', async () => {
    expect(
      (await resolve('FROM scratch\n', { buildArgs: { SOURCE_DATE_EPOCH: '12' } })).sourceDateEpoch,
    ).toBe(12);
    expect((await resolve('FROM scratch\n')).sourceDateEpoch).toBeUndefined();
  });
});

describe('what cannot be resolved names the line and the way out', () => {
  const cases: [string, number | undefined, RegExp, Partial<ResolveOptions>?][] = [
    [
      'FROM scratch AS build\nFROM scratch\n',
      undefined,
      /The target "biuld" is no stage of Dockerfile; accepted is build\. Did you mean "build"\?/,
      { target: 'biuld' },
    ],
    [
      'FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y\n',
      4,
      /The stages "a" → "b" → "a" copy from each other in a circle/,
    ],
    ['FROM scratch AS a\nCOPY --from=a x y\n', 2, /The stage "a" copies from itself/],
    [
      'FROM scratch AS a\nCOPY --from=b x y\nFROM a AS b\n',
      2,
      /The stage "a" reads from the stage "b", which stands behind it/,
    ],
    ['FROM scratch\nCOPY --from=2 x y\n', 2, /names no stage; the Dockerfile's stages are numbered 0 to 0/],
    [
      'FROM scratch\nARG x\nCOPY --from=$x a b\n',
      3,
      /has a variable, which --from does not take; write FROM \$x AS name/,
    ],
    [
      'ARG VERSION=1\nFROM $VERSON\n',
      2,
      /no ARG before the first FROM gives VERSON a value\. Did you mean "VERSION"\?/,
    ],
    [
      'FROM golang:$GO_VERSION\n',
      1,
      /"golang:" is no image reference: the tag after the colon is empty; no ARG before the first FROM gives GO_VERSION a value\./,
    ],
    ['FROM scratch AS build\nFROM Build\n', 2, /lower case.*Did you mean "build"\?/],
    ['FROM scratch\nLABEL a="b\n', 2, /cannot be expanded: a closing " is missing/],
    ['FROM scratch\nCOPY --chmod=999 a b\n', 2, /--chmod is "999"; accepted are octal digits/],
    [
      'FROM scratch\nCOPY --link --chown=app a b\n',
      2,
      /a linked layer knows no names; write the numbers of "app"/,
    ],
    ['FROM scratch\nCOPY https://x.example/a b\n', 2, /COPY cannot fetch https:\/\/x\.example\/a; use ADD/],
    ['FROM scratch\nEXPOSE 80000\n', 2, /has the port "80000"; accepted are 0 to 65535/],
    [
      'FROM scratch\nSTOPSIGNAL SIGTREM\n',
      2,
      /accepted is a signal such as SIGTERM.*Did you mean "SIGTERM"\?/,
    ],
    [
      'FROM scratch\nRUN --mount=type=cahce,target=/a x\n',
      2,
      /type=cahce; accepted are bind, cache.* Did you mean "cache"\?/,
    ],
    ['FROM scratch\nRUN --mount=type=cache x\n', 2, /has no target; it needs a path below/],
    [
      'FROM scratch\n',
      undefined,
      /SOURCE_DATE_EPOCH is "now"; accepted are seconds since 1970/,
      { buildArgs: { SOURCE_DATE_EPOCH: 'now' } },
    ],
  ];

  it.each(cases)('%j', async (text, line, message, options = {}) => {
    await expect(resolve(text, options)).rejects.toMatchObject({
      name: 'Failure',
      message: expect.stringMatching(message),
      location: line === undefined ? { file: 'Dockerfile' } : { file: 'Dockerfile', line },
    });
  });

  it('says where the base stands that could not be read', async () => {
    const { Failure } = await import('../../../shared/host/index.ts');
    const configOf = () => Promise.reject(new Failure('docker.io/library/biuld:latest is not there.'));
    await expect(resolve('FROM scratch AS build\nFROM biuld\n', { configOf })).rejects.toMatchObject({
      message: 'docker.io/library/biuld:latest is not there. Did you mean "build"?',
      location: { file: 'Dockerfile', line: 2 },
    });
  });
});
