import { describe, expect, it } from 'vitest';
import { definition } from '../../../actions/go-build/definition.ts';
import { buildRequest, variables } from '../../../actions/go-build/request.ts';
import { openStore } from '../../../actions/go-build/store.ts';
import { sizeChange } from '../../../actions/go-build/summary.ts';
import { DEFAULT_FLAGS } from '../../../shared/go/flags.ts';
import { DEFAULT_NAMING } from '../../../shared/go/output.ts';
import { type Host, readInputs } from '../../../shared/host/index.ts';

const inputs = (given: Record<string, string> = {}) => readInputs(definition, (name) => given[name]);
const request = (given: Record<string, string> = {}) =>
  buildRequest(inputs(given), '/work', { trusted: true, tag: 'v1.0.0', branch: 'main' });

describe('the inputs of go-build', () => {
  it('have the defaults of the go room', () => {
    expect(request()).toEqual({
      directory: '/work',
      workspace: '/work',
      packages: [],
      targets: [],
      flags: DEFAULT_FLAGS,
      environment: {},
      output: DEFAULT_NAMING,
      reuse: true,
      sbom: true,
      checksums: '/work/dist/checksums.txt',
      verify: false,
      known: { tag: 'v1.0.0', branch: 'main' },
    });
  });

  it('become a request', () => {
    const given = {
      'working-directory': 'svc',
      packages: './cmd/a, ./cmd/b',
      targets: 'linux/amd64\nwindows/amd64',
      stamp: '# the version\nmain.version={{version}}\nmain.title=a, b',
      env: 'GOEXPERIMENT=jsonv2\nX=a=b',
      'max-size': '1.5 MiB',
      mod: 'vendor',
      checksums: 'off',
      jobs: '2',
      toolchain: 'go1.26.8',
      output: 'bin',
    };
    expect(request(given)).toMatchObject({
      directory: '/work/svc',
      packages: ['./cmd/a', './cmd/b'],
      targets: ['linux/amd64', 'windows/amd64'],
      flags: { stamp: ['main.version={{version}}', 'main.title=a, b'], mod: 'vendor' },
      environment: { GOEXPERIMENT: 'jsonv2', X: 'a=b' },
      maxSize: 1_572_864,
      jobs: 2,
      toolchain: 'go1.26.8',
      output: { directory: 'bin', name: '{{name}}_{{target}}' },
    });
    expect(request(given)).not.toHaveProperty('checksums');
  });

  it.each([
    ['env', 'GOEXPERIMENT', 'Input "env" has the line "GOEXPERIMENT"; accepted are lines NAME=value.'],
    ['env', '=x', 'Input "env" has the line "=x"; accepted are lines NAME=value.'],
    ['cgo', 'yes', 'Input "cgo" is "yes"; accepted are auto, on, off.'],
    ['trimpath', 'maybe', 'Input "trimpath" is "maybe"; accepted are true and false.'],
    [
      'max-size',
      '40 MiBs',
      'Input "max-size" is "40 MiBs"; accepted is a size such as 500, 20 MB or 1.5 GiB.',
    ],
    [
      'mod',
      'vendr',
      'Input "mod" is "vendr"; accepted are auto, readonly, vendor, mod. Did you mean "vendor"?',
    ],
    ['jobs', 'many', 'Input "jobs" is "many"'],
    [
      'cache',
      'action',
      'Input "cache" is "action"; accepted are auto, actions, directory, off. Did you mean "actions"?',
    ],
  ])('refuse %s: %s', (name, value, message) => {
    expect(() => request({ [name]: value })).toThrow(message);
  });

  it('read variables line by line', () => {
    expect(variables(['A=1', ' B = 2 '])).toEqual({ A: '1', B: '2' });
  });
});

describe('the store of go-build', () => {
  const service = {
    ACTIONS_RUNTIME_TOKEN: 't',
    ACTIONS_RESULTS_URL: 'http://127.0.0.1/',
    ACTIONS_CACHE_SERVICE_V2: 'true',
  };
  const open = (kind: Host['kind'], given: Record<string, string>, env: Record<string, string> = {}) =>
    openStore({ kind, workspace: '/work' } as Host, inputs(given), env)?.name;

  it.each<[Host['kind'], Record<string, string>, Record<string, string>, string | undefined]>([
    ['github', {}, service, 'the GitHub Actions cache'],
    ['github', {}, {}, undefined],
    ['github', { cache: 'off' }, service, undefined],
    ['github', { 'cache-directory': '/mnt/c' }, service, 'the cache folder /mnt/c'],
    ['terminal', {}, service, undefined],
    ['terminal', { cache: 'actions' }, service, 'the GitHub Actions cache'],
    ['terminal', { 'cache-directory': 'c' }, {}, 'the cache folder /work/c'],
    ['terminal', { cache: 'directory' }, { XDG_CACHE_HOME: '/x' }, 'the cache folder /x/slipway/store'],
    ['terminal', { cache: 'directory' }, { HOME: '/h' }, 'the cache folder /h/.cache/slipway/store'],
  ])('%s with %j', (kind, given, env, name) => {
    expect(open(kind, given, env)).toBe(name);
  });

  it('that was asked for and is not there is an error', () => {
    expect(() => open('github', { cache: 'actions' })).toThrow(
      'Input "cache" is actions, but this process has no access to a GitHub Actions cache; use directory, or auto to go on without.',
    );
  });
});

it.each([
  [1000, undefined, 'new'],
  [1000, 1000, '±0'],
  [1_100_000, 1_000_000, '+100.0 kB (+10.0 %)'],
  [999_000, 1_000_000, '−1.0 kB (−0.1 %)'],
])('a program of %d bytes after one of %s is %s', (size, previousSize, change) => {
  expect(sizeChange({ size, previousSize })).toBe(change);
});
