import { describe, expect, it } from 'vitest';
import {
  checkPorts,
  formatTarget,
  parseTarget,
  parseTargets,
  targetEnvironment,
  targetFileName,
} from '../../../shared/go/target.ts';

describe('targets', () => {
  it.each([
    ['linux/amd64', { GOOS: 'linux', GOARCH: 'amd64' }, 'linux/amd64'],
    ['Linux/X86_64', { GOOS: 'linux', GOARCH: 'amd64' }, 'linux/amd64'],
    ['linux/aarch64', { GOOS: 'linux', GOARCH: 'arm64' }, 'linux/arm64'],
    ['linux/amd64/v3', { GOOS: 'linux', GOARCH: 'amd64', GOAMD64: 'v3' }, 'linux/amd64/v3'],
    ['linux/arm/v7', { GOOS: 'linux', GOARCH: 'arm', GOARM: '7' }, 'linux/arm/v7'],
    ['linux/arm/6', { GOOS: 'linux', GOARCH: 'arm', GOARM: '6' }, 'linux/arm/v6'],
    [
      'linux/arm/v6,softfloat',
      { GOOS: 'linux', GOARCH: 'arm', GOARM: '6,softfloat' },
      'linux/arm/v6,softfloat',
    ],
    ['linux/arm64/v8', { GOOS: 'linux', GOARCH: 'arm64', GOARM64: 'v8.0' }, 'linux/arm64/v8.0'],
    ['linux/arm64/v8.1,lse', { GOOS: 'linux', GOARCH: 'arm64', GOARM64: 'v8.1,lse' }, 'linux/arm64/v8.1,lse'],
    ['linux/386/softfloat', { GOOS: 'linux', GOARCH: '386', GO386: 'softfloat' }, 'linux/386/softfloat'],
    [
      'linux/mipsle/softfloat',
      { GOOS: 'linux', GOARCH: 'mipsle', GOMIPS: 'softfloat' },
      'linux/mipsle/softfloat',
    ],
    ['linux/ppc64le/power9', { GOOS: 'linux', GOARCH: 'ppc64le', GOPPC64: 'power9' }, 'linux/ppc64le/power9'],
    [
      'linux/riscv64/rva22u64',
      { GOOS: 'linux', GOARCH: 'riscv64', GORISCV64: 'rva22u64' },
      'linux/riscv64/rva22u64',
    ],
    ['js/wasm', { GOOS: 'js', GOARCH: 'wasm' }, 'js/wasm'],
  ])('%s sets Go’s variables', (text, variables, name) => {
    const target = parseTarget(text);
    expect(targetEnvironment(target)).toEqual(variables);
    expect(formatTarget(target)).toBe(name);
    expect(parseTarget(name)).toEqual(target);
  });

  it.each([
    [
      'linux',
      'Target "linux" is not written as os/arch, such as linux/amd64, linux/arm/v7 or windows/amd64.',
    ],
    [
      'linux/',
      'Target "linux/" is not written as os/arch, such as linux/amd64, linux/arm/v7 or windows/amd64.',
    ],
    ['linux/amd64/v3/x', 'Target "linux/amd64/v3/x" is not written as os/arch'],
    ['linux amd64', 'Target "linux amd64" is not written as os/arch'],
    [
      'linux/amd64/v5',
      'Target "linux/amd64/v5" asks for variant "v5"; Go accepts v1, v2, v3, v4 for amd64 (GOAMD64).',
    ],
    ['linux/arm/v8', 'Target "linux/arm/v8" asks for variant "v8"; Go accepts v5, v6, v7 for arm (GOARM).'],
    [
      'linux/s390x/z15',
      'Target "linux/s390x/z15" asks for variant "z15", but Go has no variants of s390x; write linux/s390x.',
    ],
  ])('%j is refused', (text, message) => {
    expect(() => parseTarget(text)).toThrow(message);
  });

  it('are given once each', () => {
    expect(() => parseTargets(['linux/amd64', 'linux/x86_64'])).toThrow('Target linux/amd64 is given twice.');
    expect(parseTargets(['linux/amd64', 'linux/amd64/v2'])).toHaveLength(2);
  });

  it.each([
    ['linux/amd46', 'Target linux/amd46 is none that go1.26 compiles for. Did you mean "linux/amd64"?'],
    [
      'windows/mips',
      'Target windows/mips is none that go1.26 compiles for. For windows it has amd64, arm64.',
    ],
    ['beos/ppc', 'Target beos/ppc is none that go1.26 compiles for.'],
  ])('%s is none of the ports', (text, message) => {
    const ports = ['linux/amd64', 'linux/arm64', 'windows/amd64', 'windows/arm64'];
    expect(() => checkPorts([parseTarget(text)], ports, 'go1.26')).toThrow(message);
    expect(() => checkPorts([parseTarget('linux/amd64/v3')], ports, 'go1.26')).not.toThrow();
  });

  it('have names for files', () => {
    expect(targetFileName(parseTarget('linux/arm/v6,softfloat'))).toBe('linux_arm_v6_softfloat');
  });
});
