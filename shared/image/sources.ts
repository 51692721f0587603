import { existsSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import {
  createIgnore,
  type Dockerfile,
  type Ignore,
  ignoreFileNames,
  parseDockerfile,
} from '../dockerfile/index.ts';
import { Failure } from '../host/index.ts';
import type { ImageRequest } from './request.ts';

/** The ignore file in force. */
export interface IgnoreFile {
  readonly path: string;
  readonly text: string;
}

/** Reads the Dockerfile of a request. Throws a Failure when it is not there or is none. */
export function readDockerfile(request: Pick<ImageRequest, 'workspace' | 'dockerfile'>): Dockerfile {
  const shown = relative(request.workspace, request.dockerfile);
  let text: string;
  try {
    text = readFileSync(request.dockerfile, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT')
      throw new Failure(`There is no Dockerfile at ${shown}; name another with the input "file".`, {
        cause: error,
      });
    if (code === 'EISDIR')
      throw new Failure(`${shown} is a folder; the input "file" takes a Dockerfile.`, { cause: error });
    throw new Failure(`${shown} cannot be read: ${code}.`, { cause: error });
  }
  return parseDockerfile(text, shown);
}

/** The ignore file of a request, and its rules. */
export interface ReadIgnore {
  readonly file: IgnoreFile;
  readonly ignore: Ignore;
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile wins over .dockerignore at the root of the context. */
export function readIgnore(request: Pick<ImageRequest, 'context' | 'dockerfile'>): ReadIgnore | undefined {
  const [own, general] = ignoreFileNames(request.dockerfile);
  const path = [own!, join(request.context, general!)].find((one) => existsSync(one));
  if (path === undefined) return undefined;
  const text = readFileSync(path, 'utf8');
  return { file: { path, text }, ignore: createIgnore(text) };
}

/** What Slipway itself writes below the context: it is not there for a COPY, or no image would ever be unchanged. */
export function ownPaths(request: ImageRequest): string[] {
  return [request.state, ...(request.own ?? [])]
    .filter((path) => path !== undefined)
    .map((path) => relative(request.context, path).split(sep).join('/'))
    .filter((path) => path !== '' && !path.startsWith('../') && path !== '..');
}
