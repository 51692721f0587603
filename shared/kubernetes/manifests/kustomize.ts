import { statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { ExecError, run } from '../../exec/index.ts';
import { Failure } from '../../host/index.ts';
import type { Manifest } from './manifest.ts';
import { objectsOf } from './objects.ts';
import type { ReadOptions } from './read.ts';
import { display, kustomizationOf } from './sources.ts';
import { readYaml } from './yaml.ts';

/** Renders a folder with a kustomization through the user's kubectl, or kustomize where there is none. */
export async function renderKustomization(
  folder: string,
  { workspace, env, signal }: Pick<ReadOptions, 'workspace' | 'env' | 'signal'>,
): Promise<Manifest[]> {
  const location = { file: display(kustomizationOf(folder)!, workspace), line: 1 };
  const command = [
    { program: onPath('kubectl', env), args: ['kustomize', folder] },
    { program: onPath('kustomize', env), args: ['build', folder] },
  ].find(({ program }) => program !== undefined);
  if (command === undefined)
    throw new Failure(
      'A kustomization is rendered by kubectl or kustomize, and neither is on the PATH; install one, or give what it rendered.',
      { location },
    );
  const { stdout } = await run({
    program: command.program!,
    args: command.args,
    cwd: workspace,
    env,
    signal,
  }).catch((error: unknown) => {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const said = error.stderr
      .trim()
      .replace(/^error: /i, '')
      .replaceAll(/\s*\n\s*/g, ' ');
    throw new Failure(`The kustomization does not render: ${said}`, { location, cause: error });
  });
  return readYaml(stdout.toString('utf8'), location.file).flatMap(({ value }) =>
    objectsOf({ value, locate: () => undefined }),
  );
}

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
