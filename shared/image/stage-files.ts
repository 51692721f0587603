import { createReadStream } from 'node:fs';
import type { CopyStep, WorkdirStep } from '../dockerfile/index.ts';
import { diskPath, diskTree } from './files/disk.ts';
import { type Directory, fileSystem, makeDirectories } from './files/tree.ts';
import { Unmodelled } from './files/unmodelled.ts';
import { archiveMembers } from './files/unpack.ts';
import type { Because } from './plan.ts';
import type { ImageRequest } from './request.ts';
import { ownPaths, readIgnore } from './sources.ts';
import { applySteps, StepFailure } from './steps.ts';

/** The files that steps lay into a stage, or why this process cannot tell. */
export type StageFiles =
  | { readonly kind: 'files'; readonly root: Directory }
  | { readonly kind: 'unknown'; readonly because: Because };

/**
 * What COPY, ADD and WORKDIR bring into a stage from the build context: the same tree as in the image that is assembled, on a base of
 * which only the named folders are known. Nothing is read but names, modes and links.
 */
export async function stageFiles(
  request: ImageRequest,
  steps: readonly (CopyStep | WorkdirStep)[],
  folders: readonly string[],
): Promise<StageFiles> {
  const context = diskTree(request.context, readIgnore(request)?.ignore, new Set(ownPaths(request)));
  const fs = fileSystem();
  for (const folder of folders)
    makeDirectories(fs, folder.replace(/^\//, ''), { mode: 0o755, uid: 0, gid: 0 });
  fs.pristine = false;
  try {
    await applySteps(fs, steps, {
      source: () => Promise.resolve(context),
      read: () => Promise.reject(new Unmodelled('an owner is looked up in the base')),
      archive: async ({ content }) => {
        if (content.kind !== 'disk') return undefined;
        const { path } = content;
        const members = await archiveMembers(() => createReadStream(diskPath(path)));
        if (members !== undefined)
          throw new Unmodelled(`ADD unpacks ${path.slice(request.context.length + 1)}`);
        return undefined;
      },
      warn: () => {},
      mtime: request.epoch,
    });
  } catch (error) {
    if (error instanceof Unmodelled)
      return { kind: 'unknown', because: { reason: error.reason, lines: error.lines } };
    if (error instanceof StepFailure)
      return { kind: 'unknown', because: { reason: unended(error.message), lines: error.step.lines } };
    throw error;
  }
  return { kind: 'files', root: fs.root };
}

function unended(sentence: string): string {
  return sentence.replace(/\.$/, '');
}
