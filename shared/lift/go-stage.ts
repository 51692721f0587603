import { posix } from 'node:path';
import type { CopyStep, Lines, ResolvedStage, RunStep, StageGraph } from '../dockerfile/index.ts';
import { bindMounts, type ContextCopy, type ContextFiles, originOf } from './context.ts';
import { type GoCommand, readGoBuild } from './go-command.ts';
import { readShell, type SimpleCommand } from './shell.ts';

/** One program that the stage compiles and that later stages take. */
export interface GoProgram {
  readonly command: GoCommand;
  /** Folder of the build context in which the packages are named; `.` is its root. */
  readonly directory: string;
  /** Packages relative to that folder, or import paths. */
  readonly packages: readonly string[];
  /** Absolute path in the stage, where later stages find it. */
  readonly output: string;
  readonly lines: Lines;
}

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

class Beyond extends Error {
  readonly lines: Lines;
  constructor(because: string, lines: Lines) {
    super(because);
    this.lines = lines;
  }
}

/**
 * Reads the stage as one that compiles Go programs and nothing else that matters: which packages, with which flags, and where the
 * binaries lie that later stages copy. It proves this by reading every step; whatever it cannot read is `beyond`, with its line.
 */
export function readGoStage(graph: StageGraph, stage: ResolvedStage, context: ContextFiles): GoStageReading {
  try {
    const steps = stepsWithBases(graph, stage);
    const copies = copiesFromContext(steps.steps);
    const { programs, leftOut } = readRuns(steps.steps, copies, context);
    const wanted = crossings(graph, stage);
    const taken = wanted.flatMap((crossing) => programsAt(crossing, programs, copies));
    return { kind: 'go', programs: [...new Set(taken)], base: steps.base, leftOut };
  } catch (error) {
    if (error instanceof Beyond) return { kind: 'beyond', because: error.message, lines: error.lines };
    throw error;
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

function copiesFromContext(steps: ResolvedStage['steps']): CopyStep[] {
  const copies = steps.filter((step): step is CopyStep => step.kind === 'copy' || step.kind === 'add');
  for (const copy of copies) {
    if (copy.from.kind !== 'context')
      throw new Beyond(`it copies ${copy.sources.join(' ')} from ${originName(copy)}`, copy.lines);
    const remote = copy.sources.find((source) => /^(https?:|git@|git:|ssh:)/.test(source));
    if (remote !== undefined) throw new Beyond(`it adds ${remote}`, copy.lines);
    if (copy.inline.length > 0) throw new Beyond('it writes a file of its own (a heredoc)', copy.lines);
  }
  return copies;
}

function originName({ from }: CopyStep): string {
  if (from.kind === 'stage') return 'another stage';
  return from.kind === 'image' ? `image ${from.reference}` : 'a named context';
}

function readRuns(steps: ResolvedStage['steps'], copies: readonly CopyStep[], context: ContextFiles) {
  const programs: GoProgram[] = [];
  const leftOut: { command: string; lines: Lines }[] = [];
  for (const step of steps) {
    if (step.kind !== 'run') continue;
    const visible = [...copies, ...bindMounts(step)];
    let directory = step.workdir;
    for (const command of commandsOf(step)) {
      const pattern = command.patterns.find(
        (word) => command.words[0] !== 'rm' && !/(^|\/)\*(\.go)?$/.test(word),
      );
      if (pattern !== undefined)
        throw new Beyond(`its RUN has the file name pattern "${pattern}"`, step.lines);
      const build = readGoBuild(command);
      if (build !== undefined) programs.push(...programsOf(build, directory, step, visible, context));
      else if (command.words[0] === 'cd') directory = posix.resolve(directory, command.words[1] ?? '/root');
      else if (!isSilent(command, programs))
        leftOut.push({ command: harmless(command, step), lines: step.lines });
    }
  }
  return { programs, leftOut };
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
  if (name === 'go' && args[0] === 'mod') return args[1] === 'download' || args[1] === 'verify';
  if (name === 'go' && args[0] === 'env') return !args.includes('-w') && !args.includes('-u');
  return (
    ['mkdir', 'echo', 'true', ':', 'ls', 'pwd', 'date', 'file', 'du'].includes(name ?? '') ||
    (name === 'go' && args[0] === 'version')
  );
}

/** A command that may be left out though it does something: checks, and packages that a build without cgo does not read. */
function harmless(command: SimpleCommand, step: RunStep): string {
  const [name, verb] = command.words;
  const line = command.words.join(' ');
  if (name === 'go' && (verb === 'vet' || verb === 'test')) return line;
  if (name === 'apk' && command.words.includes('add')) return line;
  if ((name === 'apt-get' || name === 'apt') && /\b(update|install|clean|upgrade)\b/.test(line)) return line;
  if (
    name === 'rm' &&
    command.words
      .slice(1)
      .every((path) => /^(-\w+|\/var\/lib\/apt\/lists\/?\*?|\/var\/cache\/apk\/?\*?)$/.test(path))
  )
    return line;
  throw new Beyond(`it runs "${line.length > 60 ? `${line.slice(0, 57)}...` : line}"`, step.lines);
}

function programsOf(
  command: GoCommand,
  cwd: string,
  step: RunStep,
  copies: readonly ContextCopy[],
  context: ContextFiles,
): GoProgram[] {
  const within = posix.resolve(cwd, command.chdir ?? '.');
  const module = moduleOf(within, step, copies, context);
  const directory = posix.join(module.directory, posix.relative(module.root, within));
  const packages = command.packages.map((name) =>
    name.startsWith('/') ? `./${posix.relative(within, name)}` : name,
  );
  const intoFolder = command.output === undefined || command.output.endsWith('/') || packages.length > 1;
  if (!intoFolder)
    return [
      { command, directory, packages, output: posix.resolve(within, command.output!), lines: step.lines },
    ];
  return packages.map((name) => {
    if (name.includes('...')) throw new Beyond(`"${name}" names more than one package`, step.lines);
    const importPath = name.startsWith('.')
      ? posix.join(module.path, posix.relative(module.root, posix.resolve(within, name)))
      : name;
    const output = posix.resolve(within, command.output ?? '.', executableName(importPath));
    return { command, directory, packages: [name], output, lines: step.lines };
  });
}

/** The module that a folder of the stage belongs to: its root there, its folder in the context, its path. */
function moduleOf(within: string, step: RunStep, copies: readonly ContextCopy[], context: ContextFiles) {
  for (let root = within; ; root = posix.dirname(root)) {
    const origin = originOf(posix.join(root, 'go.mod'), copies, context);
    if (origin !== undefined) {
      const path = /^module\s+"?([^\s"]+)/m.exec(context.read(origin) ?? '')?.[1] ?? 'main';
      return { root, directory: posix.dirname(origin), path };
    }
    if (root === '/')
      throw new Beyond(
        `the go.mod that is in force in ${within} does not come from the build context`,
        step.lines,
      );
  }
}

/** The name that `go build` gives the program of a package: the last element of its import path that is no major version. */
function executableName(importPath: string): string {
  const elements = importPath.split('/');
  const last = elements.at(-1)!;
  return /^v[2-9]\d*$|^v1\d+$/.test(last) && elements.length > 1 ? elements.at(-2)! : last;
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

function programsAt(
  crossing: Crossing,
  programs: readonly GoProgram[],
  copies: readonly CopyStep[],
): GoProgram[] {
  const exact = programs.filter((program) => program.output === crossing.path);
  if (exact.length > 0) return [exact.at(-1)!];
  const below = programs.filter((program) => program.output.startsWith(`${crossing.path}/`));
  const mixed = copies.some((copy) => `${posix.resolve(copy.destination)}/`.startsWith(`${crossing.path}/`));
  if (below.length > 0 && !mixed) return below;
  throw new Beyond(
    `${crossing.path} is taken from it, which no "go build -o" of the stage writes`,
    crossing.lines,
  );
}
