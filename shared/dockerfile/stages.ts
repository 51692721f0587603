import { didYouMean, Failure } from '../host/index.ts';
import {
  formatPlatform,
  formatReference,
  type Platform,
  parsePlatform,
  parseReference,
} from '../oci/index.ts';
import { expand, type Lookup } from './expand.ts';
import { type RunStatement, readInstruction, type Statement } from './instruction.ts';
import type { Dockerfile, Instruction, Source, Stage } from './model.ts';
import { mountFrom } from './mount.ts';
import { placed, within } from './parse.ts';
import { ExpansionError } from './shell-pattern.ts';

/** What `--build-context` or `stages` puts in the place of a stage or an image. */
export type NamedContext =
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'image'; readonly reference: string };

/** Where a planned stage starts. A stage that is replaced as a whole starts, and ends, with what was handed in. */
export type PlannedBase =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | NamedContext;

/** A stage whose FROM is understood; its commands may still grow by triggers of its base. */
export interface PlannedStage {
  readonly stage: Stage;
  readonly base: PlannedBase;
  readonly replaced: boolean;
  readonly platform: Platform | undefined;
  commands: readonly Command[];
}

export interface Command {
  readonly instruction: Instruction;
  readonly statement: Statement;
  /** For COPY --from one source, for RUN one a mount (undefined where a mount has none). */
  readonly sources: readonly (Source | undefined)[];
}

export interface Outline {
  readonly dockerfile: Dockerfile;
  readonly stages: readonly PlannedStage[];
  /** Stages by lower-case name; of two with one name the later one. */
  readonly names: ReadonlyMap<string, number>;
  readonly external: (name: string) => Source & PlannedBase;
  /** Contexts that stand for something, by their names as given. */
  readonly usedContexts: ReadonlySet<string>;
}

/** Expands text with the escape character of the Dockerfile; a fault becomes a Failure without a place. */
export function expandText(dockerfile: Dockerfile, text: string, lookup: Lookup): string {
  return guarded(text, () => expand(text, lookup, { escape: dockerfile.directives.escape }).word);
}

/** Turns a fault of an expansion into a Failure that names the text. */
export function guarded<T>(text: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ExpansionError)
      throw new Failure(`"${text}" cannot be expanded: ${error.message}.`, { cause: error });
    throw error;
  }
}

/** Understands every FROM and every source of the file, also of stages that nobody needs: BuildKit refuses a fault there too. */
export function outline(
  dockerfile: Dockerfile,
  globals: ReadonlyMap<string, string>,
  contexts: ReadonlyMap<string, NamedContext>,
  platform: Platform,
): Outline {
  const usedContexts = new Set<string>();
  const find = contextFinder(contexts, platform, usedContexts);
  const names = new Map<string, number>();
  const stages = dockerfile.stages.map((stage) =>
    within(dockerfile.path, stage.opening.lines, () => {
      const planned = planStage(dockerfile, stage, globals, names, find);
      if (stage.name !== undefined) names.set(stage.name, stage.index);
      return planned;
    }),
  );
  const result: Outline = {
    dockerfile,
    stages,
    names,
    external: (name) => externalSource(name, names, find),
    usedContexts,
  };
  for (const stage of stages) {
    const commands = stage.stage.instructions.map((instruction) => toCommand(result, instruction));
    // Read for its faults, but nothing of it is carried out when the stage is replaced.
    stage.commands = stage.replaced ? [] : commands;
  }
  checkCycles(result);
  return result;
}

type FindContext = (name: string) => NamedContext | undefined;

/** Looks contexts up by the familiar form of their name, as `alpine` for `docker.io/library/alpine:latest`. */
function contextFinder(
  contexts: ReadonlyMap<string, NamedContext>,
  platform: Platform,
  used: Set<string>,
): FindContext {
  const byName = new Map([...contexts.keys()].map((given) => [contextName(given), given]));
  const suffix = formatPlatform(platform);
  return (name) => {
    if (/^(scratch|context)$/i.test(name)) return undefined;
    const familiar = contextName(name);
    const given = byName.get(`${familiar}::${suffix}`) ?? byName.get(familiar);
    if (given === undefined) return undefined;
    used.add(given);
    return contexts.get(given);
  };
}

function contextName(name: string): string {
  const platform = /::([a-z0-9/._-]+)$/.exec(name)?.[1];
  const image = platform === undefined ? name : name.slice(0, -platform.length - 2);
  const familiar = formatReference(parseReference(image))
    .replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '')
    .replace(/:latest$/, '');
  return platform === undefined ? familiar : `${familiar}::${platform}`;
}

function planStage(
  dockerfile: Dockerfile,
  stage: Stage,
  globals: ReadonlyMap<string, string>,
  names: ReadonlyMap<string, number>,
  find: FindContext,
): PlannedStage {
  const base = expandText(dockerfile, stage.from, (name) => globals.get(name));
  if (base === '')
    throw new Failure(
      `The base image "${stage.from}" is empty when its variables are filled in${unsetHint(stage.from, globals)}`,
    );
  const platform =
    stage.platform === undefined ? undefined : readPlatform(dockerfile, stage.platform, globals);
  const context = stage.name === undefined ? undefined : find(stage.name);
  if (context !== undefined) return { stage, base: context, replaced: true, platform, commands: [] };
  const found = hinting(stage.from, globals, () => findBase(base, names, find));
  return { stage, base: found, replaced: false, platform, commands: [] };
}

/** A name is mostly wrong because a variable in it is empty. */
function hinting<T>(text: string, globals: ReadonlyMap<string, string>, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Failure) || unsetHint(text, globals) === '.') throw error;
    throw new Failure(error.message.replace(/\.$/, '') + unsetHint(text, globals), { cause: error });
  }
}

function unsetHint(text: string, globals: ReadonlyMap<string, string>): string {
  const [missing] = expand(text, (name) => globals.get(name)).missing;
  if (missing === undefined) return '.';
  return `; no ARG before the first FROM gives ${missing} a value.${didYouMean(missing, globals.keys())}`;
}

function readPlatform(dockerfile: Dockerfile, text: string, globals: ReadonlyMap<string, string>): Platform {
  const expanded = expandText(dockerfile, text, (name) => globals.get(name));
  if (expanded === '')
    throw new Failure(
      `FROM --platform=${text} is empty when its variables are filled in${unsetHint(text, globals)}`,
    );
  return parsePlatform(expanded);
}

function findBase(name: string, names: ReadonlyMap<string, number>, find: FindContext): PlannedBase {
  const index = names.get(name);
  if (index !== undefined) return { kind: 'stage', index };
  if (name === 'scratch') return { kind: 'scratch' };
  const reference = imageName(name, names.keys());
  return find(name) ?? { kind: 'image', reference };
}

/** The canonical name of an image, with the tag `latest` where neither tag nor digest is given. */
function imageName(name: string, stageNames: Iterable<string>): string {
  try {
    const reference = parseReference(name);
    const tag = reference.digest === undefined ? (reference.tag ?? 'latest') : reference.tag;
    return formatReference({ ...reference, ...(tag === undefined ? {} : { tag }) });
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`${error.message}${didYouMean(name, stageNames)}`, { cause: error });
  }
}

function externalSource(
  name: string,
  names: ReadonlyMap<string, number>,
  find: FindContext,
): Source & PlannedBase {
  if (name === 'scratch') return { kind: 'image', reference: 'scratch' };
  const reference = imageName(name, names.keys());
  return find(name) ?? { kind: 'image', reference };
}

/** The stage that a target names, by its name or its number; the last one where nothing is named. */
export function findTarget(outline: Outline, target: string | undefined): number {
  if (target === undefined || target === '') return outline.stages.length - 1;
  const index = outline.names.get(target.toLowerCase()) ?? (/^\d+$/.test(target) ? Number(target) : -1);
  if (outline.stages[index] !== undefined) return index;
  const names = [...outline.names.keys()];
  const accepted = names.length === 0 ? `a number from 0 to ${outline.stages.length - 1}` : names.join(', ');
  throw new Failure(
    `The target "${target}" is no stage of ${outline.dockerfile.path}; accepted is ${accepted}.${didYouMean(target, names)}`,
  );
}

/** An instruction of a stage, with its sources found. */
export function toCommand(outline: Outline, instruction: Instruction): Command {
  return within(outline.dockerfile.path, instruction.lines, () => {
    const statement = readInstruction(instruction, outline.dockerfile.directives.escape);
    return { instruction, statement, sources: findSources(outline, statement) };
  });
}

function findSources(outline: Outline, statement: Statement): readonly (Source | undefined)[] {
  if (statement.kind === 'run') return mountSources(outline, statement);
  if (statement.kind === 'copy' && statement.from !== undefined) return [copySource(outline, statement.from)];
  return [];
}

function mountSources(outline: Outline, statement: RunStatement): (Source | undefined)[] {
  return statement.mounts.map((mount) => {
    const from = mountFrom(mount);
    if (from === undefined) return undefined;
    const index = outline.names.get(from.toLowerCase());
    return index === undefined ? outline.external(from) : { kind: 'stage', index };
  });
}

function copySource(outline: Outline, from: string): Source {
  if (expandText(outline.dockerfile, from, () => undefined) !== from)
    throw new Failure(
      `COPY --from=${from} has a variable, which --from does not take; write FROM ${from} AS name and --from=name.`,
    );
  if (/^[+-]?\d+$/.test(from)) return numberedStage(outline, from);
  const index = outline.names.get(from.toLowerCase());
  if (index !== undefined) return { kind: 'stage', index };
  return outline.external(from);
}

function numberedStage(outline: Outline, from: string): Source {
  const index = Number(from);
  if (outline.stages[index] !== undefined) return { kind: 'stage', index };
  const last = outline.stages.length - 1;
  throw new Failure(`COPY --from=${from} names no stage; the Dockerfile's stages are numbered 0 to ${last}.`);
}

/** How messages call a stage. */
export function stageTitle(stage: Stage): string {
  return stage.name ?? `stage ${stage.index}`;
}

/** Stages that copy from each other in a circle, found in the order in which BuildKit looks. */
function checkCycles({ dockerfile, stages }: Outline): void {
  const done = new Set<number>();
  const path: number[] = [];
  const visit = (index: number): void => {
    if (done.has(index)) return;
    done.add(index);
    path.push(index);
    for (const command of stages[index]!.commands)
      for (const source of command.sources) {
        if (source?.kind !== 'stage') continue;
        if (path.includes(source.index)) throw cycle(source.index, command);
        visit(source.index);
      }
    path.pop();
  };
  const cycle = (start: number, command: Command): unknown => {
    const circle = [...path.slice(path.indexOf(start)), start].map(
      (index) => `"${stageTitle(stages[index]!.stage)}"`,
    );
    const message =
      circle.length === 2
        ? `The stage ${circle[0]} copies from itself; a stage reads from stages before it.`
        : `The stages ${circle.join(' → ')} copy from each other in a circle; a stage reads from stages before it.`;
    return placed(new Failure(message), dockerfile.path, command.instruction.lines);
  };
  for (const index of stages.keys()) visit(index);
}
