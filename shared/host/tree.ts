import { formatDuration } from './format.ts';
import type { Paint } from './paint.ts';
import { harmless, pad, truncate, widthOf } from './text-width.ts';
import type { Work } from './work.ts';

export interface TreeOptions {
  readonly now: number;
  /** Columns of the terminal. */
  readonly width: number;
  readonly paint: Paint;
  /** Counts the redraws; turns the spinner. */
  readonly frame: number;
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** Beyond this a line is harder to follow to its time than it is worth. */
const WIDEST = 96;
/** Titles of at most this width keep the notes of all trees in one column. */
const NARROWEST_TITLE = 28;
const WIDEST_TITLE = 44;
/** Lines of a failed task's log that are shown: the last ones, where a compiler or builder says what it died of. */
const SHOWN_LOG = 40;

/** A task and those inside it as the lines of a tree: state, title, note, time. A failed one shows the end of its log. */
export function renderTree(work: Work, options: TreeOptions): string[] {
  const column = Math.min(WIDEST_TITLE, Math.max(NARROWEST_TITLE, widestLeft(work)));
  return branch(work, column, options);
}

function branch(work: Work, column: number, options: TreeOptions): string[] {
  const children = work.items.filter((item) => typeof item !== 'string');
  return [
    taskLine(work, column, options),
    ...children.flatMap((child) => branch(child, column, options)),
    ...(work.state === 'failed' ? failedLog(work, options) : []),
  ];
}

const indent = (work: Work) => '  '.repeat(work.depth);
const left = (work: Work) => `${indent(work)}· ${harmless(work.title)}`;

function widestLeft(work: Work): number {
  const inner = work.items.map((item) => (typeof item === 'string' ? 0 : widestLeft(item)));
  return Math.max(widthOf(left(work)), ...inner);
}

function taskLine(work: Work, column: number, options: TreeOptions): string {
  const { now, width, paint } = options;
  const time = formatDuration((work.state === 'running' ? now : work.ended) - work.started);
  const room = Math.min(width - 1, WIDEST) - widthOf(time) - 2;
  const title = pad(truncate(left(work), room), Math.min(column, room));
  const noteRoom = room - widthOf(title) - 2;
  const note = noteRoom < 8 ? '' : truncate(noteOf(work), noteRoom);
  const space = ' '.repeat(Math.max(0, room - widthOf(title) - widthOf(note)));
  const painted = title.replace('·', () => symbol(work, options));
  return `${painted}  ${paint('dim', note)}${space}${paint('dim', time)}`;
}

function symbol(work: Work, { paint, frame }: TreeOptions): string {
  if (work.state === 'done') return paint('green', '✓');
  if (work.state === 'failed') return paint('red', '✗');
  return paint('cyan', SPINNER[frame % SPINNER.length]!);
}

const isText = (item: string | Work): item is string => typeof item === 'string' && item.trim() !== '';

/** What a task says of itself, or while it runs the last line that it printed. */
function noteOf(work: Work): string {
  if (work.note !== '') return harmless(work.note);
  const last = work.state === 'running' ? work.items.findLast(isText) : '';
  return harmless(last ?? '').trim();
}

function failedLog(work: Work, { paint }: TreeOptions): string[] {
  const lines = work.items.filter((item) => typeof item === 'string');
  const hidden = Math.max(0, lines.length - SHOWN_LOG);
  const bar = `${'  '.repeat(work.depth + 1)}${paint('red', '│')} `;
  return [
    ...(hidden === 0 ? [] : [`${bar}${paint('dim', `… ${hidden} earlier lines; --verbose shows all`)}`]),
    ...lines.slice(hidden).map((line) => bar + harmless(line)),
  ];
}
