import {
  type ActionEntry,
  createPaint,
  didYouMean,
  EXIT_CODES,
  Failure,
  runInTerminal,
  type Screen,
  wantsColor,
} from '../shared/host/index.ts';
import { type Arguments, readArguments, secretVariable } from './arguments.ts';
import { actionHelp, overview } from './help.ts';

/** What a command line runs on. */
export interface Surroundings {
  readonly actions: Readonly<Record<string, ActionEntry>>;
  readonly version: () => string;
  readonly stdout: Screen;
  readonly stderr: Screen;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Runs one command line, without its first word, and returns the exit code: 0, 1 failed, 2 not understood, 130 cancelled. */
export async function runCommand(args: readonly string[], around: Surroundings): Promise<number> {
  try {
    return await dispatch(args, around);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const paint = createPaint(wantsColor(around.stderr, around.env));
    around.stderr.write(`${paint(['bold', 'red'], 'error:')} ${error.message}\n`);
    return EXIT_CODES.misused;
  }
}

async function dispatch(args: readonly string[], around: Surroundings): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === '--help' || name === '-h')
    return print(await overviewOf(around), around);
  if (name === '--version' || name === '-V') return print(`slipway ${around.version()}\n`, around);
  if (name === 'help')
    return rest[0] === undefined ? dispatch([], around) : dispatch([rest[0], '--help'], around);
  const entry = find(name, around);
  const definition = await entry.definition();
  const given = readArguments(rest, definition, entry.positional);
  if (given.flags.has('help'))
    return print(actionHelp(definition, entry.positional, formatOf(around)), around);
  return runInTerminal(definition, await entry.module(), {
    inputs: withSecrets(given.inputs, definition.inputs, around.env),
    detail: detailOf(given),
    json: given.flags.has('json'),
    stdout: around.stdout,
    stderr: around.stderr,
    env: around.env,
  });
}

function find(name: string, { actions }: Surroundings): ActionEntry {
  // Own names only: "constructor" is no command.
  const entry = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (entry !== undefined) return entry;
  const names = Object.keys(actions);
  throw new Failure(
    name.startsWith('-')
      ? `"${name}" comes before a command; a command line is: slipway <command> [--<input> <value>]…`
      : `"${name}" is not a command; commands are ${names.join(', ')}.${didYouMean(name, names)}`,
  );
}

function detailOf({ flags }: Arguments): 'normal' | 'verbose' | 'quiet' {
  if (flags.has('verbose') && flags.has('quiet'))
    throw new Failure('"--verbose" and "--quiet" exclude each other.');
  return flags.has('verbose') ? 'verbose' : flags.has('quiet') ? 'quiet' : 'normal';
}

/** The inputs with the secrets that the environment has, such as SLIPWAY_GITHUB_TOKEN for `--github-token`. */
function withSecrets(
  inputs: ReadonlyMap<string, string>,
  definitions: Readonly<Record<string, { readonly kind: string }>>,
  env: Surroundings['env'],
): ReadonlyMap<string, string> {
  const all = new Map(inputs);
  for (const [name, { kind }] of Object.entries(definitions)) {
    const value = env[secretVariable(name)];
    if (kind === 'secret' && value !== undefined && !all.has(name)) all.set(name, value);
  }
  return all;
}

async function overviewOf(around: Surroundings): Promise<string> {
  const commands = Object.entries(around.actions).map(async ([name, entry]) => ({
    name,
    description: (await entry.definition()).description,
  }));
  return overview(await Promise.all(commands), around.version(), formatOf(around));
}

const formatOf = ({ stdout, env }: Surroundings) => ({
  width: Math.min(stdout.columns || 96, 110),
  paint: createPaint(wantsColor(stdout, env)),
});

function print(text: string, { stdout }: Surroundings): number {
  stdout.write(text);
  return 0;
}
