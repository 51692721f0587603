import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { OWN_FOLDER } from '../../content/index.ts';
import type { ImagePlan } from '../plan.ts';
import { ownPaths } from '../sources.ts';

/**
 * Writes a Dockerfile for a builder, with the ignore file beside it, where BuildKit looks for one first. What Slipway itself writes
 * below the context is left out there too.
 */
export async function writeDockerfile(plan: ImagePlan, text: string, folder: string): Promise<string> {
  const file = join(folder, basename(plan.request.dockerfile));
  await writeFile(file, text);
  const own = [`**/${OWN_FOLDER}`, ...ownPaths(plan.request).map((path) => `/${path}`)];
  await writeFile(`${file}.dockerignore`, [plan.ignore?.text ?? '', ...own, ''].join('\n'));
  return file;
}
