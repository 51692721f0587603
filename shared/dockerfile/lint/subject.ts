import { parseReference, type Reference } from '../../oci/index.ts';
import { expand } from '../expand.ts';
import type { Ignore } from '../ignore.ts';
import { readInstruction, type Statement } from '../instruction.ts';
import type { Dockerfile, Instruction, Stage } from '../model.ts';
import { ExpansionError } from '../shell-pattern.ts';
import { type ShellCommand, shellCommands } from './shell-commands.ts';

/** A Dockerfile as the rules look at it. */
export interface Subject {
  readonly dockerfile: Dockerfile;
  readonly stages: readonly Part[];
  /** Variables that a FROM can use, with their defaults. Platform arguments have some value. */
  readonly globals: ReadonlyMap<string, string>;
  /** ARG before the first FROM, with or without a default. */
  readonly globalNames: ReadonlySet<string>;
  readonly context: ContextFacts | undefined;
  /** Variables (`NAME=value`) that a base image sets, by its reference as written; undefined where that is not known. */
  readonly environment: (reference: string) => readonly string[] | undefined;
}

export interface ContextFacts {
  /** Names of build contexts that are given: a base of that name is no image of a registry. */
  readonly named?: readonly string[] | undefined;
  /** What the .dockerignore in force says; undefined where there is none. */
  readonly ignore: Ignore | undefined;
}

/** A stage with its instructions taken apart. */
export interface Part {
  readonly stage: Stage;
  readonly base: PartBase;
  /** Layers of the stage are layers of the image: it is the last one, or one that the last one builds on. */
  readonly shipped: boolean;
  readonly lines: readonly Line[];
}

export type PartBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly part: Part }
  | { readonly kind: 'image'; readonly text: string; readonly reference: Reference }
  /** A name that depends on arguments without a default, or that is none. */
  | { readonly kind: 'unknown' };

export interface Line {
  readonly instruction: Instruction;
  readonly statement: Statement;
  /** Commands that a RUN in shell form runs. */
  readonly commands: readonly ShellCommand[];
}

/** Platform arguments are set in every build; which value they have makes no difference to a rule. */
const PLATFORM: Readonly<Record<string, string>> = {
  BUILDPLATFORM: 'linux/amd64',
  BUILDOS: 'linux',
  BUILDOSVERSION: '',
  BUILDARCH: 'amd64',
  BUILDVARIANT: '',
  TARGETPLATFORM: 'linux/amd64',
  TARGETOS: 'linux',
  TARGETOSVERSION: '',
  TARGETARCH: 'amd64',
  TARGETVARIANT: '',
  TARGETSTAGE: 'default',
};

export function toSubject(
  dockerfile: Dockerfile,
  context: ContextFacts | undefined,
  environment: Subject['environment'],
): Subject {
  const { globals, globalNames } = readGlobals(dockerfile);
  const parts: Part[] = [];
  const named = context?.named ?? [];
  for (const stage of dockerfile.stages) parts.push(toPart(dockerfile, stage, parts, globals, named));
  const shipped = new Set<Part>();
  for (let part: Part | undefined = parts.at(-1); part !== undefined; part = baseOf(part)) shipped.add(part);
  const stages = parts.map((part) => Object.assign(part, { shipped: shipped.has(part) }));
  return { dockerfile, stages, globals, globalNames, context, environment };
}

/** The stage that a stage builds on, if it is one. */
export function baseOf(part: Part): Part | undefined {
  return part.base.kind === 'stage' ? part.base.part : undefined;
}

/** A stage and those that it builds on, itself first. */
export function ancestry(part: Part): Part[] {
  const base = baseOf(part);
  return base === undefined ? [part] : [part, ...ancestry(base)];
}

/** What stands below all stages that a stage builds on. */
export function rootBase(part: Part): Exclude<PartBase, { kind: 'stage' }> {
  return part.base.kind === 'stage' ? rootBase(part.base.part) : part.base;
}

function readGlobals(dockerfile: Dockerfile): Pick<Subject, 'globals' | 'globalNames'> {
  const globals = new Map(Object.entries(PLATFORM));
  const globalNames = new Set<string>();
  for (const instruction of dockerfile.globalArgs) {
    const statement = readInstruction(instruction, dockerfile.directives.escape);
    for (const { key, value } of statement.kind === 'arg' ? statement.args : []) {
      globalNames.add(key);
      if (value !== undefined) globals.set(key, tryExpand(dockerfile, value, globals)?.word ?? '');
    }
  }
  return { globals, globalNames };
}

/** The expansion of a text, or undefined where it fails: that is for the build to report. */
export function tryExpand(dockerfile: Dockerfile, text: string, env: ReadonlyMap<string, string>) {
  try {
    return expand(text, (name) => env.get(name), { escape: dockerfile.directives.escape });
  } catch (error) {
    if (error instanceof ExpansionError) return undefined;
    throw error;
  }
}

function toPart(
  dockerfile: Dockerfile,
  stage: Stage,
  before: readonly Part[],
  globals: ReadonlyMap<string, string>,
  named: readonly string[],
): Part {
  const lines = stage.instructions.map((instruction) => toLine(dockerfile, instruction));
  return { stage, base: toBase(dockerfile, stage, before, globals, named), shipped: false, lines };
}

function toLine(dockerfile: Dockerfile, instruction: Instruction): Line {
  const statement = readInstruction(instruction, dockerfile.directives.escape);
  const isShell = statement.kind === 'run' && !statement.json;
  return { instruction, statement, commands: isShell ? shellCommands(scriptOf(instruction)) : [] };
}

function scriptOf({ rest, heredocs }: Instruction): string {
  return [rest, ...heredocs.map((heredoc) => heredoc.content)].join('\n');
}

function toBase(
  dockerfile: Dockerfile,
  stage: Stage,
  before: readonly Part[],
  globals: ReadonlyMap<string, string>,
  named: readonly string[],
): PartBase {
  const expansion = tryExpand(dockerfile, stage.from, globals);
  if (expansion === undefined || expansion.word === '') return { kind: 'unknown' };
  const text = expansion.word;
  const part = before.findLast((one) => one.stage.name === text);
  if (part !== undefined) return { kind: 'stage', part };
  if (named.includes(text)) return { kind: 'unknown' };
  if (text === 'scratch') return { kind: 'scratch' };
  try {
    return { kind: 'image', text, reference: parseReference(text) };
  } catch {
    return { kind: 'unknown' };
  }
}
