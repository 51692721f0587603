import { describe, expect, it } from 'vitest';
import {
  createIgnore,
  createMatcher,
  hasWildcards,
  ignoreFileNames,
  matchGlob,
} from '../../../shared/dockerfile/index.ts';

describe('createIgnore', () => {
  const kept = (text: string, paths: readonly string[]) =>
    paths.filter((path) => !createIgnore(text).ignores(path, false));

  it.each([
    [
      'a name at the root only',
      'node_modules',
      ['a/node_modules/x', 'src'],
      ['node_modules/x', 'node_modules'],
    ],
    ['a name anywhere', '**/node_modules', ['nodemodules'], ['a/node_modules/x', 'node_modules']],
    ['a slash in front', '/a', ['b/a'], ['a', 'a/b']],
    ['stars that stop at slashes', '*.go\nx/*', ['a/b.go'], ['b.go', 'x/y', 'x/y/z']],
    ['two stars', 'a/**/c', ['a/b', 'c'], ['a/c', 'a/b/c', 'a/b/b/c/d']],
    ['a question mark and a class', 'a?.[ch]', ['a/.c', 'ab.d'], ['ab.c', 'a1.h']],
    ['comments, blanks and spaces', '# a\n\n  b  \n #c', ['a', 'c'], ['b', '#c']],
    ['exceptions, the last one wins', '*\n!a\nb\n!a/b', ['a', 'a/b', 'a/x'], ['b', 'c']],
    ['everything but one', '**\n!cmd', ['cmd', 'cmd/x/y'], ['a', 'cmdx']],
    ['a path that is not clean', './a//b/../c', ['a', 'a/b'], ['a/c']],
    ['a byte order mark', '\ufeffa', ['b'], ['a']],
  ])('%s', (_, text, stay, go) => {
    expect(kept(text, [...stay, ...go])).toEqual(stay);
  });

  it('looks into an ignored folder only when something below may come back', () => {
    const ignore = createIgnore('*\n!cmd/app\n!docs/*');
    expect(['cmd', 'docs', 'vendor'].map((path) => ignore.mayContainIncluded(path))).toEqual([
      true,
      true,
      false,
    ]);
    expect(createIgnore('*').mayContainIncluded('cmd')).toBe(false);
    // A pattern in the middle can match anywhere.
    expect(createIgnore('*\n!**/keep').mayContainIncluded('vendor')).toBe(true);
  });

  it('does not let an exception for a folder undo what a pattern takes out of it', () => {
    // The verdict on the folder came before the exception had a say; this is where patternmatcher differs from gitignore.
    expect(kept('docs/*.md\n!docs', ['docs/a.md', 'docs/b'])).toEqual(['docs/b']);
  });

  it('refuses what is malformed', () => {
    expect(() => createIgnore('!')).toThrow('The pattern "!" brings nothing back');
    expect(() => createIgnore('[')).toThrow('The pattern "[" is malformed: a "[" is never closed.');
  });

  it('takes no longer for a pattern that is made to take long', () => {
    const ignore = createIgnore(`${'**/'.repeat(12)}x*y\n${'*a'.repeat(20)}*b\n${'a**/'.repeat(12)}b[^c]`);
    // A regular expression would take years.
    expect(ignore.ignores(`${'a/'.repeat(40)}b`, false)).toBe(false);
    expect(ignore.ignores('a'.repeat(200), false)).toBe(false);
    expect(ignore.ignores(`${'a'.repeat(200)}b`, false)).toBe(true);
    expect(ignore.ignores(`${'a/'.repeat(12)}bd`, false)).toBe(true);
  });

  it('takes patterns of COPY --exclude as they are', () => {
    expect(createMatcher(['# a', '*.md']).ignores('# a', false)).toBe(true);
  });

  it('is looked for beside the Dockerfile first', () => {
    expect(ignoreFileNames('build/app.Dockerfile')).toEqual([
      'build/app.Dockerfile.dockerignore',
      '.dockerignore',
    ]);
  });
});

describe('matchGlob', () => {
  it.each([
    ['*', 'a', true],
    ['*', 'a/b', false],
    ['a*/b', 'ax/b', true],
    ['a?c', 'abc', true],
    ['a?c', 'a/c', false],
    ['[^a]', 'b', true],
    ['[^a]', 'a', false],
    ['[a-c]x', 'bx', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a[!b]', 'a!', true],
    ['é?', 'é日', true],
  ])('%s on %s', (pattern, path, expected) => {
    expect(matchGlob(pattern, path)).toBe(expected);
  });

  it.each(['a[', '[]a]', '[a-]', 'a\\'])('%s is malformed', (pattern) => {
    expect(() => matchGlob(pattern, 'ab')).toThrow('is malformed');
  });

  it('knows a pattern from a plain path', () => {
    expect(['a*', 'a?', '[a]', 'a\\*', 'a'].map(hasWildcards)).toEqual([true, true, true, false, false]);
  });
});
