import { describe, expect, it } from 'vitest';
import { changesSince, inShort } from '../../../shared/image/reuse/changes.ts';
import { keysOf } from '../../../shared/image/reuse/key-memory.ts';
import { NOW, type Project, planOf } from './identities.ts';

const dockerfile = [
  'FROM golang:1 AS deps',
  'COPY go.mod .',
  'RUN go mod download',
  'FROM deps AS build',
  'ARG VERSION=1',
  'COPY src /src',
  'RUN --mount=type=bind,source=tools,target=/tools go build -o /app ./src',
  'FROM scratch',
  'COPY --from=build /app /app',
  'LABEL revision=1',
  '',
].join('\n');
const project: Project = {
  dockerfile,
  files: { 'go.mod': 'module a\n', 'src/main.go': 'package main\n', 'src/run.sh': 'x', 'tools/t': 't' },
  bases: { 'docker.io/library/golang:1': { version: '1' } },
};
const edited = (from: string, to: string): Project => {
  if (!dockerfile.includes(from)) throw new Error(`nothing to replace: ${from}`);
  return { ...project, dockerfile: dockerfile.replace(from, to) };
};
const withFiles = (more: NonNullable<Project['files']>): Project => ({
  ...project,
  files: { ...project.files, ...more },
});

async function told(after: Project, before: Project = project) {
  const [then, now] = [await planOf(before), await planOf(after)];
  const changes = changesSince(now, { stages: keysOf(then.identity), image: then.key });
  const stages = Object.fromEntries(
    [...changes.stages].map(([name, sentences]) => [name.replace(' linux/amd64', ''), sentences]),
  );
  return { stages, short: inShort(changes, now.identity) };
}

describe('why a stage is made again', () => {
  it('is told of the stage that differs, and of those that take from it', async () => {
    const { stages, short } = await told(withFiles({ 'src/main.go': 'changed' }));
    expect(stages).toEqual({
      deps: [],
      build: ['src/main.go: content changed'],
      2: ['stage "build" changed'],
    });
    expect(short).toEqual(['stage "build": src/main.go: content changed']);
  });

  it.each<[string, Project, string, string[]]>([
    ['nothing', project, 'build', []],
    [
      'mode',
      withFiles({ 'src/main.go': { text: 'package main\n', mode: 0o755 } }),
      'build',
      ['src/main.go: mode changed'],
    ],
    [
      'new and missing files',
      {
        ...project,
        files: { 'go.mod': 'module a\n', 'src/main.go': 'package main\n', 'src/new': 'n', 'tools/t': 't' },
      },
      'build',
      ['src/new is new', 'src/run.sh is gone'],
    ],
    [
      'a link',
      withFiles({ 'src/run.sh': { link: 'main.go' } }),
      'build',
      ['src/run.sh: type, mode, content changed'],
    ],
    ['a bound file', withFiles({ 'tools/t': 'other' }), 'build', ['tools/t: content changed']],
    ['an argument', { ...project, request: { buildArgs: { VERSION: '2' } } }, 'build', ['VERSION changed']],
    ['a new variable', edited('COPY src', 'ENV A=1\nCOPY src'), 'build', ['A is set']],
    ['a missing one', edited('ARG VERSION=1\n', ''), 'build', ['VERSION is no longer set']],
    [
      'a command',
      edited('go build -o /app ./src', 'go build -v -o /app ./src'),
      'build',
      ['RUN go build -v -o /app ./src was RUN go build -o /app ./src'],
    ],
    [
      'a new step',
      edited('COPY src /src', 'COPY go.mod /x\nCOPY src /src'),
      'build',
      ['COPY go.mod /x is new'],
    ],
    ['a step that is gone', edited('COPY src /src\n', ''), 'build', ['COPY src /src is gone']],
    [
      'a flag',
      edited('COPY src', 'COPY --chown=1:1 src'),
      'build',
      ['--chown of COPY --chown=1:1 src /src changed'],
    ],
    [
      'the network',
      edited('RUN --mount', 'RUN --network=host --mount'),
      'build',
      ['the network of RUN go build -o /app ./src changed'],
    ],
    [
      'the base',
      { ...project, bases: { 'docker.io/library/golang:1': { version: '2' } } },
      'deps',
      [
        expect.stringMatching(
          /^the base docker.io\/library\/golang:1 changed from sha256:[0-9a-f]{12} to sha256:[0-9a-f]{12}$/,
        ) as unknown as string,
      ],
    ],
    [
      'another base',
      edited('FROM deps AS build', 'FROM scratch AS build'),
      'build',
      ['it has another base: scratch', expect.stringContaining('PATH') as unknown as string].slice(0, 1),
    ],
    [
      'what it builds on',
      withFiles({ 'go.mod': 'module b\n' }),
      'build',
      ['the stage that it builds on changed'],
    ],
    [
      'the frontend',
      { ...project, dockerfile: `# syntax=docker/dockerfile:1\n${dockerfile}` },
      'deps',
      ['the syntax directive changed from none to docker/dockerfile:1'],
    ],
    [
      'time',
      { ...project, now: NOW + 8 * 24 * 3600 * 1000 },
      'deps',
      ['max-age is over: RUN may use the network, and what it found may have changed'],
    ],
  ])('by %s', async (_, after, stage, sentences) => {
    const { stages } = await told(after);
    expect(stages[stage]).toEqual(sentences);
  });

  it('is the order of variables, too', async () => {
    const of = (...lines: string[]) => edited('COPY src', `${lines.join('\n')}\nCOPY src`);
    const { stages } = await told(of('ENV B=2', 'ENV A=1'), of('ENV A=1', 'ENV B=2'));
    expect(stages.build).toEqual(['the order of variables changed']);
  });

  it('is said in the order of the Dockerfile', async () => {
    const both = {
      ...withFiles({ 'src/main.go': 'changed' }),
      bases: { 'docker.io/library/golang:1': { version: '2' } },
    };
    const { stages, short } = await told(both);
    expect(stages.build).toEqual(['the stage that it builds on changed', 'src/main.go: content changed']);
    expect(short).toHaveLength(2);
    expect(short[0]).toMatch(/^stage "deps": the base/);
  });

  it('is said of many files in a few words', async () => {
    const files = (text: string) =>
      Object.fromEntries([...'abcdefghij'].map((name) => [`src/${name}`, text]));
    const { short } = await told(withFiles(files('2')), withFiles(files('1')));
    expect(short).toHaveLength(7);
    expect(short.at(-1)).toBe('and 4 more');
  });

  it('is not said of a stage that was not there', async () => {
    const { stages } = await told(
      edited('AS build', 'AS compile').dockerfile.includes('compile')
        ? {
            ...project,
            dockerfile: dockerfile.replace('AS build', 'AS compile').replace('=build', '=compile'),
          }
        : project,
    );
    expect(Object.keys(stages)).toEqual(['2', 'deps']);
  });
});

describe('why an image is made again', () => {
  it.each<[string, Project, string[]]>([
    [
      'a label',
      edited('revision=1', 'revision=2'),
      ['label revision changed from 1 to 2', 'the history changed'],
    ],
    [
      'compression',
      { ...project, request: { compression: 'zstd' } },
      ['compression changed from gzip to zstd'],
    ],
    [
      'an annotation',
      {
        ...project,
        request: { annotations: [{ kind: 'manifest', platform: undefined, key: 'a', value: 'b' }] },
      },
      ['annotation a is new'],
    ],
  ])('by %s', async (_, after, sentences) => {
    expect((await told(after)).short).toEqual(sentences);
  });
});
