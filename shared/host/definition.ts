import { didYouMean, Failure } from './failure.ts';

/** How one input is read. `parse` gets trimmed, non-empty text and throws a sentence that completes `Input "x" …`. */
interface InputKind<T> {
  readonly kind: 'text' | 'flag' | 'list' | 'number' | 'choice' | 'secret' | 'size' | 'duration';
  readonly parse: (text: string) => T;
  readonly empty: T;
  readonly choices?: readonly string[];
}

/** One input of an action: what people read of it and how its text becomes a value. Made by `input`. */
export interface InputDefinition<T = unknown> extends InputKind<T> {
  readonly description: string;
  readonly default: string;
  readonly required: boolean;
}

interface Common {
  readonly description: string;
  readonly default?: string;
}

function define<T>(kind: InputKind<T>, common: Common, required = false): InputDefinition<T> {
  return { ...kind, description: common.description, default: common.default ?? '', required };
}

const lines = (text: string) =>
  text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));

/** The kinds of inputs. An input that was not given and has no default reads as `''`, `false`, `[]` or `undefined`. */
export const input = {
  text: (common: Common) => define<string>({ kind: 'text', parse: (text) => text, empty: '' }, common),
  required: (common: Common) =>
    define<string>({ kind: 'text', parse: (text) => text, empty: '' }, common, true),
  /** A text that is masked in all output. */
  secret: (common: Common) => define<string>({ kind: 'secret', parse: (text) => text, empty: '' }, common),
  flag: (common: Common) => define<boolean>({ kind: 'flag', parse: parseFlag, empty: false }, common),
  /** One value a line; blank lines and lines that start with `#` are skipped. */
  lines: (common: Common) => define<readonly string[]>({ kind: 'list', parse: lines, empty: [] }, common),
  /** Values separated by commas or line ends. */
  list: (common: Common) =>
    define<readonly string[]>(
      {
        kind: 'list',
        parse: (text) =>
          lines(text).flatMap((line) =>
            line
              .split(',')
              .map((part) => part.trim())
              .filter(Boolean),
          ),
        empty: [],
      },
      common,
    ),
  number: (common: Common) =>
    define<number | undefined>({ kind: 'number', parse: parseNumber, empty: undefined }, common),
  /** A size in bytes: `500`, `20 MB`, `1.5 GiB`. */
  size: (common: Common) =>
    define<number | undefined>({ kind: 'size', parse: parseSize, empty: undefined }, common),
  /** A time in milliseconds: `90s`, `10m`, `1h30m`, `500ms`. */
  duration: (common: Common) =>
    define<number | undefined>({ kind: 'duration', parse: parseDuration, empty: undefined }, common),
  choice: <const C extends readonly string[]>(choices: C, common: Common & { readonly default: C[number] }) =>
    define<C[number]>(
      {
        kind: 'choice',
        choices,
        parse: (text) => parseChoice(text, choices) as C[number],
        empty: common.default as C[number],
      },
      common,
    ),
};

/** The one definition of an action. action.yml, the tables in its README, its flags and its typed inputs all come from it. */
export interface ActionDefinition<
  I extends Record<string, InputDefinition> = Record<string, InputDefinition>,
> {
  /** Name of its folder and of its command, such as `go-build`. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly icon: string;
  readonly color: 'white' | 'black' | 'yellow' | 'blue' | 'green' | 'orange' | 'red' | 'purple' | 'gray-dark';
  readonly inputs: I;
  readonly outputs: Readonly<Record<string, string>>;
  /** The action has a post step (actions/<name>/post.ts), which runs also when a later step failed. */
  readonly post?: boolean;
}

/** The values of an action's inputs, as `readInputs` gives them to its main and post functions. */
export type Inputs<D extends ActionDefinition> = {
  readonly [K in keyof D['inputs']]: D['inputs'][K] extends InputDefinition<infer T> ? T : never;
};

/** Returns the definition as it is, with the exact types of its inputs. */
export function defineAction<const I extends Record<string, InputDefinition>>(
  definition: ActionDefinition<I>,
): ActionDefinition<I> {
  return definition;
}

/** Reads every input once, in the order of the definition. The first wrong one is a Failure that names it. */
export function readInputs<D extends ActionDefinition>(
  definition: D,
  raw: (name: string) => string | undefined,
): Inputs<D> {
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(definition.inputs)) values[name] = readInput(name, one, raw(name));
  return values as Inputs<D>;
}

/**
 * Reads one input; `given` may be undefined or blank, which means its default. A default that is an expression, such as
 * `${{ github.token }}`, has a value on a GitHub runner only, which hands it over as given; elsewhere it reads as empty.
 */
export function readInput<T>(name: string, definition: InputDefinition<T>, given: string | undefined): T {
  const text = (given ?? '').trim() || (definition.default.includes('${{') ? '' : definition.default);
  if (text === '') {
    if (definition.required) throw new Failure(`Input "${name}" is required: ${definition.description}`);
    return definition.empty;
  }
  try {
    return definition.parse(text);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(`Input "${name}" ${error.message}`, { cause: error });
  }
}

// The YAML 1.2 core schema, which @actions/core accepts too, and the on/off that people type in a terminal.
function parseFlag(text: string): boolean {
  if (/^(true|yes|on|1)$/i.test(text)) return true;
  if (/^(false|no|off|0)$/i.test(text)) return false;
  throw new Failure(`is "${text}"; accepted are true and false.`);
}

function parseNumber(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text))
    throw new Failure(`is "${text}"; accepted is a number that is not negative, such as 4.`);
  return Number(text);
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
};

function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = match === null ? undefined : UNITS[match[2]!.toLowerCase()];
  if (match === null || unit === undefined)
    throw new Failure(`is "${text}"; accepted is a size such as 500, 20 MB or 1.5 GiB.`);
  return Math.round(Number(match[1]) * unit);
}

const MILLISECONDS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86400e3 };

/** A time such as `90s` or `1h30m`, in milliseconds; a Failure completes the sentence that names where it was given. */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join('') !== text)
    throw new Failure(`is "${text}"; accepted is a time with its unit, such as 500ms, 90s, 10m or 1h30m.`);
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * MILLISECONDS[unit!]!, 0);
}

function parseChoice(text: string, choices: readonly string[]): string {
  const found = choices.find((choice) => choice === text.toLowerCase());
  if (found !== undefined) return found;
  throw new Failure(`is "${text}"; accepted are ${choices.join(', ')}.${didYouMean(text, choices)}`);
}
