import type { GoPlan } from '../go/index.ts';
import type { Platform } from '../oci/index.ts';
import type { GoProgram } from './programs.ts';

/** The parts of a Go build that a Dockerfile's `go build` is held against. */
export interface GoBuildFacts {
  readonly flags: GoPlan['flags'];
  /** Version of the go command, such as `go1.26.8`. */
  readonly goVersion: string;
  /** GO… variables that are in force. */
  readonly settings: Readonly<Record<string, string>>;
}

/** What a planned build says of itself, as `differences` compares it. */
export function factsOf(plan: GoPlan): GoBuildFacts {
  return { flags: plan.flags, goVersion: plan.goVersion, settings: plan.settings };
}

/**
 * Everything in which the Dockerfile's own command would give another program than this build does, such as
 * `-trimpath is on (Dockerfile: off)`. Empty: the two say the same.
 */
export function differences(
  program: GoProgram,
  base: string,
  facts: GoBuildFacts,
  platform: Platform,
): string[] {
  const { command } = program;
  const { flags } = facts;
  const flag = (name: string) => (typeof command.flags[name] === 'string' ? command.flags[name] : '');
  const switched = (name: string) => command.flags[name] === true || command.flags[name] === 'true';
  const pairs: [string, string, string][] = [
    ['-trimpath', onOff(switched('trimpath')), onOff(flags.trimpath)],
    ['-ldflags', words(flag('ldflags')), words(flags.ldflags)],
    ['-tags', list(flag('tags')), list(flags.tags.join(','))],
    ['-gcflags', flag('gcflags'), flags.gcflags],
    ['-asmflags', flag('asmflags'), flags.asmflags],
    ['-mod', flag('mod'), flags.mod],
    ['-buildmode', flag('buildmode'), flags.buildmode],
    ['-race', onOff(switched('race')), onOff(flags.race)],
    ['-cover', onOff(switched('cover')), onOff(flags.cover)],
    ['-pgo', flag('pgo') || 'auto', flags.pgo],
    ['cgo', onOff(command.env.CGO_ENABLED !== '0'), onOff(flags.cgo)],
    ...environment(program, facts, platform),
  ];
  if (command.flags.buildvcs !== undefined)
    pairs.push(['-buildvcs', onOff(switched('buildvcs')), flags.buildvcs]);
  const found = pairs
    .filter(([, theirs, ours]) => theirs !== ours)
    .map(([name, theirs, ours]) => `${name} is ${show(ours)} (Dockerfile: ${show(theirs)})`);
  return [...found, ...version(base, facts.goVersion)];
}

const TARGET_VARIABLES: Readonly<Record<string, (platform: Platform) => string>> = {
  GOOS: (platform) => platform.os,
  GOARCH: (platform) => platform.architecture,
};

/** Settings that change the program and that are go-build's to choose by target, toolchain or module. */
const WATCHED = ['GOOS', 'GOARCH', 'GOAMD64', 'GOARM64', 'GO386', 'GOEXPERIMENT', 'GOFIPS140'];

function environment(
  { command }: GoProgram,
  facts: GoBuildFacts,
  platform: Platform,
): [string, string, string][] {
  return WATCHED.flatMap((name): [string, string, string][] => {
    const theirs = command.env[name];
    if (theirs === undefined || theirs === '') return [];
    return [[name, theirs, TARGET_VARIABLES[name]?.(platform) ?? facts.settings[name] ?? '']];
  });
}

/** `golang:1.26-alpine` against `go1.26.8`: as far as the tag says. */
function version(base: string, goVersion: string): string[] {
  const tagged = /(?:^|\/)golang:(\d+(?:\.\d+){0,2}(?:rc\d+|beta\d+)?)/.exec(base)?.[1];
  if (tagged === undefined || `${goVersion.replace(/^go/, '')}.`.startsWith(`${tagged}.`)) return [];
  return [`Go is ${goVersion.replace(/^go/, '')} (Dockerfile: ${tagged})`];
}

const onOff = (on: boolean) => (on ? 'on' : 'off');
const list = (text: string) =>
  text
    .split(/[\s,]+/)
    .filter(Boolean)
    .sort()
    .join(',');

/** Linker flags in an order of their own: `-w -s` says what `-s -w` says, and an -X stays with its value. */
function words(text: string): string {
  const parts = text.replace(/(-X)[= ]+/g, '$1=').match(/(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  return parts
    .map((part) => part.replace(/^-X=/, '-X '))
    .sort()
    .join(' ');
}

function show(value: string): string {
  if (value === '') return 'none';
  return value === 'on' || value === 'off' || value === 'auto' ? value : `"${value}"`;
}
