import { parseArgs } from 'node:util';
import { type ActionDefinition, didYouMean, Failure, type InputDefinition } from '../shared/host/index.ts';

/** The flags that every command has, beside the inputs of its action. */
export const COMMON_FLAGS = {
  help: { short: 'h', description: 'Show this help.' },
  json: {
    short: undefined,
    description: 'Print the outputs as one JSON object; progress goes to standard error.',
  },
  verbose: { short: 'v', description: 'Print every line of detail.' },
  quiet: { short: 'q', description: 'Print warnings and errors only.' },
} as const;

export interface Arguments {
  /** Inputs as text, by name: a list that was given several times has one value a line. */
  readonly inputs: ReadonlyMap<string, string>;
  readonly flags: ReadonlySet<keyof typeof COMMON_FLAGS>;
}

/** A secret on a command line is seen by everyone on the machine: this variable is read for it too. */
export const secretVariable = (input: string): string =>
  `SLIPWAY_${input.toUpperCase().replaceAll('-', '_')}`;

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/**
 * Reads the words after `slipway <action>`. `--name value` and `--name=value` give an input, `--name` and `--no-name` a flag. A
 * word without a flag is the value of the `positional` input. Throws a Failure for what is not known or has no value.
 */
export function readArguments(
  args: readonly string[],
  definition: ActionDefinition,
  positional?: string,
): Arguments {
  const inputs = new Map<string, string>();
  const flags = new Set<keyof typeof COMMON_FLAGS>();
  for (const token of tokensOf(args, definition)) {
    if (token.kind === 'option-terminator') continue;
    if (token.kind === 'positional') setPositional(token.value, definition, positional, inputs);
    else if (isCommonFlag(token.name, definition)) flags.add(token.name);
    else setInput(token, definition, inputs);
  }
  return { inputs, flags };
}

function tokensOf(args: readonly string[], definition: ActionDefinition): readonly Token[] {
  const common = Object.entries(COMMON_FLAGS).map(([name, { short }]) => [
    name,
    { type: 'boolean', ...(short === undefined ? {} : { short }) },
  ]);
  const own = Object.entries(definition.inputs).map(([name, one]) => [
    name,
    { type: one.kind === 'flag' ? 'boolean' : 'string' },
  ]);
  // Not strict: its own errors do not know what is nearest, and a value such as "-s -w" may start with a dash.
  return parseArgs({
    args: [...args],
    options: Object.fromEntries([...common, ...own]),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

const isCommonFlag = (name: string, definition: ActionDefinition): name is keyof typeof COMMON_FLAGS =>
  Object.hasOwn(COMMON_FLAGS, name) && !Object.hasOwn(definition.inputs, name);

/** Own names only: "constructor" is no input. */
const inputNamed = (name: string, { inputs }: ActionDefinition): InputDefinition | undefined =>
  Object.hasOwn(inputs, name) ? inputs[name] : undefined;

function setInput(token: OptionToken, definition: ActionDefinition, inputs: Map<string, string>): void {
  const negated = token.name.startsWith('no-') ? inputNamed(token.name.slice(3), definition) : undefined;
  const input = inputNamed(token.name, definition);
  if (input !== undefined) add(inputs, token.name, input, givenValue(token, input, definition));
  else if (negated?.kind === 'flag' && token.value === undefined) inputs.set(token.name.slice(3), 'false');
  else throw unknownFlag(token, definition);
}

function add(inputs: Map<string, string>, name: string, input: InputDefinition, value: string): void {
  const earlier = input.kind === 'list' ? inputs.get(name) : undefined;
  inputs.set(name, earlier === undefined ? value : `${earlier}\n${value}`);
}

function givenValue(token: OptionToken, input: InputDefinition, definition: ActionDefinition): string {
  if (token.value !== undefined && !swallowedFlag(token, definition)) return token.value;
  if (input.kind === 'flag') return 'true';
  throw new Failure(`"--${token.name}" needs a value: ${input.description}`);
}

/** `--push --plan`: the second is a flag of its own, not the value of the first. `--push=--plan` says what it means. */
function swallowedFlag(token: OptionToken, definition: ActionDefinition): boolean {
  const name = /^--(?:no-)?([^=]+)/.exec(token.inlineValue ? '' : (token.value ?? ''))?.[1];
  return name !== undefined && (Object.hasOwn(definition.inputs, name) || Object.hasOwn(COMMON_FLAGS, name));
}

function setPositional(
  value: string,
  definition: ActionDefinition,
  positional: string | undefined,
  inputs: Map<string, string>,
): void {
  if (positional === undefined)
    throw new Failure(
      `"${value}" stands alone, and "slipway ${definition.name}" takes no such word; inputs are given as --<input> <value>.`,
    );
  const given = inputs.get(positional);
  if (given !== undefined)
    throw new Failure(`"${value}" is one ${positional} too many; "${given}" was given already.`);
  inputs.set(positional, value);
}

function unknownFlag(token: OptionToken, definition: ActionDefinition): Failure {
  const known = [...Object.keys(definition.inputs), ...Object.keys(COMMON_FLAGS)].map((name) => `--${name}`);
  return new Failure(
    `"${token.rawName}" is not a flag of "slipway ${definition.name}".${didYouMean(token.rawName, known)} ` +
      `All flags: slipway ${definition.name} --help`,
  );
}
