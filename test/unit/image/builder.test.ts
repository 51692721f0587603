import { describe, expect, it } from 'vitest';
import {
  commonArguments,
  contextArguments,
  imageArguments,
  noSettings,
  outputAttributes,
  secretEnvironment,
} from '../../../shared/image/builder/arguments.ts';
import { BuildProgress } from '../../../shared/image/builder/progress.ts';
import { handoverDockerfile } from '../../../shared/image/builder/stages.ts';
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
    expect(contextArguments(request, [amd, arm]).slice(2)).toEqual([
      '--build-context',
      'build::linux/amd64=/out/amd64',
      '--build-context',
      'build::linux/arm64=/out/arm64',
    ]);
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
      '--platform',
      'linux/amd64,linux/arm64',
      '--label',
      'a=b=c',
      '--annotation',
      'manifest:x=1',
      '--annotation',
      'manifest[linux/arm64]:y=2',
      '--provenance=false',
      '--build-arg',
      'SOURCE_DATE_EPOCH=5',
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
    expect(handoverDockerfile(source, new Map([[0, ['/out/app', '/with space']]]))).toBe(
      'FROM a AS build\nRUN x\nFROM scratch\nCOPY --from=build /out/app /app\nFROM scratch AS slipway-handover\nCOPY --from=0 ["/out/app","/0/out/app"]\nCOPY --from=0 ["/with space","/0/with space"]\n',
    );
  });
});

describe('what buildx tells', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  it('becomes lines, and the step, line and reason of a failure', () => {
    const lines: string[] = [];
    const progress = new BuildProgress((line) => lines.push(line));
    const status = (value: object) => progress.line(JSON.stringify(value));
    status({ vertexes: [{ digest: 'd', name: '[build 1/2] RUN go build' }] });
    status({ vertexes: [{ digest: 'd', name: '[build 1/2] RUN go build', started: 't' }] });
    status({ logs: [{ vertex: 'd', data: base64('one\ntw') }] });
    status({ logs: [{ vertex: 'd', data: base64('o\nthree') }] });
    status({
      vertexes: [
        {
          digest: 'd',
          name: '[build 1/2] RUN go build',
          started: 't',
          completed: 'u',
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
    expect(lines.slice(0, 4)).toEqual(['[build 1/2] RUN go build', '  one', '  two', '  three']);
    expect(progress).toMatchObject({
      failed: '[build 1/2] RUN go build',
      dockerfileLine: 12,
      error: 'process "x" did not complete successfully: exit code: 2',
    });
  });

  it('is no progress where it is no JSON, and a cancelled step is not the one that failed', () => {
    const progress = new BuildProgress(() => {});
    progress.line('{not json');
    progress.line(JSON.stringify({ vertexes: [{ digest: 'a', name: 'A', error: 'context canceled' }] }));
    expect(progress.words).toEqual(['{not json']);
    expect(progress.failed).toBeUndefined();
  });
});
