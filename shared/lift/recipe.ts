import { posix } from 'node:path';
import type {
  CopyStep,
  Lines,
  ResolvedStage,
  RunMount,
  RunStep,
  StageGraph,
  WorkdirStep,
} from '../dockerfile/index.ts';
import { formatPlatform, type Platform } from '../oci/index.ts';
import { Beyond } from './beyond.ts';
import { type GoInvocation, isGoBuild, readGoInvocation } from './go-invocation.ts';
import type { SimpleCommand } from './shell.ts';
import { type Crossing, commandsOf, crossings, stepsWithBases } from './stage-steps.ts';
import { SPARE_SYSTEM } from './stage-tree.ts';

/** A stage that lays files of the context down and compiles Go, as what has to be done for the same files without a container. */
export interface Recipe {
  /** Reference of the golang image. */
  readonly base: string;
  /** Of that image: the machine that the go command believes to be on. */
  readonly platform: Platform;
  /** What lays files and folders into the stage, in order; `mkdir` is among them as WORKDIR, which does the same. */
  readonly files: readonly FileStep[];
  /** What a RUN that builds sees beside them, through `--mount=type=bind`. */
  readonly binds: readonly CopyStep[];
  readonly builds: readonly RecipeBuild[];
  /** Commands that are not run, since they change nothing that later stages take. */
  readonly leftOut: readonly { readonly command: string; readonly lines: Lines }[];
  readonly taken: readonly Crossing[];
  /** Where the stage begins. */
  readonly lines: Lines;
}

export type FileStep = CopyStep | WorkdirStep;

export interface RecipeBuild {
  readonly go: GoInvocation;
  readonly cwd: string;
  /** PATH in force, by which the stage finds its go command. */
  readonly path: string;
  /** Those of the packages that the shell replaces by the names of files that they match. */
  readonly patterns: readonly string[];
  /** As the Dockerfile has it, for people. */
  readonly shown: string;
  readonly lines: Lines;
}

/** The reading of a stage, or the first line that stops it. */
export type RecipeReading =
  | { readonly kind: 'recipe'; readonly recipe: Recipe }
  | { readonly kind: 'beyond'; readonly because: string; readonly lines: Lines };

/**
 * Reads a stage as a recipe under the strictest view: every step is one that is done here in the same way, or one that cannot be seen
 * in what later stages take. The first that is neither ends the reading.
 */
export function readRecipe(graph: StageGraph, stage: ResolvedStage): RecipeReading {
  try {
    return { kind: 'recipe', recipe: recipeOf(graph, stage) };
  } catch (error) {
    if (error instanceof Beyond) return { kind: 'beyond', because: error.message, lines: error.lines };
    throw error;
  }
}

function recipeOf(graph: StageGraph, stage: ResolvedStage): Recipe {
  const { steps, base } = stepsWithBases(graph, stage);
  checkBase(base, stage);
  const reader = new StepReader();
  for (const step of steps) {
    if (step.kind === 'run') reader.run(step);
    else if (step.kind !== 'config') reader.files.push(reader.file(step));
  }
  const { files, builds, binds, leftOut } = reader;
  if (builds.length === 0) throw new Beyond('it compiles no Go', stage.lines);
  const user = graph.stages.find((one) => one.base.kind === 'stage' && one.base.index === stage.index);
  if (user !== undefined) throw new Beyond(`stage ${user.name ?? user.index} is built on it`, user.lines);
  const taken = crossings(graph, stage);
  for (const crossing of taken) checkCrossing(crossing, reader);
  return { base, platform: stage.platform, files, builds, binds, leftOut, taken, lines: stage.lines };
}

/** The images whose Go is the one of go.dev, wherever they are mirrored. */
function checkBase(reference: string, stage: ResolvedStage): void {
  if (!/(^|\/)library\/golang(?=[:@]|$)/.test(reference))
    throw new Beyond(`its base ${reference} is not one of the official golang images`, stage.lines);
  if (stage.platform.os !== 'linux')
    throw new Beyond(`it is a stage for ${formatPlatform(stage.platform)}`, stage.lines);
}

/** Takes the steps of a stage one after the other. */
class StepReader {
  readonly files: FileStep[] = [];
  readonly builds: RecipeBuild[] = [];
  readonly leftOut: { command: string; lines: Lines }[] = [];
  binds: readonly CopyStep[] = [];
  /** Folders that a mount lay over while a RUN ran. */
  readonly mounted: string[] = [];

  file(step: FileStep): FileStep {
    if (step.kind === 'workdir') {
      if (step.user !== undefined && !isRoot(step.user))
        throw new Beyond(`user ${step.user} owns the folder ${step.path}`, step.lines);
      return step;
    }
    const [made] = this.builds;
    if (made !== undefined)
      throw new Beyond('it copies files after it has compiled; move it before "go build"', step.lines);
    checkCopy(step);
    return step;
  }

  run(step: RunStep): void {
    if (!isRoot(step.user))
      throw new Beyond(`it runs as user ${step.user}, who then owns the files`, step.lines);
    if (step.security !== 'sandbox') throw new Beyond('its RUN is insecure', step.lines);
    checkShell(step);
    const binds = step.mounts.flatMap((mount) => this.mount(mount, step));
    let cwd = step.workdir;
    for (const command of commandsOf(step)) {
      const pattern = command.patterns.find((word) => !isGoBuild(command) || /^-|^\/|\.\./.test(word));
      if (pattern !== undefined)
        throw new Beyond(`its RUN has the file name pattern "${pattern}"`, step.lines);
      if (isGoBuild(command)) {
        this.bind(binds, step);
        this.builds.push({
          go: readGoInvocation(command, step.lines),
          cwd,
          path: command.assignments.PATH ?? '',
          patterns: command.patterns,
          shown: command.words.join(' '),
          lines: step.lines,
        });
      } else if (command.words[0] === 'cd') cwd = changed(cwd, command, step);
      else if (command.words[0] === 'mkdir')
        for (const path of foldersMade(command, cwd, step)) this.files.push(folder(path, step));
      else this.other(command, step);
    }
  }

  /** All RUNs that build have to see the same: they are run over one tree. */
  private bind(binds: readonly CopyStep[], step: RunStep): void {
    const before = JSON.stringify(this.binds.map(({ sources, destination }) => [sources, destination]));
    const now = JSON.stringify(binds.map(({ sources, destination }) => [sources, destination]));
    if (this.builds.length > 0 && before !== now)
      throw new Beyond('it compiles in two RUNs that mount different folders', step.lines);
    this.binds = binds;
  }

  private mount(mount: RunMount, step: RunStep): CopyStep[] {
    const refuse = (because: string) => new Beyond(because, step.lines);
    const target = mount.target ?? '';
    switch (mount.type) {
      case 'secret':
        throw refuse('its RUN uses a secret');
      case 'ssh':
        throw refuse('its RUN uses an SSH agent');
      case 'bind':
        if (mount.from?.kind !== 'context') throw refuse('a mount brings files of elsewhere into it');
        this.mounted.push(target);
        return [bound(mount, target, step)];
      case 'cache':
        if (mount.from !== undefined) throw refuse(`the cache at ${target} starts with files of elsewhere`);
        break;
      case 'tmpfs':
        break;
    }
    this.mounted.push(target);
    if (!isSpare(target, step.env) || within(step.workdir, target))
      throw refuse(`a ${mount.type} mount at ${target} may hold files that Go reads`);
    return [];
  }

  private other(command: SimpleCommand, step: RunStep): void {
    const line = command.words.join(' ');
    const [name, verb, action] = command.words;
    if (name === 'go' && verb === 'mod' && (action === 'download' || action === 'verify')) {
      this.leftOut.push({ command: line, lines: step.lines });
      return;
    }
    if (name === 'go' && (verb === 'test' || verb === 'vet'))
      throw new Beyond(
        `it runs "${shorten(line)}", which can fail the build: give it a stage of its own`,
        step.lines,
      );
    if (!isSilent(command)) throw new Beyond(`it runs "${shorten(line)}"`, step.lines);
  }
}

function isRoot(user: string): boolean {
  return /^((root|0)(:(root|0))?)?$/.test(user);
}

/** Shells that read a sequence of simple commands alike. */
function checkShell({ shell, argv, lines }: RunStep): void {
  if (!shell) return;
  const [program = '', ...flags] = argv.slice(0, -1);
  if (!/^(\/usr)?(\/bin\/)?(sh|bash|ash|dash)$/.test(program))
    throw new Beyond(`its SHELL is ${program}`, lines);
  if (!flags.every((flag) => /^(-[ceuxo]+|pipefail|errexit|nounset|-o)$/.test(flag)))
    throw new Beyond(`its SHELL is "${argv.slice(0, -1).join(' ')}"`, lines);
}

function changed(cwd: string, { words }: SimpleCommand, { lines }: RunStep): string {
  if (words.length !== 2 || words[1]!.startsWith('-'))
    throw new Beyond(`it runs "${words.join(' ')}"`, lines);
  return posix.resolve(cwd, words[1]!);
}

function foldersMade({ words }: SimpleCommand, cwd: string, { lines }: RunStep): string[] {
  const flags = words.slice(1).filter((word) => word.startsWith('-'));
  if (flags.some((flag) => !/^(-p|-v|-pv|-vp|--parents)$/.test(flag)))
    throw new Beyond(`it runs "${words.join(' ')}"`, lines);
  return words
    .slice(1)
    .filter((word) => !word.startsWith('-'))
    .map((word) => posix.resolve(cwd, word));
}

function folder(path: string, { lines, createdBy }: RunStep): WorkdirStep {
  return { kind: 'workdir', path, lines, createdBy };
}

function bound(mount: RunMount, target: string, step: RunStep): CopyStep {
  const { lines, createdBy } = step;
  return {
    kind: 'copy',
    from: { kind: 'context' },
    sources: [mount.options.source ?? '.'],
    inline: [],
    destination: target,
    ...{ chown: undefined, chmod: undefined, checksum: undefined, unpack: undefined },
    ...{ link: false, parents: false, exclude: [], keepGitDir: false },
    lines,
    createdBy,
  };
}

/** Places that hold no source: caches of the home folder and of Go, temporary files. */
function isSpare(target: string, env: Readonly<Record<string, string>>): boolean {
  const known = [env.GOCACHE, env.GOMODCACHE, '/go/pkg', '/root/.cache', '/root/go', '/var/cache', '/tmp'];
  if (env.GOPATH !== undefined) known.push(env.GOPATH, `${env.GOPATH}/pkg`);
  return known.some((place) => place !== undefined && (target === place || within(target, place)));
}

/** Folders of the base in which a file could take part in everything, or that are symbolic links in some images. */
const SYSTEM = /^\/(bin|boot|dev|etc|lib\w*|proc|run|sbin|sys|usr|var)(\/|$)/;

function checkCopy(step: CopyStep): void {
  const refuse = (because: string) => new Beyond(because, step.lines);
  const what = step.sources.join(' ');
  if (step.from.kind === 'stage') throw refuse(`it copies ${what} from another stage`);
  if (step.from.kind === 'image') throw refuse(`it copies ${what} from the image ${step.from.reference}`);
  if (step.from.kind === 'directory') throw refuse(`it copies ${what} from a named context`);
  const remote = step.sources.find((source) => /^(https?:|git@|git:|ssh:)/.test(source));
  if (remote !== undefined) throw refuse(`it adds ${remote}`);
  if (step.chown !== undefined && !/^(\d+|root)?(:(\d+|root))?$/.test(step.chown))
    throw refuse(`it gives ${what} to ${step.chown}, whom the base knows`);
  const { destination } = step;
  if ((SYSTEM.test(destination) && !SPARE_SYSTEM.test(destination)) || destination === '/')
    throw refuse(`it copies ${what} to ${destination}, among the files of the base`);
}

/** What may be said about a crossing before anything is read of the context. */
function checkCrossing({ path, parents, lines }: Crossing, { mounted }: StepReader): void {
  if (parents) throw new Beyond(`${path} is taken from it with --parents`, lines);
  const over = mounted.find((target) => path === target || within(path, target) || within(target, path));
  if (over !== undefined)
    throw new Beyond(`${path} is taken from it, where a mount lay over ${over} in a RUN`, lines);
}

/** Commands that change nothing. */
function isSilent({ words }: SimpleCommand): boolean {
  const [name, ...args] = words;
  if (name === 'set')
    return args.every((arg) => /^[-+][eux]+$|^-[eux]*o$|^pipefail$|^errexit$|^nounset$/.test(arg));
  if (name === 'go')
    return args[0] === 'version' || (args[0] === 'env' && !args.some((arg) => /^-+[wu]/.test(arg)));
  return ['echo', 'true', ':', 'ls', 'pwd', 'date', 'uname'].includes(name ?? '');
}

export function within(path: string, folder: string): boolean {
  return path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function shorten(line: string): string {
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}
