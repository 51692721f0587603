import { createPaint, harmless, type Paint, pad, truncate, widthOf, wrap } from '../host/index.ts';
import { type Block, type Column, type Inline, spansOf } from './block.ts';
import { toBars } from './timeline.ts';

/** The terminal that a text is made for. */
export interface TerminalFormat {
  /** Columns that a line may take. */
  readonly width: number;
  readonly color: boolean;
}

/** The blocks as readable text: aligned tables, wrapped lines, nothing that could change the terminal. */
export function toTerminal(blocks: readonly Block[], format: TerminalFormat): string {
  const lines = render(blocks, format.width, createPaint(format.color));
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function render(blocks: readonly Block[], width: number, paint: Paint): string[] {
  return blocks.flatMap((one, index) => {
    const lines = block(one, width, paint);
    const follows = index > 0 && !(blocks[index - 1]!.kind === 'heading' && one.kind === 'text');
    return follows && lines.length > 0 ? ['', ...lines] : lines;
  });
}

function block(one: Block, width: number, paint: Paint): string[] {
  switch (one.kind) {
    case 'heading':
      return wrap(plain(one.text), width).map((line) => paint('bold', line));
    case 'text':
      return plain(one.text)
        .split('\n')
        .flatMap((line) => wrap(line, width));
    case 'table':
      return tableLines(one.columns, one.rows, width, paint);
    case 'list':
      return one.items.flatMap((item, index) =>
        listItem(plain(item), one.ordered ? `${index + 1}.` : '•', width),
      );
    case 'code':
      return harmless(one.text.replace(/\n$/, ''))
        .split('\n')
        .map((line) => `  ${line}`.trimEnd());
    case 'details':
      return [
        paint('bold', plain(one.title)),
        ...render(one.blocks, width - 2, paint).map((line) => `  ${line}`.trimEnd()),
      ];
    case 'timeline':
      return toBars(one, width, paint);
  }
}

const plain = (inline: Inline) =>
  harmless(
    spansOf(inline)
      .map((span) => (typeof span === 'string' ? span : span.text))
      .join('')
      .replaceAll('\r\n', '\n'),
  );

function listItem(text: string, mark: string, width: number): string[] {
  const indent = mark.length + 1;
  const lines = text.split('\n').flatMap((line) => wrap(line, width - indent));
  return lines.map((line, index) => `${index === 0 ? mark : ' '.repeat(mark.length)} ${line}`);
}

const GAP = '  ';
const NARROWEST = 8;

function tableLines(
  columns: readonly Column[],
  rows: readonly (readonly Inline[])[],
  width: number,
  paint: Paint,
): string[] {
  const head = columns.map(({ title }) => harmless(title));
  const cells = rows.map((row) => columns.map((_, index) => plain(row[index] ?? '')));
  const natural = head.map((title, index) =>
    Math.max(widthOf(title), ...cells.flatMap((row) => row[index]!.split('\n').map(widthOf))),
  );
  const widths = shrink(natural, width - GAP.length * (columns.length - 1));
  const aligned = (texts: readonly string[]) =>
    texts
      .map((text, index) => align(truncate(text, widths[index]!), widths[index]!, columns[index]!.align))
      .join(GAP)
      .trimEnd();
  return [
    paint('bold', aligned(head)),
    paint('dim', widths.map((one) => '─'.repeat(one)).join(GAP)),
    ...cells.flatMap((row) => rowLines(row, widths).map(aligned)),
  ];
}

/** Takes columns from the widest until the table fits; a narrow terminal gets a table that is too wide rather than none. */
function shrink(natural: readonly number[], room: number): number[] {
  const widths = [...natural];
  for (let excess = widths.reduce((sum, one) => sum + one, 0) - room; excess > 0; excess--) {
    const widest = widths.indexOf(Math.max(...widths));
    if (widths[widest]! <= NARROWEST) break;
    widths[widest]!--;
  }
  return widths;
}

function rowLines(row: readonly string[], widths: readonly number[]): string[][] {
  const wrapped = row.map((cell, index) => cell.split('\n').flatMap((line) => wrap(line, widths[index]!)));
  const height = Math.max(1, ...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => wrapped.map((lines) => lines[line] ?? ''));
}

function align(text: string, width: number, side: Column['align']): string {
  if (side === 'right') return pad(text, width, 'end');
  if (side === 'center')
    return pad(pad(text, widthOf(text) + Math.floor((width - widthOf(text)) / 2), 'end'), width);
  return pad(text, width);
}
