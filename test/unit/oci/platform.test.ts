import { describe, expect, it } from 'vitest';
import { Failure } from '../../../shared/host/index.ts';
import {
  type Descriptor,
  formatPlatform,
  type Index,
  offeredPlatforms,
  type Platform,
  parsePlatform,
  platformMatches,
  selectPlatform,
} from '../../../shared/oci/index.ts';

const indexOf = (...platforms: (string | Platform | undefined)[]): Index => ({
  schemaVersion: 2,
  manifests: platforms.map((platform, i): Descriptor => {
    const value = typeof platform === 'string' ? parsed(platform) : platform;
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${String(i).repeat(64)}`,
      size: 1,
      ...(value !== undefined && { platform: value }),
    };
  }),
});

/** As it stands in an index, where nobody has normalised it. */
function parsed(text: string): Platform {
  const [os, architecture, variant] = text.split('/');
  return { os: os!, architecture: architecture!, ...(variant !== undefined && { variant }) };
}

describe('a platform', () => {
  it.each([
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['Linux/AMD64', 'linux/amd64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm64/8', 'linux/arm64'],
    ['linux/arm64/v9', 'linux/arm64/v9'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/7', 'linux/arm/v7'],
    ['linux/arm/v6', 'linux/arm/v6'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/i386', 'linux/386'],
    ['macos/arm64', 'darwin/arm64'],
    ['windows/amd64', 'windows/amd64'],
    ['linux/riscv64', 'linux/riscv64'],
  ])('%s is %s', (text, expected) => {
    expect(formatPlatform(parsePlatform(text))).toBe(expected);
  });

  it('takes what is missing from this machine', () => {
    expect(parsePlatform('s390x').architecture).toBe('s390x');
    expect(parsePlatform('windows').os).toBe('windows');
  });

  it.each([
    [
      'linux/amd46',
      'The platform "linux/amd46" has the unknown architecture "amd46"; accepted are',
      'Did you mean "amd64"?',
    ],
    [
      'linus/amd64',
      'The platform "linus/amd64" has the unknown system "linus"; accepted are',
      'Did you mean "linux"?',
    ],
    ['linux/arm/v9', 'The platform "linux/arm/v9" has the unknown variant "v9"; accepted are v5 to v8.', ''],
    ['linux/amd64/v5', 'has the unknown variant "v5"; accepted are v1 to v4.', ''],
    [
      'amd46',
      '"amd46" is no platform; accepted is SYSTEM/ARCHITECTURE[/VARIANT], such as linux/amd64.',
      'Did you mean "amd64"?',
    ],
    ['linux/arm/v7/x', '"linux/arm/v7/x" is no platform', ''],
    ['linux/', '"linux/" is no platform', ''],
    ['linux/*', '"linux/*" is no platform', ''],
  ])('%s is refused', (text, sentence, hint) => {
    expect(() => parsePlatform(text)).toThrow(Failure);
    expect(() => parsePlatform(text)).toThrow(sentence);
    expect(() => parsePlatform(text)).toThrow(hint);
  });
});

describe('selectPlatform', () => {
  it.each([
    ['linux/amd64', ['linux/arm64', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/386', 'linux/amd64'], 1],
    ['linux/amd64', ['linux/arm64', 'linux/386'], 1],
    ['linux/amd64', ['linux/amd64/v2', 'linux/amd64'], 1],
    ['linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'], 1],
    ['linux/arm64', ['linux/arm64/v8'], 0],
    ['linux/arm64/v8', ['linux/arm64'], 0],
    ['linux/arm64', ['linux/arm/v7', 'linux/arm64/v9'], 0],
    ['linux/arm64/v9', ['linux/arm64/v8', 'linux/arm64/v9'], 1],
    ['linux/arm64/v9', ['linux/arm64'], 0],
    ['linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm64'], 1],
    ['linux/arm/v6', ['linux/arm/v7', 'linux/arm'], undefined],
    ['linux/arm', ['linux/arm'], 0],
    ['windows/amd64', ['linux/amd64'], undefined],
  ] as const)('for %s among %j', (wanted, offered, expected) => {
    const index = indexOf(...offered);
    const found = selectPlatform(index, parsePlatform(wanted));
    expect(found && index.manifests.indexOf(found)).toBe(expected);
  });

  it('never takes an attestation', () => {
    const index = indexOf({ os: 'unknown', architecture: 'unknown' }, undefined);
    expect(selectPlatform(index, parsePlatform('linux/amd64'))).toBeUndefined();
    expect(offeredPlatforms(index)).toEqual([]);
  });

  it('wants the same build of Windows', () => {
    const index = indexOf(
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.17763.100' },
      { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.1' },
    );
    const wanted = { os: 'windows', architecture: 'amd64', 'os.version': '10.0.20348.900' };
    expect(selectPlatform(index, wanted)).toBe(index.manifests[1]);
    expect(platformMatches(wanted, index.manifests[0]!.platform!)).toBe(false);
  });
});
