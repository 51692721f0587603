import { didYouMean, Failure } from '../host/index.ts';
import type { Descriptor, Index, Platform } from './types.ts';

const SYSTEMS = [
  'aix',
  'android',
  'darwin',
  'dragonfly',
  'freebsd',
  'illumos',
  'ios',
  'js',
  'linux',
  'netbsd',
  'openbsd',
  'plan9',
  'solaris',
  'wasip1',
  'windows',
];
const ARCHITECTURES = [
  '386',
  'amd64',
  'arm',
  'arm64',
  'loong64',
  'mips',
  'mips64',
  'mips64le',
  'mipsle',
  'ppc64',
  'ppc64le',
  'riscv64',
  's390x',
  'wasm',
];
const OTHER_NAMES: Readonly<Record<string, { readonly architecture: string; readonly variant?: string }>> = {
  i386: { architecture: '386' },
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
};

/**
 * Reads `linux/arm64`, `linux/arm/v7`, `arm64` or `linux` as github.com/containerd/platforms does, with what is missing taken
 * from this machine, and normalises it. Throws a Failure for a system or processor that Go does not know.
 */
export function parsePlatform(text: string): Platform {
  const given = text.trim().toLowerCase();
  const parts = given.split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part)))
    throw new Failure(
      `"${text}" is no platform; accepted is SYSTEM/ARCHITECTURE[/VARIANT], such as linux/arm/v7.`,
    );
  if (parts.length === 1) return parseSingle(text, parts[0]!);
  const platform = normalizePlatform({
    os: parts[0]!,
    architecture: parts[1]!,
    ...(parts[2] !== undefined && { variant: parts[2] }),
  });
  checkKnown(text, 'system', platform.os, SYSTEMS);
  checkKnown(text, 'architecture', platform.architecture, ARCHITECTURES);
  checkVariant(text, platform);
  return platform;
}

function parseSingle(text: string, part: string): Platform {
  const here = machinePlatform();
  const asSystem = normalizePlatform({ ...here, os: part });
  if (SYSTEMS.includes(asSystem.os)) return asSystem;
  const asArchitecture = normalizePlatform({ os: 'linux', architecture: part });
  if (ARCHITECTURES.includes(asArchitecture.architecture)) return { ...asArchitecture, os: here.os };
  const hint = didYouMean(part, [...SYSTEMS, ...ARCHITECTURES]);
  throw new Failure(
    `"${text}" is no platform; accepted is SYSTEM/ARCHITECTURE[/VARIANT], such as linux/amd64.${hint}`,
  );
}

function checkKnown(text: string, what: string, given: string, known: readonly string[]): void {
  if (known.includes(given)) return;
  throw new Failure(
    `The platform "${text}" has the unknown ${what} "${given}"; accepted are ${known.join(', ')}.${didYouMean(given, known)}`,
  );
}

const VARIANTS: Readonly<Record<string, RegExp>> = {
  amd64: /^v[2-4]$/,
  arm: /^v[5-8]$/,
  arm64: /^v(8\.[1-9]|9(\.[1-9])?)$/,
};

function checkVariant(text: string, { architecture, variant }: Platform): void {
  if (variant === undefined || (VARIANTS[architecture]?.test(variant) ?? true)) return;
  const accepted = { amd64: 'v1 to v4', arm: 'v5 to v8', arm64: 'v8 to v9.5' }[architecture];
  throw new Failure(`The platform "${text}" has the unknown variant "${variant}"; accepted are ${accepted}.`);
}

/** The platform of this machine, as Go names it. */
export function machinePlatform(): Platform {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const architecture =
    { x64: 'amd64', ia32: '386', arm: 'arm', mipsel: 'mipsle' }[process.arch as string] ?? process.arch;
  return normalizePlatform({ os, architecture });
}

/** Other spellings become Go's; a variant that is the default is left out (arm64/v8, amd64/v1), and arm without one is v7. */
export function normalizePlatform(platform: Platform): Platform {
  const { variant: _, ...rest } = platform;
  const os = platform.os.toLowerCase() === 'macos' ? 'darwin' : platform.os.toLowerCase();
  const given = platform.architecture.toLowerCase();
  const alias = OTHER_NAMES[given];
  const architecture = alias?.architecture ?? given;
  const variant = normalVariant(architecture, alias?.variant ?? platform.variant?.toLowerCase());
  return { ...rest, os, architecture, ...(variant !== undefined && { variant }) };
}

function normalVariant(architecture: string, given: string | undefined): string | undefined {
  const variant = given === undefined || given === '' ? undefined : given.replace(/^(?=\d)/, 'v');
  if (architecture === 'arm') return variant ?? 'v7';
  if (architecture === '386') return undefined;
  if (architecture === 'amd64') return variant === 'v1' ? undefined : variant;
  if (architecture !== 'arm64') return variant;
  return variant === 'v8' || variant === 'v8.0' ? undefined : variant?.replace(/^v9\.0$/, 'v9');
}

/** `linux/arm/v7`; a variant that is the default is left out, except for arm, as docker prints it. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = normalizePlatform(platform);
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/**
 * Everything that runs on a platform, best first (containerd/platforms, platforms.Only): lesser variants of the same processor,
 * then its 32-bit sibling.
 */
function runnable(platform: Platform): Platform[] {
  const { os, architecture, variant } = normalizePlatform(platform);
  const all = (name: string, variants: readonly (string | undefined)[]) =>
    variants.map((one) =>
      normalizePlatform({ os, architecture: name, ...(one !== undefined && { variant: one }) }),
    );
  const down = (from: number, to: number) => Array.from({ length: from - to + 1 }, (_, i) => `v${from - i}`);
  if (architecture === 'amd64')
    return [...all('amd64', down(Number(variant?.slice(1) ?? 1), 1)), ...all('386', [undefined])];
  if (architecture === 'arm') return all('arm', down(Number(variant!.slice(1)), 5));
  if (architecture === 'arm64')
    return [...all('arm64', arm64Variants(variant ?? 'v8')), ...all('arm', down(8, 5))];
  return all(architecture, [variant]);
}

// Armv9.N has all of Armv9.0 to 9.N and of Armv8.0 to 8.(N+5).
function arm64Variants(variant: string): string[] {
  const [major, minor = '0'] = variant.slice(1).split('.');
  const series = (of: number, highest: number) =>
    Array.from({ length: highest + 1 }, (_, i) => `v${of}.${highest - i}`);
  if (major !== '9') return series(8, Number(minor));
  return [...series(9, Number(minor)), ...series(8, Math.min(9, Number(minor) + 5))];
}

function same(a: Platform, b: Platform): boolean {
  const one = normalizePlatform(a);
  const other = normalizePlatform(b);
  return one.os === other.os && one.architecture === other.architecture && one.variant === other.variant;
}

/** Whether an image for `offered` can be used where `wanted` is asked for. */
export function platformMatches(wanted: Platform, offered: Platform): boolean {
  return runnable(wanted).some((one) => same(one, offered)) && versionMatches(wanted, offered);
}

// Windows images run on the build of Windows that they were made for, of which the first three numbers count.
function versionMatches(wanted: Platform, offered: Platform): boolean {
  const [want, offer] = [wanted['os.version'], offered['os.version']];
  if (normalizePlatform(wanted).os !== 'windows' || want === undefined || offer === undefined) return true;
  return want.split('.').slice(0, 3).join('.') === offer.split('.').slice(0, 3).join('.');
}

/** The best image of an index for a platform, or undefined. Attestations and other artifacts (`unknown/unknown`) never match. */
export function selectPlatform(index: Index, wanted: Platform): Descriptor | undefined {
  for (const candidate of runnable(wanted)) {
    const found = index.manifests.find(
      ({ platform }) =>
        platform !== undefined && same(candidate, platform) && versionMatches(wanted, platform),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The platforms that an index offers, as text, for messages. */
export function offeredPlatforms(index: Index): string[] {
  return index.manifests
    .flatMap(({ platform }) =>
      platform === undefined || platform.os === 'unknown' ? [] : [formatPlatform(platform)],
    )
    .filter((text, i, all) => all.indexOf(text) === i);
}
