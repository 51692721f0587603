import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../../shared/content/index.ts';
import { contentOf } from '../../../shared/image/builder/demand.ts';
import { isStillAsPlanned } from '../../../shared/image/identity/confirm.ts';
import type { ContentOf } from '../../../shared/image/identity/identity.ts';
import { type Bases, keyOf, NOW, type Project, planOf, stageOf } from './identities.ts';

const DAY = 24 * 3600 * 1000;
const bases: Bases = {
  'docker.io/library/golang:1': {
    version: '1',
    config: { Env: ['PATH=/usr/bin', 'GOPATH=/go', 'SRC=src'] },
  },
  'docker.io/library/debian:1': { version: '1' },
};
const files = {
  'src/main.go': 'package main\n',
  'src/lib/lib.go': 'package lib\n',
  'src/run.sh': { text: '#!/bin/sh\n', mode: 0o755 },
  'src/link': { link: 'main.go' },
  'docs/readme.md': 'read me\n',
  'conf/a.yaml': 'a: 1\n',
} as const;
const dockerfile = [
  'FROM golang:1 AS build',
  'ARG VERSION=1',
  'WORKDIR /src',
  'COPY src .',
  'RUN --network=none go build -o /out/app .',
  'FROM debian:1',
  'COPY conf /conf',
  'COPY --from=build /out/app /app',
  'LABEL a=b',
  'CMD ["/app"]',
  '',
].join('\n');
const project: Project = { dockerfile, files, bases };
const changed = (from: string, to: string): Project => {
  if (!dockerfile.includes(from)) throw new Error(`nothing to replace: ${from}`);
  return { ...project, dockerfile: dockerfile.replace(from, to) };
};
const request = (more: NonNullable<Project['request']>): Project => ({ ...project, request: more });
const withFiles = (more: NonNullable<Project['files']>): Project => ({
  ...project,
  files: { ...files, ...more },
});
const without = (name: string): Project => ({
  ...project,
  files: Object.fromEntries(Object.entries(files).filter(([path]) => path !== name)),
});
const rebased = (name: string, more: Partial<Bases[string]>): Project => ({
  ...project,
  bases: { ...bases, [name]: { ...bases[name]!, ...more } },
});

const nothing: ContentOf = () => undefined;
/** Of the first stage no more is known than what is at one path. */
const only = (path: string, text: string) => contentOf(new Map([[0, { [path]: digestOf(text) }]]));
/** What the first stage has at any path. */
const everywhere =
  (text: string): ContentOf =>
  (stage, paths) =>
    stage === 0 ? digestOf(`${paths.join()} ${text}`) : undefined;

describe('the key of a stage', () => {
  it('is the same in another folder, at other times', async () => {
    const folder = (await planOf(project)).request.context;
    utimesSync(join(folder, 'src/main.go'), 1, 2);
    const plan = await planOf(project);
    expect(plan.identity.image!.digest).toBe((await planOf(project)).identity.image!.digest);
    expect(plan.request.context).not.toBe(folder);
  });

  it.each<[string, Project]>([
    ['content of a file', withFiles({ 'src/main.go': 'package other\n' })],
    ['mode of a file', withFiles({ 'src/main.go': { text: 'package main\n', mode: 0o755 } })],
    ['a new file', withFiles({ 'src/new.go': 'package main\n' })],
    ['a new empty folder', withFiles({ 'src/empty': { directory: 0o755 } })],
    ['mode of a folder', withFiles({ 'src/lib': { directory: 0o700 } })],
    ['a file that is gone', without('src/run.sh')],
    [
      'a file under another name',
      {
        ...without('src/run.sh'),
        files: { ...without('src/run.sh').files, 'src/go.sh': files['src/run.sh'] },
      },
    ],
    ['target of a link', withFiles({ 'src/link': { link: 'run.sh' } })],
    ['a link in the place of a file', withFiles({ 'src/run.sh': { link: 'main.go' } })],
    ['a hard link in the place of a copy', withFiles({ 'src/x1': 'x', 'src/x2': { hardlink: 'src/x1' } })],
    ['the command', changed('go build', 'go build -v')],
    ['the exec form of a command', changed('go build -o /out/app .', '["go", "build"]')],
    ['the folder', changed('WORKDIR /src', 'WORKDIR /app')],
    ['the user', changed('WORKDIR /src', 'USER 1\nWORKDIR /src')],
    ['the shell', changed('WORKDIR /src', 'SHELL ["/bin/bash", "-c"]\nWORKDIR /src')],
    ['a variable', changed('WORKDIR /src', 'ENV A=1\nWORKDIR /src')],
    ['the default of an argument', changed('VERSION=1', 'VERSION=2')],
    ['an argument that is declared', request({ buildArgs: { VERSION: '2' } })],
    ['a new step', changed('COPY src .', 'COPY src .\nRUN --network=none true')],
    ['the order of steps', changed('WORKDIR /src\nCOPY src .', 'COPY src .\nWORKDIR /src')],
    ['the network', changed('--network=none', '--network=host')],
    ['--chown', changed('COPY src', 'COPY --chown=1:1 src')],
    ['--chmod', changed('COPY src', 'COPY --chmod=0700 src')],
    ['--link', changed('COPY src', 'COPY --link src')],
    ['--parents', changed('COPY src', 'COPY --parents src')],
    ['--exclude of a file that is there', changed('COPY src', 'COPY --exclude=*.sh src')],
    ['the destination', changed('COPY src .', 'COPY src ./x/')],
    ['ADD in the place of COPY', changed('COPY src', 'ADD src')],
    ['an ignore file that leaves a file out', withFiles({ '.dockerignore': 'src/lib\n' })],
    ['a cache mount', changed('RUN ', 'RUN --mount=type=cache,target=/root/.cache ')],
    ['a secret', changed('RUN ', 'RUN --mount=type=secret,id=token ')],
    ['a bound folder', changed('RUN ', 'RUN --mount=type=bind,source=docs,target=/docs ')],
    ['digest of the base', rebased('docker.io/library/golang:1', { version: '2' })],
    ['another base', changed('FROM golang:1', 'FROM debian:1')],
    ['platform', request({ platforms: [{ os: 'linux', architecture: 'arm64' }] })],
    ['the frontend', { ...project, dockerfile: `# syntax=docker/dockerfile:1.9\n${dockerfile}` }],
    ['hosts', request({ runs: { ...noRuns(), addHosts: ['db:10.0.0.1'] } })],
    ['ulimit', request({ runs: { ...noRuns(), ulimit: ['nofile=1:1'] } })],
    ['a BUILDKIT_ argument', request({ buildArgs: { BUILDKIT_SANDBOX_HOSTNAME: 'x' } })],
  ])('changes with %s', async (_, other) => {
    expect(await keyOf(other, 'build')).not.toBe(await keyOf(project, 'build'));
    expect((await planOf(other)).identity.files!.digest).not.toBe(
      (await planOf(project)).identity.files!.digest,
    );
  });

  it.each<[string, Project]>([
    ['a file that nothing copies', withFiles({ 'docs/readme.md': 'changed', other: 'x' })],
    ['a file that is ignored', withFiles({ '.dockerignore': '**/*.log\n', 'src/a.log': 'x' })],
    ['an ignore file that leaves out nothing', withFiles({ '.dockerignore': '# nothing\nnot-there\n' })],
    ['an argument that nothing declares', request({ buildArgs: { OTHER: '1' } })],
    ['an argument that is given its default', request({ buildArgs: { VERSION: '1' } })],
    ['a label', request({ labels: { revision: 'abc' } })],
    [
      'comments and line breaks',
      changed('RUN --network=none go build', '# why\nRUN \\\n  --network=none \\\n  go build'),
    ],
    ['a label in the stage', changed('COPY src .', 'LABEL x=y\nCOPY src .')],
    [
      'its name',
      { ...project, dockerfile: dockerfile.replaceAll('build', 'compile').replace('go compile', 'go build') },
    ],
    ['the final stage', changed('COPY conf /conf', 'COPY conf /etc/conf')],
    [
      'a stage that the target does not need',
      changed('FROM debian:1', 'FROM debian:1 AS unused\nRUN false\nFROM debian:1'),
    ],
    ['compression', request({ compression: 'zstd' })],
    ['the time of the image', request({ epoch: 1_700_000_000 })],
    ['the digest of the final base', rebased('docker.io/library/debian:1', { version: '2' })],
    ['Slipway’s own folder', withFiles({ 'src/.slipway/x': 'x' })],
  ])('does not change with %s', async (_, other) => {
    const name = other.dockerfile.includes('AS compile') ? 'compile' : 'build';
    expect(await keyOf(other, name)).toBe(await keyOf(project, 'build'));
  });

  it('does not change with a mode that --chmod overwrites, or how a cache is shared', async () => {
    const chmod = changed('COPY src', 'COPY --chmod=0755 src');
    const mode = { 'src/main.go': { text: 'package main\n', mode: 0o600 } };
    expect(await keyOf({ ...chmod, files: { ...files, ...mode } }, 'build')).toBe(
      await keyOf(chmod, 'build'),
    );
    const cache = (more: string) => changed('RUN ', `RUN --mount=type=cache,target=/c${more} `);
    expect(await keyOf(cache(',sharing=locked'), 'build')).toBe(await keyOf(cache(''), 'build'));
    expect(await keyOf(cache(',id=x'), 'build')).not.toBe(await keyOf(cache(''), 'build'));
  });

  it('holds what the configuration of a base says about sources', async () => {
    const own = changed('COPY src .', 'COPY ${SRC} .');
    const other = {
      ...own,
      bases: rebased('docker.io/library/golang:1', { config: { Env: ['PATH=/usr/bin', 'SRC=docs'] } }).bases!,
    };
    const stage = await stageOf(other, 'build');
    expect(JSON.stringify(stage.key!.parts)).toContain('docs/readme.md');
    expect(JSON.stringify(stage.key!.parts)).not.toContain('main.go');
  });

  it('holds the triggers of a base', async () => {
    const triggers = rebased('docker.io/library/golang:1', { config: { OnBuild: ['COPY docs /docs'] } });
    expect(JSON.stringify((await stageOf(triggers, 'build')).key!.parts)).toContain('docs/readme.md');
  });

  it('holds no value of an argument or variable, no text of a heredoc and no password', async () => {
    const telling = [
      'FROM golang:1 AS build',
      'ARG TOKEN',
      'ENV ALSO=$TOKEN',
      'COPY <<EOF /netrc',
      'password $TOKEN',
      'EOF',
      `ADD --checksum=sha256:${'0'.repeat(64)} https://user:hush@example.com/a /a`,
      `ADD --checksum=sha256:${'0'.repeat(64)} https://example.com/b?token=$TOKEN /b`,
      'RUN --network=none true',
      '',
    ].join('\n');
    const of = (TOKEN: string) =>
      stageOf({ ...project, dockerfile: telling, request: { buildArgs: { TOKEN } } }, 'build');
    const [one, two] = [await of('hush-hush'), await of('hush')];
    expect(JSON.stringify(one.key!.parts)).not.toMatch(/hush/);
    expect(one.key!.digest).not.toBe(two.key!.digest);
  });

  it.each<[string, Project, Project]>([
    [
      'who runs a command',
      changed('RUN --network=none', 'USER 1\nRUN --network=none'),
      changed('RUN --network=none', 'USER 2\nRUN --network=none'),
    ],
    [
      'which network a command has',
      changed('--network=none ', ''),
      changed('--network=none', '--network=host'),
    ],
    [
      'which network commands have that name none',
      { ...changed('--network=none ', ''), request: { runs: { ...noRuns(), network: 'host' } } },
      changed('--network=none ', ''),
    ],
    [
      'the order of variables',
      changed('COPY src', 'ENV A=1\nENV B=2\nCOPY src'),
      changed('COPY src', 'ENV B=2\nENV A=1\nCOPY src'),
    ],
    [
      'a hard link and a copy',
      withFiles({ 'src/x1': 'x', 'src/x2': { hardlink: 'src/x1' } }),
      withFiles({ 'src/x1': 'x', 'src/x2': 'x' }),
    ],
  ])('tells %s apart', async (_, one, two) => {
    expect(await keyOf(one, 'build')).not.toBe(await keyOf(two, 'build'));
  });

  it('does not change with a file that --exclude leaves out', async () => {
    const exclude = changed('COPY src', 'COPY --exclude=lib src');
    const other = { ...exclude, files: { ...files, 'src/lib/lib.go': 'changed', 'src/lib/new': 'x' } };
    expect(await keyOf(other, 'build')).toBe(await keyOf(exclude, 'build'));
  });

  it('tells an empty folder that a pattern matches from no match', async () => {
    const of = (more: NonNullable<Project['files']>) =>
      keyOf({ dockerfile: 'FROM scratch\nCOPY d* /x/\n', files: { a: 'a', ...more } }, 0);
    expect(await of({ d: { directory: 0o755 } })).not.toBe(await of({}));
  });

  it('holds the parts of several steps apart', async () => {
    const one = changed('COPY src .', 'COPY src/main.go src/run.sh .');
    const two = changed('COPY src .', 'COPY src/run.sh src/main.go .');
    expect(await keyOf(one, 'build')).not.toBe(await keyOf(two, 'build'));
  });

  it('tells a folder from its only file', async () => {
    const of = (source: string, more = {}) =>
      keyOf(
        { ...project, dockerfile: `FROM scratch\nCOPY ${source} /x/\n`, files: { 'd/f': 'x', ...more } },
        0,
      );
    expect(await of('*')).not.toBe(await of('d'));
    expect(await of('d')).not.toBe(await of('d/f'));
  });

  it('of a bound folder holds what lies in it, and of a bound file the file', async () => {
    const bound = changed('RUN ', 'RUN --mount=type=bind,source=docs,target=/docs ');
    const other = { ...bound, files: { ...files, 'docs/readme.md': 'changed' } };
    expect(await keyOf(other, 'build')).not.toBe(await keyOf(bound, 'build'));
    const elsewhere = { ...bound, files: { ...files, 'conf/a.yaml': 'changed' } };
    expect(await keyOf(elsewhere, 'build')).toBe(await keyOf(bound, 'build'));
  });

  it('holds whether a secret is given, and nothing of its value', async () => {
    const secret = changed('RUN ', 'RUN --mount=type=secret,id=token ');
    const given = { ...secret, request: { runs: { ...noRuns(), secrets: ['token'] } } };
    expect(await keyOf(given, 'build')).not.toBe(await keyOf(secret, 'build'));
    const other = { ...secret, request: { runs: { ...noRuns(), secrets: ['other'] } } };
    expect(await keyOf(other, 'build')).toBe(await keyOf(secret, 'build'));
  });
});

describe('what a stage takes from others', () => {
  it('is their key, so that a change goes all the way up', async () => {
    const other = withFiles({ 'src/main.go': 'changed' });
    expect(await keyOf(other, 1)).not.toBe(await keyOf(project, 1));
    expect(await keyOf(changed('--from=build', '--from=golang:1'), 1)).not.toBe(await keyOf(project, 1));
  });

  it('can be their content instead', async () => {
    const out = only('/out/app', 'out');
    const [one, two] = [await stageOf(project, 1), await stageOf(withFiles({ 'src/main.go': 'changed' }), 1)];
    expect(one.keyWith(out)!.digest).toBe(two.keyWith(out)!.digest);
    expect(one.keyWith(only('/out/app', 'other'))!.digest).not.toBe(one.keyWith(out)!.digest);
    expect(one.keyWith(out)!.digest).not.toBe(one.key!.digest);
    expect(one.keyWith(nothing)!.digest).toBe(one.key!.digest);
    expect(one.keyWith(only('/out/other', 'none of it'))!.digest).toBe(one.key!.digest);
  });

  it('goes through stages in between', async () => {
    const chain = [
      'FROM golang:1 AS one',
      'COPY src /src',
      'FROM scratch AS two',
      'COPY --from=one /src /src',
      'FROM two AS three',
      'COPY --from=two /src /again',
      '',
    ].join('\n');
    const of = (text: string) =>
      stageOf({ ...project, dockerfile: chain, files: { ...files, 'src/main.go': text } }, 'three');
    const [one, two] = [await of('1'), await of('2')];
    expect(one.key!.digest).not.toBe(two.key!.digest);
    const content = everywhere('x');
    expect(one.keyWith(content)!.digest).toBe(two.keyWith(content)!.digest);
  });

  describe('by content is that of the paths which it takes', () => {
    const lines = [
      'FROM golang:1 AS make',
      'COPY src /src',
      'RUN --network=none make',
      'FROM debian:1 AS first',
      'COPY --from=make /one /',
      'FROM first AS second',
      'COPY --from=make /two /sub/*.txt /',
      'FROM debian:1 AS mounts',
      'COPY --from=make /one /',
      'RUN --network=none --mount=from=make,source=/one,target=/m true',
      'FROM debian:1 AS behind',
      'COPY --from=mounts /x /',
      'FROM debian:1 AS parents',
      'COPY --from=make --parents /one /',
      'FROM scratch',
      'COPY --from=second /a /',
      'COPY --from=behind /a /',
      'COPY --from=parents /a /',
      '',
    ];
    const of = (name: string, text = '1') =>
      stageOf({ ...project, dockerfile: lines.join('\n'), files: { ...files, 'src/main.go': text } }, name);
    const paths = { '/one': digestOf('1'), '/two': digestOf('2'), '/sub': digestOf('3') };
    const known = contentOf(new Map([[0, paths]]));
    const but = (more: Partial<typeof paths>) => contentOf(new Map([[0, { ...paths, ...more }]]));
    const key = async (name: string, contents: ContentOf, text?: string) =>
      (await of(name, text)).keyWith(contents)!.digest;

    it('and of no others', async () => {
      const other = but({ '/two': digestOf('changed') });
      expect(await key('first', other, '2')).toBe(await key('first', known));
      expect(await key('first', but({ '/one': digestOf('changed') }))).not.toBe(await key('first', known));
    });

    it.each(['/one', '/two', '/sub'])('also where the stage that it is built on takes %s', async (path) => {
      expect(await key('second', known, '2')).toBe(await key('second', known));
      expect(await key('second', but({ [path]: digestOf('changed') }))).not.toBe(await key('second', known));
    });

    it('unless more than that is taken, by it or by a stage whose content is not known', async () => {
      for (const name of ['mounts', 'behind', 'parents'])
        expect(await key(name, known, '2')).not.toBe(await key(name, known));
      expect(await key('mounts', but({ '/one': digestOf('changed') }))).not.toBe(await key('mounts', known));
      expect(await key('behind', but({ '/one': digestOf('changed') }))).not.toBe(await key('behind', known));
    });

    it('of all that it takes from a stage in one line, or of none', async () => {
      const half = contentOf(new Map([[0, { '/one': paths['/one'], '/two': paths['/two'] }]]));
      expect(await key('second', half, '2')).not.toBe(await key('second', half));
      expect(await key('first', half, '2')).toBe(await key('first', half));
    });
  });

  it('is what lies in a folder that is handed in, as far as it is taken', async () => {
    const out = join((await planOf(project)).request.context, 'out');
    mkdirSync(join(out, 'out'), { recursive: true });
    writeFileSync(join(out, 'out/app'), 'program');
    const handed = request({ handedIn: { build: () => out } });
    const before = await keyOf(handed, 1);
    writeFileSync(join(out, 'out/other'), 'not taken');
    expect(await keyOf(handed, 1)).toBe(before);
    writeFileSync(join(out, 'out/app'), 'another program');
    expect(await keyOf(handed, 1)).not.toBe(before);
    expect(await stageOf(handed, 'build')).toMatchObject({ key: undefined, unkeyed: undefined });
  });
});

describe('a key that holds for a time only', () => {
  const online = changed('--network=none ', '');
  const at = (days: number, more: Project = online) => ({ ...more, now: NOW + days * DAY });

  it('is that of a stage that may use the network, and of those that take from it', async () => {
    expect((await stageOf(online, 'build')).aging).toEqual({
      reason: 'RUN may use the network',
      lines: { start: 5, end: 5 },
    });
    expect((await stageOf(online, 1)).aging?.reason).toBe('RUN may use the network');
    expect((await stageOf(project, 'build')).aging).toBeUndefined();
    expect(await keyOf(at(100, project), 'build')).toBe(await keyOf(project, 'build'));
  });

  it('is another one within max-age, and stays the same for a while', async () => {
    const keys = await Promise.all(Array.from({ length: 15 }, (_, day) => keyOf(at(day), 'build')));
    const runs = keys.filter((key, day) => day === 0 || key !== keys[day - 1]).length;
    expect(new Set(keys).size).toBe(runs); // a key that is over does not come back
    expect(runs).toBeGreaterThanOrEqual(3);
    expect(runs).toBeLessThanOrEqual(4);
  });

  it('ends at another time for each stage', async () => {
    const ends = async (more: Project) => {
      const keys = await Promise.all(Array.from({ length: 8 }, (_, day) => keyOf(at(day, more), 'build')));
      return keys.findIndex((key) => key !== keys[0]);
    };
    const all = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        ends({ ...online, dockerfile: `${online.dockerfile}`.replace('go build', `go build -p ${n}`) }),
      ),
    );
    expect(new Set(all).size).toBeGreaterThan(1);
  });

  it('by content is that of the stage alone', async () => {
    const stage = await stageOf(online, 1);
    const later = await stageOf(at(100), 1);
    const content = everywhere('x');
    expect(stage.keyWith(content)!.digest).toBe(later.keyWith(content)!.digest);
  });

  it('does not hold at all with a max-age of 0', async () => {
    const never = { ...online, request: { maxAge: 0 } };
    expect((await stageOf(never, 'build')).unkeyed?.reason).toBe('RUN may use the network, and max-age is 0');
    const taker = await stageOf(never, 1);
    expect(taker).toMatchObject({
      key: undefined,
      unkeyed: { reason: 'it takes from stage "build": RUN may use the network, and max-age is 0' },
    });
    expect(taker.keyWith(everywhere('x'))).toBeDefined();
    expect((await planOf(never)).identity).toMatchObject({ image: undefined, files: undefined });
    expect(await keyOf({ ...project, request: { maxAge: 0 } }, 'build')).toBe(await keyOf(project, 'build'));
  });

  it('of a longer max-age is not that of a shorter one', async () => {
    expect(await keyOf({ ...online, request: { maxAge: 3600 } }, 'build')).not.toBe(
      await keyOf(online, 'build'),
    );
  });

  it.each([
    [
      'a secret',
      'RUN --network=none --mount=type=secret,id=x true',
      'RUN reads a secret, whose value is in no key',
    ],
    ['an agent', 'RUN --network=none --mount=type=ssh true', 'RUN may ask others through SSH'],
    ['the host’s network', 'RUN --network=host true', 'RUN may use the network'],
    [
      'an address',
      'ADD https://example.com/a.tgz /',
      'ADD fetches https://example.com/a.tgz without a checksum',
    ],
    [
      'a branch',
      'ADD https://example.com/a.git#main /',
      'ADD fetches https://example.com/a.git#main without a checksum',
    ],
    [
      'a commit in an address that is none of git',
      `ADD https://me@example.com/a#${'a'.repeat(40)} /`,
      /^ADD fetches https:\/\/[0-9a-f]{32}@example/,
    ],
  ])('is that of a step with %s', async (_, step, reason) => {
    const stage = await stageOf({ ...project, dockerfile: `FROM golang:1\n${step}\n` }, 0);
    expect(stage.key).toBeDefined();
    expect(stage.aging?.reason).toMatch(reason);
    expect(stage.aging?.lines?.start).toBe(2);
  });

  it.each([
    ['no network', 'RUN --network=none true'],
    ['a checksum', `ADD --checksum=sha256:${'0'.repeat(64)} https://example.com/a /`],
    ['a commit', `ADD https://example.com/a.git#${'a'.repeat(40)} /`],
  ])('is not that of a step with %s', async (_, step) => {
    const stage = await stageOf({ ...project, dockerfile: `FROM golang:1\n${step}\n` }, 0);
    expect(stage.key).toBeDefined();
    expect(stage.aging).toBeUndefined();
  });

  it('is not that of a builder without a network', async () => {
    const offline = { ...online, request: { runs: { ...noRuns(), network: 'none' } } };
    expect((await stageOf(offline, 'build')).aging).toBeUndefined();
  });
});

describe('a stage without a key', () => {
  it.each<[string, Project, RegExp, number | undefined]>([
    ['privileged', changed('--network=none', '--security=insecure'), /--security=insecure/, 5],
    ['with a device', changed('--network=none', '--device=vendor.com/gpu=0'), /--device/, 5],
    ['whose source is missing', changed('COPY src .', 'COPY sources .'), /sources is not there/, 4],
    ['whose pattern matches nothing', changed('COPY src .', 'COPY src/*.c .'), /matches nothing/, 4],
    [
      'whose mount is missing',
      changed('RUN ', 'RUN --mount=type=bind,source=nope,target=/x '),
      /nope is not there/,
      5,
    ],
    [
      'on a base that is not to be had',
      { ...project, bases: { 'docker.io/library/debian:1': bases['docker.io/library/debian:1']! } },
      /golang:1 is not there/,
      1,
    ],
    [
      'of a frontend that is not known',
      { ...project, dockerfile: `# syntax=example.com/mine:1\n${dockerfile}` },
      /frontend example.com\/mine/,
      undefined,
    ],
    [
      'of a frontend that is given',
      request({ buildArgs: { BUILDKIT_SYNTAX: 'example.com/mine:1' } }),
      /BUILDKIT_SYNTAX/,
      undefined,
    ],
    [
      'beside a remote context',
      request({ contexts: { other: 'https://me:secret@example.com/a.git' } }),
      /^the build context "other" is at https:\/\/[0-9a-f]{32}@example.com\/a.git$/,
      undefined,
    ],
    ['that is to be run again', request({ runs: { ...noRuns(), again: ['Build'] } }), /no-cache-filters/, 1],
  ])('is one %s', async (_, other, reason, line) => {
    const stage = await stageOf(other, 'build');
    expect(stage.key).toBeUndefined();
    expect(stage.unkeyed?.reason).toMatch(reason);
    expect(stage.unkeyed?.lines?.start).toBe(line);
    expect(stage.keyWith(nothing)).toBeUndefined();
    expect((await planOf(other)).key).toBeUndefined();
  });

  it('leaves others theirs', async () => {
    const other = changed(
      'FROM debian:1',
      'FROM debian:1 AS free\nCOPY conf /x\nFROM debian:1\nCOPY --from=free /x /x',
    );
    const broken = { ...other, dockerfile: other.dockerfile.replace('COPY src .', 'COPY nope .') };
    expect(await keyOf(broken, 'free')).toBe(await keyOf(other, 'free'));
  });
});

describe('the key of the image', () => {
  const image = async (of: Project) => (await planOf(of)).identity;

  it.each<[string, Project]>([
    ['a label', request({ labels: { a: 'c' } })],
    ['CMD', changed('CMD ["/app"]', 'CMD ["/app", "-v"]')],
    ['an exposed port', changed('CMD', 'EXPOSE 80\nCMD')],
    [
      'an annotation',
      request({ annotations: [{ kind: 'manifest', platform: undefined, key: 'a', value: 'b' }] }),
    ],
  ])('changes with %s, and that of its files does not', async (_, other) => {
    const [one, two] = [await image(project), await image(other)];
    expect(two.image!.digest).not.toBe(one.image!.digest);
    expect(two.files!.digest).toBe(one.files!.digest);
  });

  it.each<[string, Project]>([
    ['compression', request({ compression: 'zstd' })],
    ['its level', request({ level: 9 })],
    ['media types', request({ mediaTypes: 'docker' })],
    ['the time', request({ epoch: 1 })],
    [
      'another platform',
      request({
        platforms: [
          { os: 'linux', architecture: 'amd64' },
          { os: 'linux', architecture: 'arm64' },
        ],
      }),
    ],
    ['the base', rebased('docker.io/library/debian:1', { version: '2' })],
  ])('changes with %s, and that of its files, too', async (_, other) => {
    const [one, two] = [await image(project), await image(other)];
    expect(two.image!.digest).not.toBe(one.image!.digest);
    expect(two.files!.digest).not.toBe(one.files!.digest);
  });

  it('is none where BuildKit puts more into the index', async () => {
    expect((await image(request({ builderOnly: 'attestations are asked for' }))).files).toBeUndefined();
  });

  it('goes by content, too', async () => {
    const [one, two] = [await image(project), await image(withFiles({ 'src/main.go': 'changed' }))];
    const content = [everywhere('x')];
    expect(one.filesWith(content)!.digest).toBe(two.filesWith(content)!.digest);
    expect(one.filesWith([nothing])!.digest).toBe(one.files!.digest);
  });
});

describe('files that change while an image is made', () => {
  it.each<[string, (folder: string) => void]>([
    ['content', (folder) => writeFileSync(join(folder, 'src/main.go'), 'changed')],
    ['mode', (folder) => chmodSync(join(folder, 'src/main.go'), 0o600)],
    ['a new file', (folder) => writeFileSync(join(folder, 'src/new.go'), 'new')],
    ['a missing source', (folder) => rmSync(join(folder, 'src'), { recursive: true })],
    ['a link', (folder) => symlinkSync('main.go', join(folder, 'src/other'))],
  ])('are noticed: %s', async (_, change) => {
    const plan = await planOf(project);
    expect(await isStillAsPlanned(plan)).toBe(true);
    change(plan.request.context);
    expect(await isStillAsPlanned(plan)).toBe(false);
  });

  it('do not count where nothing copies them, and time alone is no change', async () => {
    const plan = await planOf({ ...project, dockerfile: changed('--network=none ', '').dockerfile });
    writeFileSync(join(plan.request.context, 'docs/readme.md'), 'changed');
    expect(await isStillAsPlanned(plan)).toBe(true);
  });
});

function noRuns() {
  return {
    network: undefined,
    addHosts: [],
    ulimit: [],
    shmSize: undefined,
    cgroupParent: undefined,
    secrets: [],
    ssh: [],
    again: [],
  };
}
