import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../shared/dockerfile/duration.ts';
import { cleanPath, joinPath, quoteList } from '../../../shared/dockerfile/go-text.ts';
import { shellCommands } from '../../../shared/dockerfile/lint/shell-commands.ts';
import { isGitReference, isHttpUrl } from '../../../shared/dockerfile/remote.ts';
import { splitCommand, splitPairs, splitWords } from '../../../shared/dockerfile/words.ts';

describe('words', () => {
  it('ends flags at -- and keeps what stands behind', () => {
    expect(splitCommand('RUN --a="b c" -- --d e', '\\')).toEqual({
      word: 'RUN',
      flags: ['--a=b c'],
      ends: [13],
      rest: '--d e',
    });
    expect(splitCommand('  CMD  ', '\\')).toEqual({ word: 'CMD', flags: [], ends: [], rest: '' });
  });

  it('keeps quotes in words and splits at spaces outside them', () => {
    expect(splitWords(`a="b c" 'd e'\\ f g\\`, '\\')).toEqual(['a="b c"', `'d e'\\ f`, 'g']);
  });

  it('reads pairs in both forms', () => {
    expect(splitPairs('a=b c="d e"', 'ENV', '\\')).toEqual([
      { key: 'a', value: 'b', legacy: false },
      { key: 'c', value: '"d e"', legacy: false },
    ]);
    expect(splitPairs('a b  c', 'ENV', '\\')).toEqual([{ key: 'a', value: 'b  c', legacy: true }]);
  });
});

describe("Go's paths", () => {
  it.each([
    ['', '.'],
    ['/', '/'],
    ['/a/../..', '/'],
    ['a/../../b', '../b'],
    ['../../a', '../../a'],
    ['./a//b/.', 'a/b'],
  ])('cleans %j to %j', (path, clean) => {
    expect(cleanPath(path)).toBe(clean);
  });

  it('joins without empty parts', () => {
    expect([joinPath('/', ''), joinPath('a', '/b'), joinPath('', '')]).toEqual(['/', 'a/b', '']);
  });
});

describe("Go's durations", () => {
  it.each([
    ['1h30m', 5.4e12, '1h30m0s'],
    ['90s', 9e10, '1m30s'],
    ['1.5s', 1.5e9, '1.5s'],
    ['.5ms', 5e5, '500µs'],
    ['1500us', 1.5e6, '1.5ms'],
    ['-2s', -2e9, '-2s'],
    ['0', 0, '0s'],
    ['17ns', 17, '17ns'],
  ])('%s', (text, nanoseconds, formatted) => {
    expect(parseDuration(text)).toBe(nanoseconds);
    expect(formatDuration(nanoseconds)).toBe(formatted);
  });

  it.each(['', '5', 's', '1d', '1 s', '--1s', '9999999h'])('%j is none', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

it("writes lists as Go's %q does", () => {
  expect(quoteList(['a "b"', 'é\t\u0007\u200b\\', '\u{1f600}'])).toBe(
    '["a \\"b\\"" "é\\t\\a\\u200b\\\\" "😀"]',
  );
});

describe('shellCommands', () => {
  const programs = (script: string) => shellCommands(script).map((command) => command.words.join(' '));

  it.each([
    ['a b && c | d; e', ['a b', 'c', 'd', 'e']],
    ['A=1 B="2 3" go build "./x y" # no', ['go build ./x y # no']],
    ['# c\nset -e \\\n  -x\nif a; then b; fi', ['set -e -x', 'a', 'b', 'fi']],
    ['echo \'a && b\' "c; d"', ['echo a && b c; d']],
    ['(cd x && make)', ['cd x', 'make)']],
  ])('%j', (script, expected) => {
    expect(programs(script)).toEqual(expected);
  });
});

describe('sources of ADD', () => {
  it.each([
    ['https://x.example/a.git', 'git'],
    ['https://x.example/a.git#main:sub', 'git'],
    ['https://x.example/a.git?ref=v1', 'git'],
    ['git@x.example:a/b', 'git'],
    ['ssh://x.example/a', 'git'],
    ['git://x.example/a', 'git'],
    ['https://x.example/a.tar.gz', 'http'],
    ['https://x.example/a.git/b', 'http'],
    ['https://x.git', 'http'],
    ['https://[bad/a', 'http'],
    ['./git@x:y', 'local'],
    ['a.git', 'local'],
    ['github.com/a/b', 'local'],
    ['a@b', 'local'],
  ])('%s is %s', (source, kind) => {
    expect(isGitReference(source) ? 'git' : isHttpUrl(source) ? 'http' : 'local').toBe(kind);
  });
});
