import { posix } from 'node:path';
import type { Lines, RunStep } from '../dockerfile/index.ts';
import { Beyond } from './beyond.ts';
import { type ContextCopy, type ContextFiles, foldersAt, originOf } from './context.ts';
import type { GoCommand } from './go-command.ts';

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

/** Where a command of the stage runs and what it sees there. */
export interface Surroundings {
  readonly cwd: string;
  readonly step: RunStep;
  /** Files of the context that lie in the stage, the last one on top. */
  readonly copies: readonly ContextCopy[];
  readonly context: ContextFiles;
  /** Folders that the stage has made so far. */
  readonly folders: ReadonlySet<string>;
}

/** The programs that a `go build` of the stage writes. */
export function programsOf(command: GoCommand, around: Surroundings): GoProgram[] {
  const { lines } = around.step;
  const within = posix.resolve(around.cwd, command.chdir ?? '.');
  const module = moduleOf(within, around);
  const directory = posix.join(module.directory, posix.relative(module.root, within));
  const sources = command.packages.some((name) => name.endsWith('.go'));
  const named = sources ? [folderOfFiles(command.packages, within, around)] : command.packages;
  const packages = named.map((name) => (name.startsWith('/') ? relativePackage(within, name) : name));
  const program = (one: readonly string[], output: string) => ({
    command,
    directory,
    packages: one,
    output: posix.resolve(within, output),
    lines,
  });
  const intoFolder = packages.length > 1 || isFolder(command.output ?? '.', within, around);
  if (!intoFolder) return [program(packages, command.output!)];
  return packages.map((name) => {
    if (name.includes('...')) throw new Beyond(`"${name}" names more than one package`, lines);
    const file = sources
      ? posix.basename(command.packages[0]!, '.go')
      : executableName(importPathOf(name, within, module));
    return program([name], posix.join(command.output ?? '.', file));
  });
}

/** `-o` of a folder that is there, or with a slash at its end, is the folder that the program goes into (`go help build`). */
function isFolder(output: string, within: string, { folders, copies, context }: Surroundings): boolean {
  const path = posix.resolve(within, output);
  return output.endsWith('/') || folders.has(path) || foldersAt(path, copies, context).length > 0;
}

/**
 * The folder of the files that `go build main.go` names, where they are the whole package: Go compiles the named files alone, so a
 * file that is left out would make another program.
 */
function folderOfFiles(
  names: readonly string[],
  within: string,
  { step, copies, context }: Surroundings,
): string {
  const paths = names.map((name) => posix.resolve(within, name));
  const folder = posix.dirname(paths[0]!);
  if (paths.some((path) => !path.endsWith('.go') || posix.dirname(path) !== folder))
    throw new Beyond(`"${names.join(' ')}" are not the files of one package`, step.lines);
  const origins = paths.map((path) => originOf(path, copies, context));
  const strange = names.find((_, at) => origins[at] === undefined);
  if (strange !== undefined)
    throw new Beyond(`"${strange}" does not come from the build context`, step.lines);
  const source = posix.dirname(origins[0]!);
  const left = context
    .list(source)
    .find((name) => isSource(name) && !origins.includes(posix.join(source, name)));
  if (left !== undefined)
    throw new Beyond(`it compiles ${names.join(' ')} without ${posix.join(source, left)}`, step.lines);
  return folder;
}

/** Whether Go takes a file for part of the package of its folder (`go help packages`). */
function isSource(name: string): boolean {
  return name.endsWith('.go') && !name.endsWith('_test.go') && !/^[._]/.test(name);
}

interface Module {
  readonly root: string;
  readonly directory: string;
  readonly path: string;
}

/** The module that a folder of the stage belongs to: its root there, its folder in the context, its path. */
function moduleOf(within: string, { step, copies, context }: Surroundings): Module {
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

function relativePackage(within: string, folder: string): string {
  const path = posix.relative(within, folder);
  if (path === '') return '.';
  return path.startsWith('.') ? path : `./${path}`;
}

function importPathOf(name: string, within: string, module: Module): string {
  if (!name.startsWith('.')) return name;
  return posix.join(module.path, posix.relative(module.root, posix.resolve(within, name)));
}

/** The name that `go build` gives the program of a package: the last element of its import path that is no major version. */
function executableName(importPath: string): string {
  const elements = importPath.split('/');
  const last = elements.at(-1)!;
  return /^v[2-9]\d*$|^v1\d+$/.test(last) && elements.length > 1 ? elements.at(-2)! : last;
}
