import type { SimpleCommand } from './shell.ts';

/** A `go build` as a Dockerfile writes it. */
export interface GoCommand {
  readonly packages: readonly string[];
  /** As given with -o. */
  readonly output: string | undefined;
  /** `-C`: folder that Go changes into first. */
  readonly chdir: string | undefined;
  /** Flags that change the binary, without their dash: `true` for a flag without a value. */
  readonly flags: Readonly<Record<string, string | true>>;
  /** GO… and CGO… variables in force. */
  readonly env: Readonly<Record<string, string>>;
}

/** Flags of `go build` that take no value; all others take one (`go help build`). */
const BARE = new Set([
  'a',
  'n',
  'v',
  'x',
  'work',
  'race',
  'msan',
  'asan',
  'cover',
  'json',
  'linkshared',
  'modcacherw',
  'trimpath',
  'buildvcs',
]);
/** Flags that change what is printed or how fast it goes, not the binary. */
const WITHOUT_EFFECT = new Set(['a', 'v', 'x', 'p', 'work', 'json', 'modcacherw', 'installsuffix']);

/** Reads a command that starts with `go build`, or with `xx-go build` of tonistiigi/xx; undefined for any other. */
export function readGoBuild(command: SimpleCommand): GoCommand | undefined {
  if (!/^(xx-)?go$/.test(command.words[0] ?? '') || command.words[1] !== 'build') return undefined;
  const flags: Record<string, string | true> = {};
  const packages: string[] = [];
  const words = [...goflags(command.assignments.GOFLAGS), ...command.words.slice(2)];
  for (let i = 0; i < words.length; i++) {
    const match = /^--?([a-zA-Z]\w*)(?:=(.*))?$/s.exec(words[i]!);
    if (match === null || packages.length > 0) packages.push(words[i]!);
    else if (match[2] !== undefined) flags[match[1]!] = match[2];
    else flags[match[1]!] = BARE.has(match[1]!) ? true : (words[++i] ?? '');
  }
  const { o: output, C: chdir, ...rest } = flags;
  const effective = Object.fromEntries(Object.entries(rest).filter(([name]) => !WITHOUT_EFFECT.has(name)));
  const env = Object.fromEntries(
    Object.entries(command.assignments).filter(([name]) => /^(GO|CGO_)/.test(name)),
  );
  return {
    packages: packages.length === 0 ? ['.'] : packages.map(packageOf),
    output: text(output),
    chdir: text(chdir),
    flags: effective,
    env,
  };
}

/** `cmd/app/*` and `cmd/app/*.go` list the files of a package: the package is meant. */
function packageOf(name: string): string {
  const folder = /^(.*\/)?\*(\.go)?$/.exec(name);
  if (folder === null) return name;
  const path = (folder[1] ?? '').replace(/\/$/, '');
  return path.startsWith('.') || path.startsWith('/') ? path : `./${path}`;
}

function text(value: string | true | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function goflags(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter(Boolean);
}
