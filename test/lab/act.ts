import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join } from 'node:path';
import { type Finished, run } from '../../shared/exec/index.ts';
import { labRoot } from './place.ts';
import type { Tool } from './tools.ts';

export interface WorkflowRun {
  /** The repository that holds the workflow; a git checkout. */
  readonly repository: string;
  /** Path of the workflow below it. */
  readonly workflow: string;
  readonly event?: 'push' | 'pull_request' | 'workflow_dispatch';
  /** From `owner/name@ref` to the folder that stands for it. */
  readonly actions?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Runs a workflow with act on this machine itself, in no container, with the Node of this process. act ends with 0 when every job
 * succeeded. What it prints is in `stdout`, each line with its job. Its artifact server is off: it has one fixed port for all runs.
 */
export async function runWorkflow(act: Tool, workflow: WorkflowRun): Promise<Finished> {
  const state = await mkdtemp(join(tmpdir(), 'slipway-act-'));
  const none = join(state, 'none');
  await writeFile(none, '');
  // Read as YAML, so that values may have several lines.
  const secrets = join(state, 'secrets.yml');
  await writeFile(secrets, JSON.stringify(workflow.secrets ?? {}), { mode: 0o600 });
  try {
    const finished = await run({
      program: act.program,
      // biome-ignore format: a flag with its value
      args: [
        workflow.event ?? 'push',
        '--directory', workflow.repository,
        '--workflows', join(workflow.repository, workflow.workflow),
        '--platform', 'ubuntu-latest=-self-hosted',
        '--action-offline-mode',
        '--secret-file', secrets, '--env-file', none, '--var-file', none, '--input-file', none,
        '--cache-server-addr', '127.0.0.1', '--cache-server-path', join(state, 'cache'),
        ...Object.entries(workflow.actions ?? {}).flatMap(([name, folder]) => ['--local-repository', `${name}=${folder}`]),
        ...Object.entries(workflow.variables ?? {}).flatMap(([name, value]) => ['--var', `${name}=${value}`]),
      ],
      env: {
        ...process.env,
        PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
        XDG_CACHE_HOME: join(state, 'xdg'),
        // Kept from run to run, for each workflow its own: go-build prunes it to what the workflow used.
        GOCACHE: join(labRoot, 'go-build', basename(workflow.repository)),
        // act looks for an engine even where it needs none.
        DOCKER_HOST: 'unix:///nonexistent.sock',
        ...workflow.env,
      },
      accept: [0, 1],
      timeout: 600_000,
    });
    // What act itself has to say, such as a port that is taken; the jobs write to the other stream.
    const fatal = finished.stderr.split('\n').find((line) => line.includes('level=fatal'));
    if (fatal !== undefined) throw new Error(fatal);
    return finished;
  } finally {
    await rm(state, { recursive: true, force: true, maxRetries: 3 });
  }
}
