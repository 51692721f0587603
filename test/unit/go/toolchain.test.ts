import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { effectiveSettings } from '../../../shared/go/environment.ts';
import { shareMachine } from '../../../shared/go/jobs.ts';
import {
  compareVersions,
  findToolchain,
  toolchainFault,
  toolchainNotice,
} from '../../../shared/go/toolchain.ts';

describe('the go command', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'toolchain-'));
    mkdirSync(join(folder, 'go/bin'), { recursive: true });
    mkdirSync(join(folder, 'bin'));
    writeFileSync(join(folder, 'go/bin/go'), '');
    chmodSync(join(folder, 'go/bin/go'), 0o755);
    writeFileSync(join(folder, 'go/VERSION'), 'go1.26.8\ntime 2026-08-28T16:20:06Z\n');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('tells its version by its folder, also through a link', () => {
    symlinkSync(join(folder, 'go/bin/go'), join(folder, 'bin/go'));
    const found = findToolchain({ PATH: `/nonexistent:${join(folder, 'bin')}` });
    expect(found).toEqual({ program: join(folder, 'bin/go'), version: 'go1.26.8', root: join(folder, 'go') });
  });

  it('has to be asked where it is a shim or GOROOT says otherwise', () => {
    writeFileSync(join(folder, 'bin/go'), '#!/bin/sh');
    chmodSync(join(folder, 'bin/go'), 0o755);
    expect(findToolchain({ PATH: join(folder, 'bin') })).toEqual({ program: join(folder, 'bin/go') });
    expect(findToolchain({ PATH: join(folder, 'go/bin'), GOROOT: '/other' })).not.toHaveProperty('version');
  });

  it('missing, or not executable, says how to get it', () => {
    chmodSync(join(folder, 'go/bin/go'), 0o644);
    expect(() => findToolchain({ PATH: join(folder, 'go/bin') })).toThrow(
      'The go command is not on the PATH; install Go',
    );
    expect(() => findToolchain({})).toThrow('The go command is not on the PATH');
  });

  it('has settings in three layers, of which only those count that change a program', () => {
    writeFileSync(join(folder, 'go/go.env'), 'GOPROXY=x\nGOTOOLCHAIN=local\n# c\nGOAMD64=v2\n');
    writeFileSync(join(folder, 'env'), 'GOAMD64=v3\nGOFLAGS=-mod=vendor\nGOFIPS140=\n');
    const env = {
      GOENV: join(folder, 'env'),
      GOFLAGS: '',
      GOEXPERIMENT: 'jsonv2',
      GOCACHE: '/c',
      HOME: '/h',
      GOOS: 'linux',
    };
    const toolchain = findToolchain({ PATH: join(folder, 'go/bin') });
    expect(effectiveSettings(env, toolchain)).toEqual({
      GOAMD64: 'v3',
      GOEXPERIMENT: 'jsonv2',
      GOTOOLCHAIN: 'local',
    });
    expect(effectiveSettings({ ...env, GOENV: 'off' }, toolchain)).toMatchObject({ GOAMD64: 'v2' });
  });
});

describe('versions of Go', () => {
  it.each([
    ['go1.26.8', 'go1.26.8', 0],
    ['1.26', 'go1.26.0', 0],
    ['go1.9', 'go1.10', -1],
    ['go1.27rc1', 'go1.27', -1],
    ['go1.27beta2', 'go1.27rc1', -1],
    ['go1.27rc2', 'go1.27rc10', -1],
    ['go1.26.10', 'go1.26.9', 1],
  ])('%s against %s', (a, b, order) => {
    expect(Math.sign(compareVersions(a, b))).toBe(order);
    expect(Math.sign(compareVersions(b, a))).toBe(order === 0 ? 0 : -order);
  });

  it.each([
    ['go1.25.0', 'go1.26.8', undefined, 'auto', 'go.mod switched the toolchain from go1.25.0 to go1.26.8.'],
    [
      'go1.26.8',
      'go1.26.8',
      'go1.27.1',
      'local',
      'go.mod prefers go1.27.1; go1.26.8 was used because GOTOOLCHAIN is local.',
    ],
    ['go1.26.8', 'go1.26.8', 'go1.26.8', 'auto', undefined],
    ['go1.26.8', 'go1.26.8', undefined, 'auto', undefined],
    [undefined, 'go1.26.8', undefined, 'auto', undefined],
  ])('own %s, used %s, wanted %s with %s', (own, used, wanted, setting, notice) => {
    expect(toolchainNotice(own, used, wanted, setting)).toBe(notice);
  });

  it.each([
    [
      'go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)',
      'go.mod asks for Go 1.99 and this is Go 1.26.8 with GOTOOLCHAIN=local, which forbids fetching another; install Go 1.99 or set "toolchain" to auto.',
    ],
    ['go: x requires go >= 1.99 (running go 1.26.8)', 'go.mod asks for Go 1.99 and this is Go 1.26.8.'],
    [
      'go: downloading go1.99.0 (linux/amd64)\ngo: download go1.99.0 for linux/amd64: toolchain not available',
      'Go cannot fetch the toolchain that is asked for: download go1.99.0 for linux/amd64: toolchain not available.',
    ],
    ['go: unknown directive: gone', undefined],
  ])('%j in words', (stderr, sentence) => {
    expect(toolchainFault(stderr)).toBe(sentence);
  });
});

describe('sharing the machine', () => {
  const GiB = 2 ** 30;
  it.each([
    [1, 8, 32, undefined, { jobs: 1, compilers: 8 }],
    [4, 8, 32, undefined, { jobs: 4, compilers: 2 }],
    [4, 2, 32, undefined, { jobs: 2, compilers: 1 }],
    [4, 16, 4, undefined, { jobs: 2, compilers: 8 }],
    [4, 16, 1, undefined, { jobs: 1, compilers: 16 }],
    [8, 16, 64, 3, { jobs: 3, compilers: 5 }],
    [0, 4, 8, undefined, { jobs: 1, compilers: 4 }],
  ])('%d builds on %d cores with %d GiB, at most %s', (builds, cores, memory, limit, expected) => {
    expect(shareMachine(builds, { cores, memory: memory * GiB }, limit)).toEqual(expected);
  });
});
