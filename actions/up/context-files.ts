import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isOwn } from '../../shared/content/index.ts';
import { readIgnore } from '../../shared/image/index.ts';
import type { ContextFiles } from '../../shared/lift/index.ts';

/** Where the files of a build context are. Absolute paths. */
export interface ContextRequest {
  readonly context: string;
  readonly dockerfile: string;
}

/** The files of a build context that a stage can see: without those that .dockerignore leaves out. */
export function contextFiles(request: ContextRequest): ContextFiles {
  const { context } = request;
  const ignore = readIgnore(request)?.ignore;
  const kind = (path: string) => {
    if (path === '..' || path.startsWith('../') || isOwn(path)) return undefined;
    const stats = statSync(join(context, path), { throwIfNoEntry: false });
    if (stats === undefined || !(stats.isFile() || stats.isDirectory())) return undefined;
    const directory = stats.isDirectory();
    if (path !== '.' && ignore?.ignores(path, directory) === true)
      return directory && ignore.mayContainIncluded(path) ? 'directory' : undefined;
    return directory ? 'directory' : 'file';
  };
  return {
    kind,
    read: (path) => (kind(path) === 'file' ? readFileSync(join(context, path), 'utf8') : undefined),
    list: (path) =>
      readdirSync(join(context, path)).filter((name) => kind(path === '.' ? name : `${path}/${name}`)),
  };
}
