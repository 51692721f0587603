import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type GoEnvironment, type MachineGo, toolchainOf } from '../../../shared/go/index.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-toolchains-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A GOROOT as go.dev distributes it, or as a distribution packages it. */
function goroot(path: string, version: string, packaged = false): string {
  const root = join(folder, path);
  mkdirSync(join(root, 'bin'), { recursive: true });
  mkdirSync(join(root, 'pkg'));
  writeFileSync(join(root, 'bin', 'go'), '');
  writeFileSync(join(root, 'VERSION'), `${version}\ntime 2026-08-28T16:20:06Z\n`);
  if (packaged) symlinkSync('/usr/share/go/src', join(root, 'src'));
  else mkdirSync(join(root, 'src'));
  return root;
}

function machine(root: string, version: string, more: Record<string, string> = {}): MachineGo {
  const environment = {
    GOVERSION: version,
    GOROOT: root,
    GOMODCACHE: join(folder, 'mod'),
    GOHOSTOS: 'linux',
    GOHOSTARCH: 'amd64',
    GOPROXY: 'https://modules.example,direct',
    ...more,
  } as unknown as GoEnvironment;
  return {
    tool: { program: 'go', directory: folder, env: { HOME: join(folder, 'home'), ...more } },
    environment,
  };
}

it('takes the go command of the PATH where it is the release', () => {
  const root = goroot('go', 'go1.26.8');
  expect(toolchainOf('go1.26.8', machine(root, 'go1.26.8'))).toEqual({
    kind: 'here',
    program: join(root, 'bin', 'go'),
    root,
  });
});

it.each([
  ['beside the one of actions/setup-go', 'tools/go/1.25.3/x64', {}],
  ['where a toolchain line brought it', 'mod/golang.org/toolchain@v0.0.1-go1.25.3.linux-amd64', {}],
  ['where golang.org/dl brought it', 'home/sdk/go1.25.3', {}],
])('finds another release %s', (_, place) => {
  const root = goroot(place, 'go1.25.3');
  const own = goroot('tools/go/1.26.8/x64', 'go1.26.8');
  expect(toolchainOf('go1.25.3', machine(own, 'go1.26.8'))).toMatchObject({ kind: 'here', root });
});

it('finds one that a variable of the runner names', () => {
  const root = goroot('elsewhere', 'go1.25.3');
  const name = `GOROOT_1_25_${process.arch.toUpperCase()}`;
  expect(
    toolchainOf('go1.25.3', machine(goroot('go', 'go1.26.8'), 'go1.26.8', { [name]: root })),
  ).toMatchObject({
    kind: 'here',
    root,
  });
});

it('passes over what a distribution packages, and what is another release', () => {
  const packaged = goroot('usr/lib/go', 'go1.26.8', true);
  expect(toolchainOf('go1.26.8', machine(packaged, 'go1.26.8'))).toEqual({
    kind: 'fetch',
    version: 'go1.26.8',
  });
  expect(toolchainOf('go1.26.7', machine(goroot('go', 'go1.26.8'), 'go1.26.8'))).toMatchObject({
    kind: 'fetch',
  });
});

it('says why there is none', () => {
  const root = goroot('go', 'go1.20.1');
  expect(toolchainOf('go1.26.8', machine(root, 'go1.26.1', { GOPROXY: 'off' }))).toEqual({
    kind: 'none',
    because: 'Go 1.26.8 is not on this machine, and GOPROXY is off',
  });
  expect(toolchainOf('go1.26.8', machine(root, 'go1.20.1'))).toEqual({
    kind: 'none',
    because: 'Go 1.26.8 is not on this machine, and Go 1.20.1 cannot fetch another',
  });
});
