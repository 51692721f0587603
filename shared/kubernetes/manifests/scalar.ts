/** A scalar that has no value in JSON. The message holds nothing of it that could be a secret. */
export class ScalarError extends Error {}

const WORDS: ReadonlyMap<string, boolean | null> = new Map([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((w) => [w, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map(
    (w) => [w, false] as const,
  ),
  ...['', '~', 'null', 'Null', 'NULL'].map((w) => [w, null] as const),
]);

const NOT_IN_JSON = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;
const INTEGER = /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/;

/** The scalar tags that change how text is read; others (`!foo`) leave it text, as kubectl does. */
const TAGS = ['str', 'binary', 'bool', 'int', 'float', 'null', 'timestamp'];

type Scalar = string | number | boolean | null;

/**
 * What a scalar is, as kubectl reads it: the rules are those of go-yaml 2 (YAML 1.1 with exceptions), which are neither those of
 * YAML 1.1 nor 1.2. `on`, `y` and `off` are booleans, `0755` and `1_000` are numbers, `12:30` and dates are text. Numbers that
 * JSON in JavaScript cannot carry exactly are refused rather than changed. Throws ScalarError.
 */
export function readScalar(text: string, plain: boolean, tag: string | undefined): Scalar {
  const wanted = shortTag(tag);
  if (wanted === undefined && (tag !== undefined || !plain)) return text;
  if (wanted === 'str') return text;
  if (wanted === 'binary') return decode(text);
  const value = readPlain(text);
  if (wanted === undefined || fits(value, wanted)) return value;
  throw new ScalarError(`The text after !!${wanted} is no ${wanted}`);
}

function shortTag(tag: string | undefined): string | undefined {
  const name = tag?.startsWith('tag:yaml.org,2002:') ? tag.slice('tag:yaml.org,2002:'.length) : undefined;
  return name !== undefined && TAGS.includes(name) ? name : undefined;
}

function fits(value: Scalar, wanted: string): boolean {
  switch (wanted) {
    case 'bool':
      return typeof value === 'boolean';
    case 'null':
      return value === null;
    case 'int':
      return Number.isInteger(value);
    case 'float':
      return typeof value === 'number';
    default:
      return typeof value === 'string';
  }
}

function readPlain(text: string): Scalar {
  const word = WORDS.get(text);
  if (word !== undefined) return word;
  if (NOT_IN_JSON.test(text))
    throw new ScalarError(`${text} has no place in JSON; put it in quotes to make it text`);
  return /^[-+.\d]/.test(text) ? readNumber(text) : text;
}

function readNumber(text: string): number | string {
  // Underscores may stand anywhere, but in a number that begins with a dot only between digits.
  const digits = text.replaceAll(text.startsWith('.') ? /(?<=\d)_(?=\d)/g : /_/g, '');
  const integer = INTEGER.exec(digits);
  if (integer !== null) return exact(integer);
  if (!FLOAT.test(digits)) return text;
  const value = Number(digits);
  // Past the range of a double it is text.
  return Number.isFinite(value) ? value + 0 : text;
}

function exact([, sign, hex, binary, octal, decimal]: RegExpExecArray): number {
  const magnitude =
    hex !== undefined
      ? BigInt(`0x${hex}`)
      : binary !== undefined
        ? BigInt(`0b${binary}`)
        : octal !== undefined
          ? BigInt(`0o${octal}`)
          : BigInt(decimal!);
  const value = sign === '-' ? -magnitude : magnitude;
  // Beyond 64 bits kubectl and the server read a double too.
  if (value >= 2n ** 63n || value < -(2n ** 63n)) return Number(value);
  if (value > BigInt(Number.MAX_SAFE_INTEGER) || value < BigInt(Number.MIN_SAFE_INTEGER))
    throw new ScalarError('This number is too large to be carried exactly; put it in quotes if it is text');
  return Number(value);
}

function decode(text: string): string {
  const compact = text.replaceAll(/\s/g, '');
  const bytes = Buffer.from(compact, 'base64');
  if (bytes.toString('base64') !== compact) throw new ScalarError('The text after !!binary is no Base64');
  return bytes.toString('utf8');
}
