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
import type { SimpleCommand } from './shell.ts';
import { type Crossing, commandsOf, copiesFromContext, crossings, stepsWithBases } from './stage-steps.ts';

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
