import { expect, it } from 'vitest';
import { readGoInvocation } from '../../../shared/lift/go-invocation.ts';
import { localPaths } from '../../../shared/lift/proof.ts';

const lines = { start: 3, end: 3 };
const read = (words: string[], env: Record<string, string> = {}) =>
  readGoInvocation(
    { words: ['go', ...words], assignments: { CGO_ENABLED: '0', ...env }, patterns: [] },
    lines,
  );

it('keeps the words of a build, without those that change no byte', () => {
  const go = read([
    'build',
    '-v',
    '-p',
    '4',
    '--trimpath',
    '-ldflags',
    '-s -w',
    '-o=/out/a',
    './cmd/a',
    './cmd/b',
  ]);
  expect(go.flags).toEqual([
    { name: 'trimpath', value: undefined },
    { name: 'ldflags', value: '-s -w' },
    { name: 'o', value: '/out/a' },
  ]);
  expect(go.packages).toEqual(['./cmd/a', './cmd/b']);
  expect(go).toMatchObject({ trimpath: true, unstamped: false });
});

it('takes flags of GOFLAGS for in force, and lets later ones win', () => {
  expect(read(['build'], { GOFLAGS: "-trimpath '-ldflags=-s -w' -buildvcs=false" })).toMatchObject({
    trimpath: true,
    unstamped: true,
    flags: [],
  });
  expect(read(['build', '-trimpath=false'], { GOFLAGS: '-trimpath' }).trimpath).toBe(false);
});

it.each<[string[], Record<string, string>, RegExp]>([
  [['build', '-toolexec=x'], {}, /flag -toolexec/],
  [['build', '-overlay', 'x.json'], {}, /flag -overlay/],
  [['build', '-buildmode=plugin'], {}, /buildmode=plugin/],
  [['build', '-gcflags=all=-trimpath=/src'], {}, /gcflags name files/],
  [['build', '-ldflags=-extld=gcc'], {}, /-extld/],
  [['build', '-o'], {}, /-o has no value/],
  [['build', '.'], { CGO_ENABLED: '1' }, /cgo/],
  [['build', '.'], { GO111MODULE: 'off' }, /GO111MODULE/],
  [['build', '.'], { GOENV: '/etc/go' }, /GOENV/],
  [['build', '.'], { GOFLAGS: '-mod=mod' }, /-mod=mod/],
  [['build', '.'], { GOFLAGS: '-o=/x' }, /GOFLAGS holds -o/],
  [['build', '.'], { GOROOT: '/opt/go' }, /GOROOT/],
  [['build', '.'], { GOTOOLCHAIN: 'go1.26.8+path' }, /GOTOOLCHAIN/],
  [['install', 'example.com/x@v1.0.0'], {}, /installs example/],
  [['build', 'cmd'], {}, /builds cmd/],
])('refuses go %j with %j', (words, env, because) => {
  expect(() => read(words, env)).toThrow(because);
});

it('accepts what changes the program and is carried along', () => {
  expect(() =>
    read(
      [
        'build',
        '-gcflags=all=-N -l',
        '-asmflags=all=-S',
        '-ldflags=-s -w -extldflags "-static" -X a.b=/c',
        '-tags=a,b',
      ],
      {
        GOEXPERIMENT: 'jsonv2',
        GOAMD64: 'v3',
      },
    ),
  ).not.toThrow();
});

it('finds the folders that go.mod and go.work name', () => {
  const mod =
    'module x\n\nreplace a => ./a // here\nreplace (\n\tb v1.0.0 => ../b\n\tc => c/c v1.0.0\n\t"d" => "/abs"\n)\n// replace e => ./e\n';
  expect(localPaths(mod)).toEqual(['./a', '../b', '/abs']);
  const work = 'go 1.26\n\nuse ./x\nuse (\n\t./y\n\t.\n)\nreplace z => ./z\n';
  expect(localPaths(work)).toEqual(['./x', './y', '.', './z']);
  expect(localPaths(work, 'use')).toEqual(['./x', './y', '.']);
});
