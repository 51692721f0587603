import { describe, expect, it } from 'vitest';
import { runCommand } from '../../../bin/command.ts';
import { type ActionEntry, defineAction, input } from '../../../shared/host/index.ts';
import { FakePipe } from '../host/screen.ts';

const greet = defineAction({
  name: 'greet',
  title: 'Greet someone',
  description: 'Greets, politely or not.',
  icon: 'box',
  color: 'blue',
  inputs: {
    name: input.text({
      description: 'Whom to greet; a name of any length that one can think of.',
      default: 'world',
    }),
    tone: input.choice(['polite', 'short'], { description: 'How to greet.', default: 'polite' }),
    twice: input.flag({ description: 'Say it twice.' }),
    loud: input.flag({ description: 'Say it loud.', default: 'true' }),
    also: input.list({ description: 'Others to greet.' }),
    key: input.required({ description: 'A key.' }),
    'api-token': input.secret({ description: 'A token.' }),
  },
  outputs: { greeting: 'What was said.' },
});

const seen: Record<string, unknown>[] = [];
const entry: ActionEntry = {
  definition: async () => greet,
  module: async () => ({
    main: async (host, inputs) => {
      seen.push(inputs);
      host.output('greeting', `Hello ${inputs.name}`);
    },
  }),
  positional: 'name',
};

async function slipway(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [stdout, stderr] = [new FakePipe(), new FakePipe()];
  const code = await runCommand(args, {
    actions: { greet: entry, wave: entry },
    version: () => '1.2.3',
    stdout,
    stderr,
    env,
  });
  return { code, out: stdout.text, err: stderr.text };
}

describe('slipway', () => {
  it.each([[[]], [['--help']], [['-h']], [['help']]])('%j lists the commands', async (args) => {
    const { code, out } = await slipway(args);
    expect(code).toBe(0);
    expect(out).toMatch(/^Slipway 1\.2\.3: /);
    expect(out).toContain('\nCommands\n  greet  Greets, politely or not.\n  wave   Greets');
  });

  it.each([['--version'], ['-V']])('%s prints the version', async (flag) =>
    expect(await slipway([flag])).toEqual({ code: 0, out: 'slipway 1.2.3\n', err: '' }),
  );

  it('runs an action with its inputs and shows its outputs', async () => {
    const { code, out } = await slipway([
      'greet',
      'you',
      '--key',
      'k',
      '--no-loud',
      '--also',
      'a',
      '--also',
      'b',
    ]);
    expect(seen.at(-1)).toMatchObject({ name: 'you', loud: false, also: ['a', 'b'], tone: 'polite' });
    expect({ code, out }).toEqual({ code: 0, out: '\nOutputs\n  greeting  Hello you\n' });
  });

  it('prints the outputs alone with --json', async () => {
    const { out } = await slipway(['greet', '--json', '--key=k']);
    expect(JSON.parse(out)).toEqual({ greeting: 'Hello world' });
  });

  it('takes a secret from the environment, so that it is not on the command line', async () => {
    const args = ['greet', '--key', 'k'];
    await slipway(args, { SLIPWAY_API_TOKEN: 'from-env', SLIPWAY_NAME: 'ignored' });
    expect(seen.at(-1)).toMatchObject({ 'api-token': 'from-env', name: 'world' });
    await slipway([...args, '--api-token', 'given'], { SLIPWAY_API_TOKEN: 'from-env' });
    expect(seen.at(-1)).toMatchObject({ 'api-token': 'given' });
  });

  it.each([
    [['gret'], 'error: "gret" is not a command; commands are greet, wave. Did you mean "greet"?\n'],
    [['constructor'], 'error: "constructor" is not a command; commands are greet, wave.\n'],
    [
      ['--json', 'greet'],
      'error: "--json" comes before a command; a command line is: slipway <command> [--<input> <value>]…\n',
    ],
    [
      ['greet', '--nam', 'x'],
      'error: "--nam" is not a flag of "slipway greet". Did you mean "--name"? All flags: slipway greet --help\n',
    ],
    [['greet', '-v', '-q'], 'error: "--verbose" and "--quiet" exclude each other.\n'],
  ])('%j is one sentence and exit code 2', async (args, err) => {
    expect(await slipway(args)).toEqual({ code: 2, out: '', err });
  });

  it.each([
    [['greet'], 'Input "key" is required: A key.'],
    [['greet', '--key', 'k', '--tone', 'rude'], 'Input "tone" is "rude"; accepted are polite, short.'],
  ])('%j is a wrong input and exit code 2', async (args, message) => {
    const { code, out, err } = await slipway(args);
    expect({ code, text: out + err }).toEqual({ code: 2, text: `error: ${message}\n` });
  });
});

describe('slipway greet --help', () => {
  it('comes from the definition', async () => {
    const { out, code } = await slipway(['greet', '--help']);
    expect(code).toBe(0);
    expect(out).toBe(`slipway greet: Greet someone

Greets, politely or not.

Usage
  slipway greet [name] [--<input> <value>]…

Inputs
  --name <text>         Whom to greet; a name of any length that one can think of.
                        default: world
  --tone <choice>       How to greet.
                        one of polite, short; default: polite
  --twice               Say it twice.
  --loud                Say it loud.
                        default: true; off: --no-loud
  --also <value>…       Others to greet.
                        repeatable
  --key <text>          A key.
                        required
  --api-token <secret>  A token.
                        also from SLIPWAY_API_TOKEN

Flags
  --help, -h     Show this help.
  --json         Print the outputs as one JSON object; progress goes to standard error.
  --verbose, -v  Print every line of detail.
  --quiet, -q    Print warnings and errors only.

Outputs
  greeting  What was said.
`);
  });

  it('is the same as help greet', async () => {
    expect(await slipway(['help', 'greet'])).toEqual(await slipway(['greet', '-h']));
  });

  it('fits a narrow terminal', async () => {
    const stdout = Object.assign(new FakePipe(), { columns: 50 });
    await runCommand(['greet', '--help'], {
      actions: { greet: entry },
      version: () => '1',
      stdout,
      stderr: stdout,
      env: {},
    });
    expect(Math.max(...stdout.text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(50);
  });
});
