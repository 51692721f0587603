import { describe, expect, it } from 'vitest';
import { readShell } from '../../../shared/lift/shell.ts';

const env = { GOOS: 'linux', VERSION: '1.2.3', EMPTY: '', FLAGS: '-v  -trimpath' };

function words(line: string): string[][] {
  const reading = readShell(line, env);
  if (reading.kind === 'beyond') throw new Error(reading.because);
  return reading.commands.map((command) => [...command.words]);
}

describe('readShell reads sequences of simple commands', () => {
  it.each<[string, string[][]]>([
    ['go build', [['go', 'build']]],
    ['  go   build\t./cmd ', [['go', 'build', './cmd']]],
    [
      'go mod download && go build .',
      [
        ['go', 'mod', 'download'],
        ['go', 'build', '.'],
      ],
    ],
    ['a; b\nc', [['a'], ['b'], ['c']]],
    ['a \\\n  b', [['a', 'b']]],
    [`go build -ldflags="-s -w" -o '/out/a b'`, [['go', 'build', '-ldflags=-s -w', '-o', '/out/a b']]],
    ['go build -ldflags "-X main.v=${VERSION}"', [['go', 'build', '-ldflags', '-X main.v=1.2.3']]],
    ["echo '$VERSION'", [['echo', '$VERSION']]],
    ['go $FLAGS x', [['go', '-v', '-trimpath', 'x']]],
    ['go "$FLAGS" x', [['go', '-v  -trimpath', 'x']]],
    ['go $EMPTY x', [['go', 'x']]],
    ['go "" x', [['go', '', 'x']]],
    ['echo ${NOPE:-fallback} ${EMPTY:-e} ${EMPTY-kept} ${VERSION:+set}', [['echo', 'fallback', 'e', 'set']]],
    ['echo a\\ b \\$VERSION', [['echo', 'a b', '$VERSION']]],
    ['a # comment && b', [['a']]],
    ['echo a#b "c$"', [['echo', 'a#b', 'c$']]],
    ['go build ./...', [['go', 'build', './...']]],
    ['go build -X={{.V}}', [['go', 'build', '-X={{.V}}']]],
    ['X=1; echo $X', [['echo', '1']]],
    ['export X=2 && echo "$X"', [['echo', '2']]],
    ['echo "a\\"b" "c\\d"', [['echo', 'a"b', 'c\\d']]],
    ['', []],
  ])('%s', (line, expected) => {
    expect(words(line)).toEqual(expected);
  });

  it('keeps leading assignments apart from words, and does not split their values', () => {
    const reading = readShell('CGO_ENABLED=0 GOFLAGS=$FLAGS go build', env);
    expect(reading).toMatchObject({
      kind: 'sequence',
      commands: [
        {
          words: ['go', 'build'],
          assignments: { CGO_ENABLED: '0', GOFLAGS: '-v  -trimpath', GOOS: 'linux' },
        },
      ],
    });
  });
});

describe('readShell knows which variables a command gets', () => {
  it.each<[string, Record<string, string | undefined>]>([
    ['X=1; go build', { X: undefined }],
    ['export X=1; go build', { X: '1' }],
    ['X=1; export X && go build', { X: '1' }],
    ['GOOS=plan9; go build', { GOOS: 'plan9' }],
    ['X=1 go build', { X: '1' }],
    ['A=1 B=$A go build $A', { A: '1', B: '1' }],
  ])('%s', (line, expected) => {
    const reading = readShell(line, env);
    if (reading.kind === 'beyond') throw new Error(reading.because);
    expect(reading.commands).toHaveLength(1);
    expect(reading.commands[0]).toMatchObject({ words: ['go', 'build'] });
    for (const [name, value] of Object.entries(expected))
      expect(reading.commands[0]!.assignments[name]).toBe(value);
  });
});

it('tells words that the shell would replace by file names from quoted ones', () => {
  expect(readShell('go build "*" cmd/*.go \\*', {})).toMatchObject({
    commands: [{ words: ['go', 'build', '*', 'cmd/*.go', '*'], patterns: ['cmd/*.go'] }],
  });
});

describe('readShell names what it does not model', () => {
  it.each([
    ['go list | head', 'a pipe "|"'],
    ['a || b', 'an alternative "||"'],
    ['a & b', 'a background command "&"'],
    ['a > out', 'a redirection ">"'],
    ['a < in', 'a redirection "<"'],
    ['go build -X $(git rev-parse HEAD)', 'a command substitution'],
    ['go build "-X `date`"', 'a command substitution'],
    ['(cd x; go build)', 'a subshell'],
    ['if true; then go build; fi', 'the shell construct "if"'],
    ['echo ${X%%.*}', 'a parameter expansion that is more than a variable'],
    ['go build -o ~/app', 'a home folder "~"'],
    ['go build ./{a,b}', 'a brace expansion'],
    ["echo $'a'", 'a "$" before a quote'],
    ['IFS=,; go build', 'another IFS'],
    ['echo "open', 'an unclosed quote'],
    ["echo 'open", 'an unclosed quote'],
  ])('%s', (line, because) => {
    expect(readShell(line, env)).toEqual({ kind: 'beyond', because });
  });
});
