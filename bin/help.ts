import {
  type ActionDefinition,
  type InputDefinition,
  type Paint,
  pad,
  widthOf,
  wrap,
} from '../shared/host/index.ts';
import { COMMON_FLAGS, secretVariable } from './arguments.ts';

interface Format {
  readonly width: number;
  readonly paint: Paint;
}

/** A command as the overview lists it. */
export interface Command {
  readonly name: string;
  readonly description: string;
}

/** What `slipway` alone prints. */
export function overview(commands: readonly Command[], version: string, format: Format): string {
  const { paint } = format;
  const rows = commands.map(({ name, description }) => ({ left: name, text: description }));
  return [
    `${paint('bold', 'Slipway')} ${version}: from a Go service's commit to verified production traffic`,
    section('Usage', ['  slipway <command> [--<input> <value>]…'], format),
    section('Commands', columns(rows, format), format),
    section(
      'Start with',
      ['  slipway up examples/storefront', '  slipway <command> --help', '  slipway --version'],
      format,
    ),
    '',
  ].join('\n');
}

/** The help of one action: all of it comes from the action's own definition. */
export function actionHelp(
  definition: ActionDefinition,
  positional: string | undefined,
  format: Format,
): string {
  const word = positional === undefined ? '' : ` [${positional}]`;
  const inputs = Object.entries(definition.inputs).map(([name, input]) => inputRow(name, input));
  const flags = Object.entries(COMMON_FLAGS).map(([name, { short, description }]) => ({
    left: `--${name}${short === undefined ? '' : `, -${short}`}`,
    text: description,
  }));
  const outputs = Object.entries(definition.outputs).map(([left, text]) => ({ left, text }));
  return [
    `${format.paint('bold', `slipway ${definition.name}`)}: ${definition.title}`,
    '',
    ...wrap(definition.description, format.width),
    section('Usage', [`  slipway ${definition.name}${word} [--<input> <value>]…`], format),
    section('Inputs', columns(inputs, format), format),
    section('Flags', columns(flags, format), format),
    ...(outputs.length === 0 ? [] : [section('Outputs', columns(outputs, format), format)]),
    '',
  ].join('\n');
}

interface Row {
  readonly left: string;
  readonly text: string;
  readonly hint?: string;
}

const VALUES: Readonly<Record<InputDefinition['kind'], string>> = {
  text: ' <text>',
  secret: ' <secret>',
  list: ' <value>…',
  number: ' <number>',
  size: ' <size>',
  duration: ' <time>',
  choice: ' <choice>',
  flag: '',
};

function inputRow(name: string, input: InputDefinition): Row {
  const hints = [
    input.required ? 'required' : '',
    input.choices === undefined ? '' : `one of ${input.choices.join(', ')}`,
    input.kind === 'list' ? 'repeatable' : '',
    input.default === '' || input.default.includes('${{')
      ? ''
      : `default: ${input.default.split('\n').join(', ')}`,
    input.kind === 'secret' ? `also from ${secretVariable(name)}` : '',
    input.kind === 'flag' && input.default === 'true' ? `off: --no-${name}` : '',
  ];
  return {
    left: `--${name}${VALUES[input.kind]}`,
    text: input.description,
    hint: hints.filter(Boolean).join('; '),
  };
}

const section = (title: string, lines: readonly string[], { paint }: Format) =>
  ['', paint('bold', title), ...lines].join('\n');

const WIDEST_LEFT = 30;

/** Two columns; what is too wide for the first has it for itself, and the text starts on the next line. */
function columns(rows: readonly Row[], { width, paint }: Format): string[] {
  const left = Math.min(WIDEST_LEFT, Math.max(...rows.map((row) => widthOf(row.left))));
  const indent = ' '.repeat(left + 4);
  return rows.flatMap((row) => {
    const room = Math.max(24, width - left - 4);
    const text = [
      ...wrap(row.text, room),
      ...(row.hint ? wrap(row.hint, room).map((line) => paint('dim', line)) : []),
    ];
    const head = `  ${paint('cyan', pad(row.left, left))}`;
    const [first = '', ...rest] = text;
    const start = widthOf(row.left) > left ? [head, `${indent}${first}`] : [`${head}  ${first}`];
    return [...start, ...rest.map((line) => indent + line)];
  });
}
