import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { Failure } from '../host/index.ts';

/** The main module that a build is about, as its files say. */
export interface Module {
  /** Absolute path of the folder that holds go.mod. */
  readonly root: string;
  /** Module path, such as `example.com/shop/storefront`. */
  readonly path: string;
  /** The version of the `go` line, such as `1.24` or `1.24.3`. */
  readonly go?: string;
  /** The name on the `toolchain` line, such as `go1.26.8`. */
  readonly toolchain?: string;
  /** Absolute path of the go.work in force. */
  readonly workspace?: string;
}

/**
 * Finds the module that `directory` belongs to as the go command does: the nearest go.mod above. `gowork` is the value of GOWORK:
 * empty to look for go.work above, `off` for none, or its path.
 */
export function findModule(directory: string, gowork = ''): Module {
  const file = nearestAbove(directory, 'go.mod');
  if (file === undefined) throw new Failure(withoutModule(directory));
  const workspace =
    gowork === 'off' ? undefined : gowork === '' ? nearestAbove(directory, 'go.work') : resolve(gowork);
  return {
    root: dirname(file),
    ...parseModule(readFileSync(file, 'utf8'), file),
    ...(workspace && { workspace }),
  };
}

/** Whether a folder belongs to no module and has some below it, as the root of a repository of many services does. */
export function isAboveModules(directory: string): boolean {
  return nearestAbove(directory, 'go.mod') === undefined && modulesBelow(directory, 3).length > 0;
}

/** The lines of a go.mod that a build's plan depends on; the go command checks the rest. */
export function parseModule(source: string, file = 'go.mod'): Pick<Module, 'path' | 'go' | 'toolchain'> {
  const word = (directive: string) =>
    new RegExp(`^[ \\t]*${directive}[ \\t]+["\`]?([^\\s"\`]+)["\`]?[ \\t]*(?://.*)?$`, 'm').exec(source)?.[1];
  const path = word('module');
  if (path === undefined) throw new Failure(`${file} has no module line, such as "module example.com/app".`);
  const go = word('go');
  const toolchain = word('toolchain');
  return { path, ...(go && { go }), ...(toolchain && toolchain !== 'default' && { toolchain }) };
}

function nearestAbove(directory: string, name: string): string | undefined {
  for (let folder = resolve(directory); ; folder = dirname(folder)) {
    const file = join(folder, name);
    if (existsSync(file)) return file;
    if (dirname(folder) === folder) return undefined;
  }
}

function withoutModule(directory: string): string {
  if (!existsSync(directory)) return `The folder ${directory} does not exist.`;
  const found = modulesBelow(directory, 3).map((folder) => relative(directory, folder));
  const where =
    found.length === 0
      ? 'create one with "go mod init"'
      : `there is one in ${found.slice(0, 5).join(', ')}${found.length > 5 ? ' and others' : ''}: name that folder as the working directory`;
  return `There is no go.mod in ${directory} or above it; ${where}.`;
}

function modulesBelow(directory: string, depth: number): string[] {
  const entries = readdirSync(directory, { withFileTypes: true });
  if (entries.some((entry) => entry.name === 'go.mod')) return [directory];
  if (depth === 0) return [];
  return entries
    .filter((entry) => entry.isDirectory() && !/^(\.|_|node_modules$|vendor$|testdata$)/.test(entry.name))
    .flatMap((entry) => modulesBelow(join(directory, entry.name), depth - 1));
}
