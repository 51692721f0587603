import { posix } from 'node:path';
import { type CopyStep, matchGlob, type RunStep } from '../dockerfile/index.ts';

/** The build context, as far as reading a stage needs it. Paths are relative to its root. */
export interface ContextFiles {
  kind(path: string): 'file' | 'directory' | undefined;
  read(path: string): string | undefined;
  /** Names in a folder. */
  list(path: string): readonly string[];
}

/** Files of the context at a place of the stage, whether copied or mounted. */
export type ContextCopy = Pick<CopyStep, 'sources' | 'destination' | 'parents'>;

/** The parts of the context that a RUN sees through `--mount=type=bind`. */
export function bindMounts(step: RunStep): ContextCopy[] {
  return step.mounts
    .filter((mount) => mount.type === 'bind' && (mount.from === undefined || mount.from.kind === 'context'))
    .map((mount) => ({
      sources: [mount.options.source ?? mount.options.src ?? '.'],
      destination: posix.resolve(step.workdir, mount.target ?? '.'),
      parents: false,
    }));
}

/** The file of the context that lies at an absolute path of the stage after these copies, or undefined. */
export function originOf(
  path: string,
  copies: readonly ContextCopy[],
  context: ContextFiles,
): string | undefined {
  return originsOf(path, copies, context).findLast((origin) => context.kind(origin) === 'file');
}

/** The folders of the context whose files lie in a folder of the stage. */
export function foldersAt(
  path: string,
  copies: readonly ContextCopy[],
  context: ContextFiles,
): readonly string[] {
  return originsOf(path, copies, context).filter((origin) => context.kind(origin) === 'directory');
}

function originsOf(path: string, copies: readonly ContextCopy[], context: ContextFiles): string[] {
  return copies
    .flatMap((copy) => copy.sources.map((source) => originThrough(path, copy, contextPath(source), context)))
    .filter((origin) => origin !== undefined);
}

function originThrough(
  path: string,
  copy: ContextCopy,
  source: string,
  context: ContextFiles,
): string | undefined {
  const destination = posix.resolve(copy.destination);
  if (copy.parents) return posix.relative(destination, path);
  if (/[*?[]/.test(source)) {
    const candidate = posix.join(posix.dirname(source), posix.basename(path));
    return posix.dirname(path) === destination && matchGlob(source, candidate) ? candidate : undefined;
  }
  if (context.kind(source) === 'directory')
    return inside(path, destination) ? posix.join(source, posix.relative(destination, path)) : undefined;
  if (path === destination) return source;
  return posix.dirname(path) === destination && posix.basename(path) === posix.basename(source)
    ? source
    : undefined;
}

/** A source as COPY takes it, relative to the context's root whether or not it starts with a slash. */
function contextPath(source: string): string {
  return posix.join('/', source).replace(/^\/|\/$/g, '') || '.';
}

function inside(path: string, folder: string): boolean {
  return folder === '/' || path.startsWith(`${folder}/`);
}
