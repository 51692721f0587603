import { describe, expect, it } from 'vitest';
import { buildFacts, expandTemplate, stampFlag } from '../../../shared/go/stamp.ts';

const commit = '0123456789abcdef0123456789abcdef01234567';
const git = { root: '/r', commit, commitTime: 1_714_979_289, branch: 'main', dirty: false, untracked: false };

describe('facts of a build', () => {
  it('come from the tag on the commit', () => {
    expect(buildFacts({ ...git, tag: 'v1.4.0' })).toEqual({
      tag: 'v1.4.0',
      version: '1.4.0',
      branch: 'main',
      commit,
      shortCommit: '0123456789ab',
      date: '2024-05-06T07:08:09Z',
      timestamp: '1714979289',
    });
  });

  it.each([
    ['between tags', { nearest: { tag: 'v1.4.0', commits: 3 } }, '1.4.0-3-g0123456789ab'],
    ['without tags', {}, '0.0.0-20240506070809-0123456789ab'],
    ['with changed files', { tag: 'v1.4.0', dirty: true }, '1.4.0+dirty'],
    ['with a tag that is no version', { tag: 'vendored' }, 'vendored'],
  ])('%s', (_, state, version) => {
    expect(buildFacts({ ...git, ...state }).version).toBe(version);
  });

  it('believe the run before the checkout', () => {
    expect(buildFacts({ ...git, tag: 'v1.0.0' }, { tag: 'v2.0.0', branch: 'release' })).toMatchObject({
      version: '2.0.0',
      branch: 'release',
    });
  });
});

describe('templates', () => {
  const facts = buildFacts({ ...git, tag: 'v1.4.0' });
  it.each([
    ['-X main.v={{version}} -s', '-X main.v=1.4.0 -s'],
    ['{{ .Version }} {{.ShortCommit}} {{- .CommitDate -}}', '1.4.0 0123456789ab 2024-05-06T07:08:09Z'],
    ['{{short-commit}}/{{tag}}/{{branch}}/{{timestamp}}', '0123456789ab/v1.4.0/main/1714979289'],
    ['{{os}}', 'linux'],
    ['plain', 'plain'],
  ])('%j', (text, expected) => {
    expect(expandTemplate(text, facts, 'ldflags', { os: 'linux' })).toBe(expected);
  });

  it.each([
    [
      '{{verson}}',
      'ldflags names {{verson}}; accepted are version, tag, commit, short-commit, date, timestamp, branch. Did you mean "version"?',
    ],
    ['{{version', 'ldflags has "{{version", whose {{ }} do not match'],
    ['version}}', 'whose {{ }} do not match'],
    ['{{if .Tag}}', 'whose {{ }} do not match'],
  ])('%j is refused', (text, message) => {
    expect(() => expandTemplate(text, facts, 'ldflags')).toThrow(message);
  });

  it('say what is not known', () => {
    expect(() => expandTemplate('{{commit}}', {}, 'stamp main.c')).toThrow(
      'stamp main.c names {{commit}}, which nothing here tells: build in a git checkout',
    );
    expect(() => expandTemplate('{{tag}}', buildFacts(git), 'ldflags')).toThrow(
      'the commit has no tag; {{version}} has a value',
    );
  });
});

describe('stamps', () => {
  it.each([
    ['main.version=1.0', '-X main.version=1.0'],
    ['-X main.version=1.0', '-X main.version=1.0'],
    ['example.com/a-b/c.Version=x=y', '-X example.com/a-b/c.Version=x=y'],
    ['main.empty=', '-X main.empty='],
    ['main.name=My App', "-X 'main.name=My App'"],
    ["main.name=It's", `-X "main.name=It's"`],
  ])('%j', (line, flag) => {
    expect(stampFlag(line, {})).toBe(flag);
  });

  it.each([
    ['version=1', 'Stamp "version=1" is not written as package.variable=value'],
    ['main.version', 'is not written as package.variable=value'],
    ['main.1x=1', 'is not written as package.variable=value'],
    [`main.x='"`, 'both kinds of quotes'],
  ])('%j is refused', (line, message) => {
    expect(() => stampFlag(line, {})).toThrow(message);
  });
});
