import { statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Command, ExecError, run } from '../../exec/index.ts';
import { Failure, type Location } from '../../host/index.ts';
import type { KubeObject } from '../objects.ts';
import { type Kustomization, placesOf, readKustomization } from './kustomization.ts';
import type { Manifest } from './manifest.ts';
import { objectsOf } from './objects.ts';
import { isRecord } from './pod-template.ts';
import type { ReadOptions } from './read.ts';
import { display, kustomizationOf } from './sources.ts';
import { readYaml } from './yaml.ts';

/** Renders a folder with a kustomization through the user's kubectl, or kustomize where there is none. */
export async function renderKustomization(
  folder: string,
  { workspace, env, signal }: Pick<ReadOptions, 'workspace' | 'env' | 'signal'>,
): Promise<Manifest[]> {
  const kustomization = readKustomization(folder, workspace);
  const file = display(kustomizationOf(folder)!, workspace);
  const command = rendererOn(env, folder);
  if (command === undefined)
    throw new Failure(
      'A kustomization is rendered by kubectl or kustomize, and neither is on the PATH; install one, or give what it rendered.',
      { location: { file } },
    );
  try {
    const { stdout } = await run({ ...command, cwd: workspace, env, signal });
    return readYaml(stdout.toString('utf8'), `the rendered ${file}`).flatMap(({ value, locate }) =>
      isObject(value)
        ? objectsOf({ value, locate: placesOf(value, kustomization) })
        : objectsOf({ value, locate }),
    );
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const said = error.stderr
      .trim()
      .replace(/^error: /i, '')
      .replaceAll(/\s*\n\s*/g, ' ');
    throw new Failure(`The kustomization does not render: ${said}`, {
      location: placeIn(said, kustomization) ?? { file },
      cause: error,
    });
  }
}

/** The entry of a kustomization that a message of its renderer is about. */
function placeIn(message: string, { entries }: Kustomization): Location | undefined {
  const named = entries.filter(({ text }) => {
    const name = text.replace(/^(?:\.{1,2}\/)+/, '');
    return /\w/.test(name) && message.includes(name);
  });
  return named.toSorted((a, b) => b.text.length - a.text.length)[0]?.location;
}

/**
 * Folders of a tree that were found to hold a kustomization each: where one is made of another, what is meant is for the user to
 * say, since together they declare everything twice.
 */
export function refuseBases(folders: readonly string[], workspace: string): void {
  const inside = folders.map((folder) => ({
    folder,
    parts: readKustomization(folder, workspace).folders.slice(1),
  }));
  for (const { folder, parts } of inside) {
    const base = parts.find((part) => folders.includes(part));
    if (base === undefined) continue;
    const tops = folders.filter((one) => !inside.some(({ parts }) => parts.includes(one)));
    throw new Failure(
      `The kustomization ${display(folder, workspace)} is made of ${display(base, workspace)}, so both cannot be rolled out; name the one that is meant${tops.length === 0 ? '' : `: ${tops.map((top) => display(top, workspace)).join(' or ')}`}.`,
    );
  }
}

function rendererOn(env: ReadOptions['env'], folder: string): Pick<Command, 'program' | 'args'> | undefined {
  const kubectl = onPath('kubectl', env);
  if (kubectl !== undefined) return { program: kubectl, args: ['kustomize', folder] };
  const kustomize = onPath('kustomize', env);
  return kustomize === undefined ? undefined : { program: kustomize, args: ['build', folder] };
}

const isObject = (value: unknown): value is KubeObject =>
  isRecord(value) &&
  typeof value.kind === 'string' &&
  typeof value.apiVersion === 'string' &&
  isRecord(value.metadata) &&
  typeof value.metadata.name === 'string';

function onPath(name: string, env: ReadOptions['env']): string | undefined {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return (env.PATH ?? env.Path ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name + suffix))
    .find((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat?.isFile() === true && (suffix !== '' || (stat.mode & 0o111) !== 0);
    });
}
