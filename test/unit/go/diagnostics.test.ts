import { describe, expect, it } from 'vitest';
import {
  BuildOutput,
  compileFailure,
  formatDiagnostic,
  parseDiagnostics,
} from '../../../shared/go/diagnostics.ts';

const parse = (text: string) => parseDiagnostics(text, '/work/svc', '/work');

describe('what the compiler says', () => {
  it.each([
    [
      './main.go:5:2: undefined: x',
      { message: 'undefined: x', location: { file: 'svc/main.go', line: 5, column: 2 } },
    ],
    [
      'internal/a/a.go:7: missing return',
      { message: 'missing return', location: { file: 'svc/internal/a/a.go', line: 7 } },
    ],
    [
      '../lib/b.go:1:1: expected',
      { message: 'expected', location: { file: 'lib/b.go', line: 1, column: 1 } },
    ],
    ['/go/pkg/mod/x@v1/x.go:3:4: oops', { message: '/go/pkg/mod/x@v1/x.go:3:4: oops' }],
    [
      'asm_amd64.s:9: unrecognized instruction',
      { message: 'unrecognized instruction', location: { file: 'svc/asm_amd64.s', line: 9 } },
    ],
    ['go: updates to go.mod needed', { message: 'updates to go.mod needed' }],
    ['link: running gcc failed: exit status 1', { message: 'link: running gcc failed: exit status 1' }],
  ])('%j', (line, expected) => {
    expect(parse(line)).toEqual([expected]);
  });

  it('joins lines that belong together, and leaves out headings', () => {
    const text =
      '# example.com/m\na.go:1:2: cannot use x\n\thave int\n\twant string\n\ngo: downloading y v1\nb.go:2:1: y\ntoo many errors\n';
    expect(parse(text).map(formatDiagnostic)).toEqual([
      'svc/a.go:1:2: cannot use x\nhave int\nwant string',
      'svc/b.go:2:1: y',
    ]);
  });

  it('is gathered by package, from events and from plain text', () => {
    const output = new BuildOutput();
    const event = (ImportPath: string, Output: string) =>
      output.line(JSON.stringify({ ImportPath, Action: 'build-output', Output }));
    event('a', 'a.go:1:1: one\n');
    event('b', 'b.go:1:1: two\n');
    event('a', '\tmore\n');
    output.line(JSON.stringify({ ImportPath: 'a', Action: 'build-fail' }));
    output.line('{"a": "line of a program"}');
    expect(output.text).toBe('a.go:1:1: one\n\tmore\nb.go:1:1: two\n{"a": "line of a program"}\n');
    expect(output.diagnostics('/w', '/w').map(({ message }) => message)).toEqual([
      'one\nmore',
      'two',
      '{"a": "line of a program"}',
    ]);
  });

  it('becomes one failure for all targets, at the first place', () => {
    const diagnostics = parse('link: broken\na.go:1:2: x\na.go:3:4: y');
    const failure = compileFailure(
      ['linux/amd64', 'windows/amd64'],
      [...diagnostics, ...diagnostics],
      undefined,
    );
    expect(failure.message).toBe(
      'go build failed for linux/amd64, windows/amd64: svc/a.go:1:2: x (and 2 more).',
    );
    expect(failure.location).toEqual({ file: 'svc/a.go', line: 1, column: 2 });
    expect(failure.diagnostics).toHaveLength(3);
  });
});
