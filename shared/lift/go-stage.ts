import { posix } from 'node:path';
import {
  type CopyStep,
  hasWildcards,
  type Lines,
  matchGlob,
  type ResolvedStage,
  type RunStep,
  type StageGraph,
} from '../dockerfile/index.ts';
import { Beyond } from './beyond.ts';
import { bindMounts, type ContextFiles, foldersAt } from './context.ts';
import { readGoBuild } from './go-command.ts';
import { type GoProgram, programsOf } from './programs.ts';
import { readShell, type SimpleCommand } from './shell.ts';

/** What a stage does, as far as it matters to who takes files from it. */
export type GoStageReading =
  | {
      readonly kind: 'go';
      readonly programs: readonly GoProgram[];
      /** Reference of the base image, whose Go the Dockerfile would use. */
      readonly base: string;
      /** Commands that are left out because the program does not depend on them, as `Dockerfile:12: go vet ./... is not run`. */
      readonly leftOut: readonly { readonly command: string; readonly lines: Lines }[];
    }
  /** The stage does more than compile Go, and this is the first line that says so. */
  | { readonly kind: 'beyond'; readonly because: string; readonly lines: Lines };

/** A path that a later stage copies, and the line that copies it. */
interface Crossing {
  readonly path: string;
  readonly lines: Lines;
}

/**
 * Reads the stage as one that compiles Go programs and nothing else that matters: which packages, with which flags, and where the
 * binaries lie that later stages copy. It proves this by reading every step; whatever it cannot read is `beyond`, with its line.
 */
export function readGoStage(graph: StageGraph, stage: ResolvedStage, context: ContextFiles): GoStageReading {
  try {
    const steps = stepsWithBases(graph, stage);
    const copies = copiesFromContext(graph, steps.steps);
    const runs = readRuns(steps.steps, copies, context);
    const wanted = crossings(graph, stage);
    const taken = [...new Set(wanted.flatMap((crossing) => programsAt(crossing, runs, copies, context)))];
    refuseTwins(taken);
    return { kind: 'go', programs: taken, base: steps.base, leftOut: runs.leftOut };
  } catch (error) {
    if (error instanceof Beyond) return { kind: 'beyond', because: error.message, lines: error.lines };
    throw error;
  }
}

/** go-build makes one program of a package for a target: a stage that makes two different ones has to be run. */
function refuseTwins(programs: readonly GoProgram[]): void {
  const seen = new Map<string, string>();
  for (const { directory, packages, command, lines } of programs) {
    const name = JSON.stringify([directory, packages]);
    const how = JSON.stringify([command.flags, command.env]);
    if ((seen.get(name) ?? how) !== how)
      throw new Beyond(`it builds ${packages.join(' ')} twice, with different flags`, lines);
    seen.set(name, how);
  }
}

/** The steps of the stage behind those of the stages that it is built on, down to a base image. */
function stepsWithBases(
  graph: StageGraph,
  stage: ResolvedStage,
): { steps: ResolvedStage['steps']; base: string } {
  const { base } = stage;
  if (base.kind === 'image') return { steps: stage.steps, base: base.reference };
  if (base.kind !== 'stage')
    throw new Beyond(
      `its base is ${base.kind === 'scratch' ? 'scratch' : base.path}, which has no Go`,
      stage.lines,
    );
  const below = stepsWithBases(graph, stageAt(graph, base.index));
  return { steps: [...below.steps, ...stage.steps], base: below.base };
}

function stageAt(graph: StageGraph, index: number): ResolvedStage {
  const stage = graph.stages.find((one) => one.index === index);
  if (stage === undefined) throw new Error(`stage ${index} is not in the graph`);
  return stage;
}

function copiesFromContext(graph: StageGraph, steps: ResolvedStage['steps']): CopyStep[] {
  const copies = steps
    .filter((step): step is CopyStep => step.kind === 'copy' || step.kind === 'add')
    .filter((copy) => !bringsXx(graph, copy));
  for (const copy of copies) {
    if (copy.from.kind !== 'context')
      throw new Beyond(`it copies ${copy.sources.join(' ')} from ${originName(copy)}`, copy.lines);
    const remote = copy.sources.find((source) => /^(https?:|git@|git:|ssh:)/.test(source));
    if (remote !== undefined) throw new Beyond(`it adds ${remote}`, copy.lines);
    if (copy.inline.length > 0) throw new Beyond('it writes a file of its own (a heredoc)', copy.lines);
  }
  return copies;
}

/** Whether a step copies tonistiigi/xx: scripts that call the tools of the stage for the platform of the image, and nothing else. */
function bringsXx(graph: StageGraph, { from }: CopyStep): boolean {
  if (from.kind === 'image') return XX.test(from.reference);
  if (from.kind !== 'stage') return false;
  const { base, steps } = stageAt(graph, from.index);
  return base.kind === 'image' && XX.test(base.reference) && steps.length === 0;
}

const XX = /(^|\/)tonistiigi\/xx(:|@|$)/;

function originName({ from }: CopyStep): string {
  if (from.kind === 'stage') return 'another stage';
  return from.kind === 'image' ? `image ${from.reference}` : 'a named context';
}

/** What the RUNs of a stage leave behind. */
interface Runs {
  readonly programs: readonly GoProgram[];
  /** Folders that `mkdir` makes. */
  readonly made: readonly string[];
  readonly leftOut: readonly { readonly command: string; readonly lines: Lines }[];
}

function readRuns(steps: ResolvedStage['steps'], copies: readonly CopyStep[], context: ContextFiles): Runs {
  const programs: GoProgram[] = [];
  const made: string[] = [];
  const folders = new Set(BASE_FOLDERS);
  const leftOut: { command: string; lines: Lines }[] = [];
  for (const step of steps) {
    if (step.kind !== 'run') continue;
    const visible = [...copies, ...bindMounts(step)];
    let directory = step.workdir;
    addWithParents(folders, directory);
    for (const command of commandsOf(step)) {
      const pattern = command.patterns.find(
        (word) => command.words[0] !== 'rm' && !/(^|\/)\*(\.go)?$/.test(word),
      );
      if (pattern !== undefined)
        throw new Beyond(`its RUN has the file name pattern "${pattern}"`, step.lines);
      const build = readGoBuild(command);
      if (command.words[0] === 'xx-go' && !('TARGETPLATFORM' in step.env))
        throw new Beyond(
          'xx-go builds for the builder’s platform, since ARG TARGETPLATFORM is missing',
          step.lines,
        );
      const around = { cwd: directory, step, copies: visible, context, folders };
      if (build !== undefined) programs.push(...programsOf(build, around));
      else if (command.words[0] === 'cd') directory = posix.resolve(directory, command.words[1] ?? '/root');
      else if (command.words[0] === 'mkdir')
        for (const path of foldersMade(command, directory)) {
          made.push(path);
          addWithParents(folders, path);
        }
      else if (!isSilent(command, programs))
        leftOut.push({ command: harmless(command, step), lines: step.lines });
    }
  }
  return { programs, made, leftOut };
}

/** Folders that every base with a Go has. */
const BASE_FOLDERS = [
  ...['/', '/bin', '/etc', '/go', '/go/bin', '/go/src', '/home', '/lib', '/opt', '/root', '/sbin', '/tmp'],
  ...['/usr', '/usr/bin', '/usr/lib', '/usr/local', '/usr/local/bin', '/usr/local/lib', '/usr/sbin', '/var'],
];
/** Those of them that are empty in the base, so that only the stage's own files lie there. */
const EMPTY_IN_BASE = new Set(['/go/bin', '/home', '/opt', '/tmp']);

function addWithParents(folders: Set<string>, path: string): void {
  for (let folder = path; folder !== '/'; folder = posix.dirname(folder)) folders.add(folder);
}

function foldersMade(command: SimpleCommand, directory: string): string[] {
  return command.words
    .slice(1)
    .filter((word) => !word.startsWith('-'))
    .map((word) => posix.resolve(directory, word));
}

function commandsOf(step: RunStep): readonly SimpleCommand[] {
  if (!step.shell && typeof step.command !== 'string')
    return [{ assignments: step.env, words: step.command, patterns: [] }];
  const script = step.heredocs.length > 0 ? step.heredocs[0]!.content : (step.command as string);
  if (step.heredocs.length > 1) throw new Beyond('it runs several heredocs', step.lines);
  if (
    step.mounts.some(
      (mount) => mount.from !== undefined && mount.from.kind !== 'context' && mount.type !== 'cache',
    )
  )
    throw new Beyond('a mount brings files of another stage into it', step.lines);
  const reading = readShell(script, step.env);
  if (reading.kind === 'beyond') throw new Beyond(`its RUN has ${reading.because}`, step.lines);
  return reading.commands;
}

/** Commands that leave no trace worth a word. */
function isSilent(command: SimpleCommand, programs: readonly GoProgram[]): boolean {
  const [name, ...args] = command.words;
  if (name === 'set')
    return args.every((arg) => /^[-+][eux]+$|^-o$|^pipefail$|^errexit$|^nounset$/.test(arg));
  if (name === 'chmod')
    return (
      /^(\+x|a\+x|0?755)$/.test(args[0] ?? '') &&
      args.slice(1).every((path) => programs.some((one) => one.output === path))
    );
  if (/^(xx-)?go$/.test(name ?? '') && args[0] === 'mod')
    return args[1] === 'download' || args[1] === 'verify';
  if (name === 'go' && args[0] === 'env') return !args.includes('-w') && !args.includes('-u');
  return (
    ['echo', 'true', ':', 'ls', 'pwd', 'date', 'file', 'du', 'xx-verify', 'xx-info'].includes(name ?? '') ||
    (name === 'go' && args[0] === 'version')
  );
}

/** A command that may be left out though it does something: checks, and packages that a build without cgo does not read. */
function harmless(command: SimpleCommand, step: RunStep): string {
  const [name, verb] = command.words;
  const line = command.words.join(' ');
  if (name === 'go' && (verb === 'vet' || verb === 'test')) return line;
  if (/^(xx-)?apk$/.test(name ?? '') && command.words.includes('add')) return line;
  if (/^(apt-get|apt|xx-apt-get|xx-apt)$/.test(name ?? '') && /\b(update|install|clean|upgrade)\b/.test(line))
    return line;
  if (
    name === 'rm' &&
    command.words
      .slice(1)
      .every((path) => /^(-\w+|\/var\/(lib\/apt\/lists|cache\/ap[kt]|tmp)\/?\*?|\/tmp\/\*)$/.test(path))
  )
    return line;
  throw new Beyond(`it runs "${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`, step.lines);
}

/** What later stages copy from this one. */
function crossings(graph: StageGraph, stage: ResolvedStage): Crossing[] {
  const crossings: Crossing[] = [];
  for (const user of graph.stages) {
    for (const step of user.steps) {
      if (
        step.kind === 'run' &&
        step.mounts.some((mount) => mount.from?.kind === 'stage' && mount.from.index === stage.index)
      )
        throw new Beyond('a later RUN mounts it', step.lines);
      if (
        (step.kind !== 'copy' && step.kind !== 'add') ||
        step.from.kind !== 'stage' ||
        step.from.index !== stage.index
      )
        continue;
      crossings.push(
        ...step.sources.map((source) => ({ path: posix.resolve('/', source), lines: step.lines })),
      );
    }
  }
  return crossings;
}

/** The programs that a later stage finds at a path, or in a folder that holds nothing else. */
function programsAt(
  crossing: Crossing,
  { programs, made }: Runs,
  copies: readonly CopyStep[],
  context: ContextFiles,
): GoProgram[] {
  const { path, lines } = crossing;
  const exact = programs.findLast((program) => program.output === path);
  if (exact !== undefined) return [exact];
  const folder = hasWildcards(path) ? posix.dirname(path) : path;
  const below = programs.filter(({ output }) =>
    folder === path ? output.startsWith(`${folder}/`) : matchGlob(path, output),
  );
  if (below.length === 0)
    throw new Beyond(`${path} is taken from it, which no "go build -o" of the stage writes`, lines);
  const other = otherContent(folder, programs, made, copies, context);
  if (other !== undefined)
    throw new Beyond(`${path} is taken from it, where ${other} besides what "go build -o" writes`, lines);
  return below;
}

/** What a folder of the stage may hold that is no program, in words; undefined: nothing. */
function otherContent(
  folder: string,
  programs: readonly GoProgram[],
  made: readonly string[],
  copies: readonly CopyStep[],
  context: ContextFiles,
): string | undefined {
  if (BASE_FOLDERS.includes(folder) && !EMPTY_IN_BASE.has(folder)) return 'the base image has files';
  const copy = copies.find(({ destination }) => `${posix.resolve(destination)}/`.startsWith(`${folder}/`));
  const origin = foldersAt(folder, copies, context).find((one) => context.list(one).length > 0);
  if (copy !== undefined || origin !== undefined)
    return `files of the build context lie (${origin ?? copy!.sources.join(' ')})`;
  const empty = made.find(
    (one) => one.startsWith(`${folder}/`) && !programs.some(({ output }) => output.startsWith(`${one}/`)),
  );
  return empty === undefined ? undefined : `the folder ${empty} is made`;
}
