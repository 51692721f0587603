import { attempt, EXIT_CODES, show } from './attempt.ts';
import { type ActionDefinition, type Inputs, readInputs } from './definition.ts';
import { createGithubHost } from './github.ts';
import type { Host } from './host.ts';

/**
 * What `actions/<name>/run.ts` exports. The same functions run in a workflow step and in a terminal:
 *
 *     actions/<name>/definition.ts   export const definition = defineAction({ … });
 *     actions/<name>/run.ts          export async function main(host: Host, inputs: Inputs<typeof definition>): Promise<void>
 *                                    export async function post(host: Host, inputs: Inputs<typeof definition>): Promise<void>
 *     actions/<name>/main.ts         await runAction(definition, main);
 *     actions/<name>/post.ts         await runPost(definition, post);
 *
 * `post` and post.ts are there only when the definition says `post: true`. In a terminal it runs right after `main`, in the same
 * process and also when `main` failed; what `main` kept with `host.saveState` is what it finds.
 */
export interface ActionModule<D extends ActionDefinition = ActionDefinition> {
  main(host: Host, inputs: Inputs<D>): Promise<void>;
  post?(host: Host, inputs: Inputs<D>): Promise<void>;
}

/** Reads the inputs, masks the secret ones, and calls `run` with them. The first wrong input is a Failure that names it. */
export async function perform<D extends ActionDefinition>(
  host: Host,
  definition: D,
  run: ActionModule<D>['main'],
): Promise<void> {
  // Before anything is parsed: an error message may quote what was given.
  for (const [name, input] of Object.entries(definition.inputs)) {
    const given = input.kind === 'secret' ? host.input(name) : undefined;
    if (given !== undefined) host.secret(given);
  }
  await run(host, readInputs(definition, host.input));
}

/**
 * The whole of an action's main.ts: runs `main` on a GitHub runner and ends the process. Exit codes: 0; 1 when it failed, after
 * one annotation that says why; 130 when it was cancelled.
 */
export async function runAction<D extends ActionDefinition>(
  definition: D,
  main: ActionModule<D>['main'],
): Promise<never> {
  return runOnGithub((host) => perform(host, definition, main));
}

/** The whole of an action's post.ts: the same for its post step, which the runner starts also when a later step failed. */
export async function runPost<D extends ActionDefinition>(
  definition: D,
  post: NonNullable<ActionModule<D>['post']>,
): Promise<never> {
  return runOnGithub((host) => perform(host, definition, post));
}

async function runOnGithub(work: (host: Host) => Promise<void>): Promise<never> {
  const host = await createGithubHost();
  const end = async (code: number) => {
    host.close();
    return exit(code);
  };
  // A rejection that nobody awaited would end the process with a bare stack and without what the log still holds back.
  process.on('uncaughtException', (error) => void end(EXIT_CODES[show(host, error)]));
  return end(EXIT_CODES[await attempt(host, () => work(host))]);
}

/** Ends the process when all that it printed is out. Open sockets and timers, such as kept connections, do not hold it. */
export async function exit(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  process.exit(code);
}
