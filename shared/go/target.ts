import { didYouMean, Failure, nearest } from '../host/index.ts';

/** A system and processor that Go compiles for, with the processor's feature level where one was asked for. */
export interface Target {
  readonly os: string;
  readonly arch: string;
  /** Value of the architecture's variable, such as `v3` for GOAMD64 or `7` for GOARM; undefined: Go's default. */
  readonly variant?: string;
}

/** The variable that holds an architecture's feature level and the values that the go command accepts (`go help environment`). */
interface Level {
  readonly variable: string;
  readonly accepts: RegExp;
  readonly examples: readonly string[];
}

const MIPS: Omit<Level, 'variable'> = {
  accepts: /^(hardfloat|softfloat)$/,
  examples: ['hardfloat', 'softfloat'],
};

const LEVELS: Readonly<Record<string, Level>> = {
  amd64: { variable: 'GOAMD64', accepts: /^v[1-4]$/, examples: ['v1', 'v2', 'v3', 'v4'] },
  386: { variable: 'GO386', accepts: /^(sse2|softfloat)$/, examples: ['sse2', 'softfloat'] },
  arm: { variable: 'GOARM', accepts: /^[567](,(hardfloat|softfloat))?$/, examples: ['v5', 'v6', 'v7'] },
  arm64: {
    variable: 'GOARM64',
    accepts: /^v(8\.[0-9]|9\.[0-5])(,lse|,crypto)*$/,
    examples: ['v8.0', 'v8.1', 'v9.0'],
  },
  mips: { variable: 'GOMIPS', ...MIPS },
  mipsle: { variable: 'GOMIPS', ...MIPS },
  mips64: { variable: 'GOMIPS64', ...MIPS },
  mips64le: { variable: 'GOMIPS64', ...MIPS },
  ppc64: {
    variable: 'GOPPC64',
    accepts: /^power(8|9|10)$/,
    examples: ['power8', 'power9', 'power10'],
  },
  ppc64le: { variable: 'GOPPC64', accepts: /^power(8|9|10)$/, examples: ['power8', 'power9', 'power10'] },
  riscv64: {
    variable: 'GORISCV64',
    accepts: /^rva(20|22|23)u64$/,
    examples: ['rva20u64', 'rva22u64', 'rva23u64'],
  },
  wasm: {
    variable: 'GOWASM',
    accepts: /^(satconv|signext)(,(satconv|signext))*$/,
    examples: ['satconv', 'signext'],
  },
};

/**
 * Parses `os/arch` or `os/arch/variant`, as image platforms are written: `linux/amd64`, `linux/amd64/v3`, `linux/arm/v7`. Says only
 * whether it is well formed; whether Go has such a port is for `checkPorts`.
 */
export function parseTarget(text: string): Target {
  const parts = text.trim().toLowerCase().split('/');
  const [os = '', given = '', variant] = parts;
  if (parts.length < 2 || parts.length > 3 || !/^\w+$/.test(os) || !/^\w+$/.test(given))
    throw new Failure(
      `Target "${text}" is not written as os/arch, such as linux/amd64, linux/arm/v7 or windows/amd64.`,
    );
  const arch = ARCH_ALIASES[given] ?? given;
  if (variant === undefined) return { os, arch };
  return { os, arch, variant: parseVariant(text, arch, variant) };
}

// Names that `uname -m` and other tools give to the same processors.
const ARCH_ALIASES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  i386: '386',
  x86: '386',
};

function parseVariant(text: string, arch: string, variant: string): string {
  const level = LEVELS[arch];
  if (level === undefined)
    throw new Failure(
      `Target "${text}" asks for variant "${variant}", but Go has no variants of ${arch}; write ${text.slice(0, text.lastIndexOf('/'))}.`,
    );
  // Image platforms write arm/v7 and arm64/v8 where Go's variables say 7 and v8.0.
  const value =
    arch === 'arm'
      ? variant.replace(/^v/, '')
      : arch === 'arm64'
        ? variant.replace(/^v([89])$/, 'v$1.0')
        : variant;
  if (level.accepts.test(value)) return value;
  throw new Failure(
    `Target "${text}" asks for variant "${variant}"; Go accepts ${level.examples.join(', ')} for ${arch} (${level.variable}).`,
  );
}

/** Parses a list of targets; each may be given once. */
export function parseTargets(texts: readonly string[]): readonly Target[] {
  const targets = new Map<string, Target>();
  for (const text of texts) {
    const target = parseTarget(text);
    const name = formatTarget(target);
    if (targets.has(name)) throw new Failure(`Target ${name} is given twice.`);
    targets.set(name, target);
  }
  return [...targets.values()];
}

/** Throws a Failure for the first target that is not among `ports`, the output of `go tool dist list`. */
export function checkPorts(targets: readonly Target[], ports: readonly string[], goVersion: string): void {
  for (const { os, arch } of targets) {
    const port = `${os}/${arch}`;
    if (ports.includes(port)) continue;
    throw new Failure(`Target ${port} is none that ${goVersion} compiles for.${portHint(os, arch, ports)}`);
  }
}

/** For a known system, the nearest or all of its processors; else the nearest port. */
function portHint(os: string, arch: string, ports: readonly string[]): string {
  const siblings = ports.filter((one) => one.startsWith(`${os}/`)).map((one) => one.slice(os.length + 1));
  if (siblings.length === 0) return didYouMean(`${os}/${arch}`, ports);
  const near = nearest(arch, siblings);
  return near === undefined ? ` For ${os} it has ${siblings.join(', ')}.` : ` Did you mean "${os}/${near}"?`;
}

/** The name that `parseTarget` reads: `linux/arm/v7`. */
export function formatTarget({ os, arch, variant }: Target): string {
  if (variant === undefined) return `${os}/${arch}`;
  return `${os}/${arch}/${arch === 'arm' ? `v${variant}` : variant}`;
}

/** The name as part of a file name: `linux_arm_v7`. */
export function targetFileName(target: Target): string {
  return formatTarget(target).replace(/[/,]/g, '_');
}

/** The variables that make the go command compile for the target. */
export function targetEnvironment({ os, arch, variant }: Target): Record<string, string> {
  const level = LEVELS[arch];
  return {
    GOOS: os,
    GOARCH: arch,
    ...(level !== undefined && variant !== undefined && { [level.variable]: variant }),
  };
}

/** Every variable that holds a feature level, whatever the architecture. */
export const LEVEL_VARIABLES: readonly string[] = [
  ...new Set(Object.values(LEVELS).map((level) => level.variable)),
];
