import { basename, isAbsolute, join, resolve } from 'node:path';
import { Failure } from '../host/index.ts';
import type { MainPackage } from './packages.ts';
import { type BuildFacts, expandTemplate } from './stamp.ts';
import { type Target, targetFileName } from './target.ts';

/** Where programs are written when the caller does not say a path for each. */
export interface OutputNaming {
  /** Folder, relative to the working directory unless absolute. */
  readonly directory: string;
  /** Template of the file name; it may name folders below. */
  readonly name: string;
}

/** `dist/storefront_linux_amd64`. */
export const DEFAULT_NAMING: OutputNaming = { directory: 'dist', name: '{{name}}_{{target}}' };

/** The name that `go build` gives a program: the last element of its import path that is not a major version. */
export function programName(importPath: string): string {
  const elements = importPath.split('/');
  const last = elements.at(-1)!;
  return /^v\d+$/.test(last) && elements.length > 1 ? elements.at(-2)! : last;
}

/** The absolute path of one program by template. A program for Windows gets `.exe` unless its name has it. */
export function outputPath(
  naming: OutputNaming,
  program: { readonly package: MainPackage; readonly target: Target },
  context: { readonly directory: string; readonly facts: BuildFacts },
): string {
  const { target } = program;
  const extension = extensionFor(target.os);
  const name = expandTemplate(naming.name, context.facts, 'output-name', {
    name: programName(program.package.importPath),
    os: target.os,
    arch: target.arch,
    variant: target.variant ?? '',
    target: targetFileName(target),
    ext: extension,
  });
  const folder = resolve(context.directory, naming.directory);
  const file = join(folder, name.endsWith(extension) ? name : name + extension);
  if (isAbsolute(name) || basename(name) === '' || !file.startsWith(folder) || /(^|\/)\.\.(\/|$)/.test(name))
    throw new Failure(
      `Output name "${name}" leaves the output folder; write a file name such as ${DEFAULT_NAMING.name}.`,
    );
  return file;
}

function extensionFor(os: string): string {
  return os === 'windows' ? '.exe' : os === 'js' || os === 'wasip1' ? '.wasm' : '';
}

/** Throws a Failure when two programs would be written to one file. */
export function checkDistinct(
  programs: readonly { readonly output: string; readonly title: string }[],
): void {
  const seen = new Map<string, string>();
  for (const { output, title } of programs) {
    const other = seen.get(output);
    if (other !== undefined)
      throw new Failure(
        `${other} and ${title} would both be written to ${output}; name {{name}} and {{target}} in the output name.`,
      );
    seen.set(output, title);
  }
}
