import { attempt, type Ending, EXIT_CODES, show } from './attempt.ts';
import { type ActionDefinition, type Inputs, readInputs } from './definition.ts';
import { type ClosableHost, createGithubHost } from './github.ts';
import type { Host } from './host.ts';
import { createTerminalHost, type TerminalOptions } from './terminal.ts';
import { useAllCores } from './thread-pool.ts';

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

/** An action as the command line finds it. Everything is loaded when it is wanted: a command pays for itself alone. */
export interface ActionEntry {
  readonly definition: () => Promise<ActionDefinition>;
  readonly module: () => Promise<ActionModule>;
  /** The input that a word without a flag stands for. */
  readonly positional?: string;
}

/** Reads and masks the inputs of an action. The first wrong one is a Failure that names it. */
export function openInputs<D extends ActionDefinition>(host: Host, definition: D): Inputs<D> {
  // Before anything is parsed: an error message may quote what was given.
  for (const [name, input] of Object.entries(definition.inputs)) {
    const given = input.kind === 'secret' ? host.input(name) : undefined;
    if (given !== undefined) host.secret(given);
  }
  return readInputs(definition, host.input);
}

/** Tells the post step that `main` came past its inputs: without that there is nothing to clean up, and one error is enough. */
const STARTED = 'slipway-started';

/**
 * The whole of an action's main.ts: runs `main` on a GitHub runner and ends the process. Exit codes: 0; 1 when it failed, after
 * one annotation that says why; 130 when it was cancelled.
 */
export async function runAction<D extends ActionDefinition>(
  definition: D,
  main: ActionModule<D>['main'],
): Promise<never> {
  return runOnGithub(async (host) => {
    const inputs = openInputs(host, definition);
    if (definition.post) host.saveState(STARTED, 'true');
    await main(host, inputs);
  });
}

/** The whole of an action's post.ts: the same for its post step, which the runner starts also when a later step failed. */
export async function runPost<D extends ActionDefinition>(
  definition: D,
  post: NonNullable<ActionModule<D>['post']>,
): Promise<never> {
  return runOnGithub(async (host) => {
    if (host.state(STARTED) === 'true') await post(host, openInputs(host, definition));
  });
}

async function runOnGithub(work: (host: Host) => Promise<void>): Promise<never> {
  useAllCores();
  outliveReader();
  const host = await createGithubHost();
  return exit(EXIT_CODES[await runToEnd(host, () => attempt(host, () => work(host)))]);
}

/**
 * Runs an action from a terminal: `main`, then its post step unless the run was cancelled. Returns the exit code: 0, 1 when it
 * failed, 2 when an input was wrong and nothing was started, 130 when it was cancelled.
 */
export async function runInTerminal<D extends ActionDefinition>(
  definition: D,
  module: ActionModule<D>,
  options: TerminalOptions,
): Promise<number> {
  const host = await createTerminalHost(options);
  return EXIT_CODES[await runToEnd(host, () => runSteps(host, definition, module))];
}

async function runSteps<D extends ActionDefinition>(
  host: Host,
  definition: D,
  { main, post }: ActionModule<D>,
): Promise<Ending> {
  let inputs: Inputs<D>;
  try {
    inputs = openInputs(host, definition);
  } catch (error) {
    const ending = show(host, error);
    return ending === 'failed' ? 'misused' : ending;
  }
  const ending = await attempt(host, () => main(host, inputs));
  if (post === undefined || ending === 'cancelled') return ending;
  const after = await attempt(host, () => post(host, inputs));
  return ending === 'done' ? after : ending;
}

async function runToEnd(host: ClosableHost, work: () => Promise<Ending>): Promise<Ending> {
  // A rejection that nobody awaited would end the process with a bare stack and without what the log still holds back.
  const onUncaught = (error: Error) => {
    // What goes wrong while this is told would be told for ever.
    process.off('uncaughtException', onUncaught);
    process.on('uncaughtException', () => process.exit(EXIT_CODES.fault));
    const ending = show(host, error);
    host.close(ending);
    void exit(EXIT_CODES[ending]);
  };
  process.on('uncaughtException', onUncaught);
  const ending = await work();
  process.off('uncaughtException', onUncaught);
  host.close(ending);
  return ending;
}

/**
 * Lets the run go on when nobody reads what it prints any more, as in `slipway up | head` or behind a runner that died: leaving then
 * would cut a push in two, let compilers run on alone and call it success.
 */
export function outliveReader(): void {
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
    });
}

/** Ends the process when all that it printed is out. Open sockets and timers, such as kept connections, do not hold it. */
export async function exit(code: number): Promise<never> {
  for (const stream of [process.stdout, process.stderr])
    await new Promise<void>((resolve) => stream.write('', () => resolve()));
  process.exit(code);
}
