import { describe, expect, it } from 'vitest';
import { parseDockerfile } from '../../../shared/dockerfile/index.ts';
import type { Task } from '../../../shared/host/index.ts';
import {
  commonArguments,
  contextArguments,
  imageArguments,
  noSettings,
  outputAttributes,
  secretEnvironment,
} from '../../../shared/image/builder/arguments.ts';
import {
  handoverStage,
  replaceStages,
  wantedPaths,
  withStages,
} from '../../../shared/image/builder/handover.ts';
import { BuildProgress } from '../../../shared/image/builder/progress.ts';
import { parseAnnotations } from '../../../shared/image/index.ts';
import { requestFor } from '../../conformance/image/native.ts';

const amd = { os: 'linux', architecture: 'amd64' };
const arm = { os: 'linux', architecture: 'arm64' };

describe('the arguments of docker buildx build', () => {
  it('pass everything on, values of secrets through the environment alone', () => {
    const settings = {
      ...noSettings,
      builder: 'b',
      addHosts: ['a:1.2.3.4'],
      allow: ['network.host'],
      cacheFrom: ['type=gha'],
      cacheTo: ['type=gha,mode=max'],
      cgroupParent: '/c',
      network: 'host',
      noCache: true,
      noCacheFilters: ['build'],
      pull: true,
      secrets: [
        { id: 'v', value: 'hush' },
        { id: 'e', variable: 'NAME' },
        { id: 'f', file: '/x' },
      ],
      ssh: ['default'],
      shmSize: '2g',
      ulimit: ['nofile=1:2'],
    };
    const args = commonArguments(settings, requestFor('/c', { buildArgs: { A: 'x y' } }));
    expect(args.join(' ')).toBe(
      'buildx build --progress=rawjson --builder b --add-host a:1.2.3.4 --allow network.host --cache-from type=gha --cgroup-parent /c --network host --no-cache --no-cache-filter build --pull --secret id=v,env=SLIPWAY_SECRET_0 --secret id=e,env=NAME --secret id=f,src=/x --ssh default --shm-size 2g --ulimit nofile=1:2 --build-arg A=x y',
    );
    expect(secretEnvironment(settings)).toEqual({ SLIPWAY_SECRET_0: 'hush' });
  });

  it('give each platform its own folder for a stage that is handed in', () => {
    const request = requestFor('/c', {
      contexts: { other: '/o' },
      handedIn: { build: ({ architecture }) => `/out/${architecture}` },
    });
    expect(contextArguments(request, [amd])).toEqual([
      '--build-context',
      'other=/o',
      '--build-context',
      'build=/out/amd64',
    ]);
    expect(contextArguments(request, [amd, arm])).toEqual(['--build-context', 'other=/o']);
  });

  it('say what the image carries, and no provenance unless it is asked for', () => {
    const request = requestFor('/c', {
      platforms: [amd, arm],
      target: 't',
      labels: { a: 'b=c' },
      annotations: parseAnnotations(['x=1', 'manifest[linux/arm64]:y=2']),
      epoch: 5,
    });
    expect(imageArguments(noSettings, request)).toEqual([
      '--target',
      't',
      '--label',
      'a=b=c',
      '--annotation',
      'manifest:x=1',
      '--annotation',
      'manifest[linux/arm64]:y=2',
      '--provenance=false',
    ]);
    const attested = imageArguments(
      { ...noSettings, attests: ['type=provenance,mode=max', 'type=sbom'] },
      request,
    );
    expect(attested).toContain('type=provenance,mode=max');
    expect(attested).not.toContain('--provenance=false');
    expect(outputAttributes({ ...request, compression: 'zstd', level: 9, mediaTypes: 'docker' })).toBe(
      'compression=zstd,compression-level=9,oci-mediatypes=false,rewrite-timestamp=true',
    );
  });

  it('take from a stage only what is wanted, by a stage of their own', () => {
    const source = 'FROM a AS build\nRUN x\nFROM scratch\nCOPY --from=build /out/app /app\n\n';
    const wanted = wantedPaths(new Map([[0, ['/out/app', '/with space']]]));
    expect(withStages(source, handoverStage(wanted, '\\'))).toBe(
      'FROM a AS build\nRUN x\nFROM scratch\nCOPY --from=build /out/app /app\nFROM scratch AS slipway-handover\nCOPY --from=0 ["/out/app","/0/out/app"]\nCOPY --from=0 ["/with space","/0/with space"]\n',
    );
  });

  it('take paths that mean something in a Dockerfile as they are', () => {
    const wanted = wantedPaths(new Map([[1, ['/a$b', "/it's", '/x\\[y']]]));
    const lines = (sign: '\\' | '`') =>
      handoverStage(wanted, sign)
        .split('\n')
        .slice(1, -1)
        .map((line) => JSON.parse(line.slice('COPY --from=1 '.length)));
    expect(lines('\\')).toEqual([
      ['/a\\$b', '/1/a\\$b'],
      ["/it\\'s", "/1/it\\'s"],
      ['/x\\\\[y', '/1/x[y'],
    ]);
    expect(lines('`')[0]).toEqual(['/a`$b', '/1/a`$b']);
    expect(lines('`')[2]).toEqual(['/x\\[y', '/1/x[y']);
  });

  it('keep what lies below another wanted path apart', () => {
    expect(wantedPaths(new Map([[3, ['/out', '/out/app', '/outer']]])).map(({ top }) => top)).toEqual([
      '3',
      '3-1',
      '3',
    ]);
  });

  it('start stages that are at hand from their files, line for line', () => {
    const source = [
      '# syntax=docker/dockerfile:1',
      'FROM golang:1.26 AS Build',
      'ARG X',
      'RUN <<EOF',
      'go build',
      'EOF',
      '# a word',
      'FROM alpine',
      'RUN one && \\',
      '  two',
      'FROM scratch',
      'COPY --from=1 /a /a',
    ].join('\n');
    const replaced = replaceStages(
      source,
      parseDockerfile(source, 'Dockerfile'),
      new Map([
        [0, 'zero'],
        [1, 'one'],
      ]),
    );
    expect(replaced.split('\n')).toEqual([
      '# syntax=docker/dockerfile:1',
      'FROM zero AS build',
      '',
      '',
      '',
      '',
      '# a word',
      'FROM one',
      '',
      '',
      'FROM scratch',
      'COPY --from=1 /a /a',
    ]);
  });
});

describe('what buildx tells', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  /** A task that says which group each line is in. */
  const taskOf = (lines: string[], group = ''): Task => ({
    task: async (title, work) => {
      lines.push(`${group}> ${title}`);
      return await work(taskOf(lines, title));
    },
    log: (line) => lines.push(`${group}: ${line}`),
    note: () => {},
  });

  it('becomes groups of lines, steps with their times, and the step, line and reason of a failure', () => {
    const lines: string[] = [];
    const progress = new BuildProgress(taskOf(lines));
    const status = (value: object) => progress.line(JSON.stringify(value));
    status({ vertexes: [{ digest: 'd', name: '[build 1/2] RUN go build' }] });
    const early = '2026-01-01T00:00:00Z';
    const [started, completed] = ['2026-01-01T00:00:00.5Z', '2026-01-01T00:00:02Z'];
    status({
      vertexes: [{ digest: 'c', name: '[build 1/2] FROM a', cached: true, started: early, completed: early }],
    });
    status({ vertexes: [{ digest: 'd', name: '[build 1/2] RUN go build', started }] });
    status({ vertexes: [{ digest: 'i', name: '[internal] load context', started }] });
    status({ logs: [{ vertex: 'd', data: base64('one\ntw') }] });
    status({ logs: [{ vertex: 'd', data: base64('o\nthree') }] });
    status({
      vertexes: [
        {
          digest: 'd',
          name: '[build 1/2] RUN go build',
          started,
          completed,
          error: 'exit code: 2',
        },
      ],
    });
    for (const line of [
      'Dockerfile:12',
      '--------------------',
      '  12 | >>> RUN go build',
      '--------------------',
      'ERROR: failed to build: failed to solve: process "x" did not complete successfully: exit code: 2',
    ])
      progress.line(line);
    progress.end();
    expect(lines.slice(0, 6)).toEqual([
      ': [build 1/2] FROM a: cached',
      '> [build 1/2] RUN go build',
      ': [internal] load context',
      '[build 1/2] RUN go build: one',
      '[build 1/2] RUN go build: two',
      '[build 1/2] RUN go build: three',
    ]);
    expect(progress.steps).toEqual([
      { name: '[build 1/2] FROM a', milliseconds: 0, cached: true },
      { name: '[build 1/2] RUN go build', milliseconds: 1500, cached: false },
    ]);
    expect(progress).toMatchObject({
      failed: '[build 1/2] RUN go build',
      dockerfileLine: 12,
      error: 'process "x" did not complete successfully: exit code: 2',
    });
  });

  it('is no progress where it is no JSON, and a cancelled step is not the one that failed', () => {
    const progress = new BuildProgress(taskOf([]));
    progress.line('{not json');
    progress.line(JSON.stringify({ vertexes: [{ digest: 'a', name: 'A', error: 'context canceled' }] }));
    expect(progress.words).toEqual(['{not json']);
    expect(progress.failed).toBeUndefined();
  });
});
