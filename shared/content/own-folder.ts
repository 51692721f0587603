import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Name of the folders in which Slipway keeps its own files: one in the folder of a service, one in the root of each Go module that
 * was built. They are part of no build context, no image and no commit.
 */
export const OWN_FOLDER = '.slipway';

/** Whether a path, relative and slash-separated, is such a folder or lies in one. */
export function isOwn(path: string): boolean {
  return path.split('/').includes(OWN_FOLDER);
}

/**
 * Makes such a folder and keeps it out of commits and of `git status`, as other tools' caches do. A checkout that cannot be written
 * to stays without.
 */
export function makeOwnFolder(folder: string): void {
  const file = join(folder, '.gitignore');
  try {
    if (existsSync(file)) return;
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, '*\n');
  } catch {
    // What is kept there costs time at the next run when it is missing, nothing else.
  }
}
