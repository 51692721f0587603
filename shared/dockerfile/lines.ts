import { Failure } from '../host/index.ts';
import { readDirective } from './directives.ts';
import { trimLeft, trimSpace } from './go-text.ts';
import { heredocsOf } from './heredoc.ts';
import type { Heredoc, Lines } from './model.ts';
import { parseJsonForm, splitCommand } from './words.ts';

/** An instruction with its continuation lines joined and its heredocs read: the layer below the instruction's own syntax. */
export interface LogicalLine {
  readonly text: string;
  /** Where the text stands in the source: one piece a physical line, one behind the other. */
  readonly pieces: readonly Piece[];
  readonly heredocs: readonly Heredoc[];
  readonly lines: Lines;
  readonly comments: readonly string[];
}

/** A part of a logical line: its length, and where it begins in the source, both in UTF-16 code units. */
export interface Piece {
  readonly length: number;
  readonly at: number;
}

export interface SplitDockerfile {
  readonly escape: '\\' | '`';
  readonly logical: readonly LogicalLine[];
  readonly emptyContinuations: readonly Lines[];
}

/** A fault in the text, at a line. */
export class LineFailure extends Failure {
  readonly lines: Lines;

  constructor(message: string, lines: Lines) {
    super(message);
    this.lines = lines;
  }
}

/** In bytes, without the line end: BuildKit's scanner takes no longer line. */
const LONGEST_LINE = 65_535;

/** Splits a Dockerfile into instructions exactly where BuildKit's parser does. */
export function splitLines(source: string): SplitDockerfile {
  const reader = new Reader(source);
  const logical: LogicalLine[] = [];
  const emptyContinuations: Lines[] = [];
  while (reader.more()) {
    const line = readLogical(reader, emptyContinuations);
    if (line !== undefined) logical.push(line);
  }
  return { escape: reader.escape, logical, emptyContinuations };
}

/** The position in the file, the directives met so far and the comments waiting for their instruction. */
class Reader {
  readonly #physical: readonly string[];
  /** Lines read so far, which is also the number of the line that was read last. */
  number = 0;
  /** Where the line that was read last begins in the source. */
  at = 0;
  #next: number;
  escape: '\\' | '`' = '\\';
  comments: string[] = [];
  #directives: Set<string> | undefined = new Set();

  constructor(source: string) {
    this.#next = source.startsWith('\ufeff') ? 1 : 0;
    this.#physical = source.slice(this.#next).match(/[^\n]*\n|[^\n]+$/g) ?? [];
  }

  more(): boolean {
    return this.number < this.#physical.length;
  }

  /** The next line with its line end. */
  next(): string {
    const line = this.#physical[this.number++]!;
    this.at = this.#next;
    this.#next += line.length;
    const end = line.endsWith('\n') ? 1 : 0;
    if (line.length * 3 > LONGEST_LINE && Buffer.byteLength(line) - end > LONGEST_LINE)
      throw this.fail(`The line has ${Buffer.byteLength(line)} bytes; accepted are at most ${LONGEST_LINE}.`);
    return line;
  }

  /** Parser directives stand before everything else, each once. */
  isDirective(line: string): boolean {
    if (this.#directives === undefined) return false;
    const directive = readDirective(line, '#');
    if (directive === undefined) {
      this.#directives = undefined;
      return false;
    }
    const { name, value } = directive;
    if (this.#directives.has(name)) throw this.fail(`The parser directive "${name}" is given twice.`);
    this.#directives.add(name);
    if (name === 'escape') this.escape = this.#escape(value);
    return true;
  }

  #escape(value: string): '\\' | '`' {
    if (value === '\\' || value === '`') return value;
    throw this.fail(`The parser directive "escape" is "${value}"; accepted are \\ and \`.`);
  }

  fail(message: string, start = this.number): LineFailure {
    return new LineFailure(message, { start, end: this.number });
  }
}

const withoutEnd = (line: string) => line.replace(/[\r\n]+$/, '');
const isComment = (line: string) => trimLeft(line).startsWith('#');

function readLogical(reader: Reader, emptyContinuations: Lines[]): LogicalLine | undefined {
  const raw = reader.next();
  noteComment(reader, raw);
  const first = trimLeft(withoutEnd(raw));
  if (reader.isDirective(first)) reader.comments.pop();
  if (first.startsWith('#')) return undefined;
  const start = reader.number;
  const joined = joinContinuations(reader, first, reader.at + withoutEnd(raw).length - first.length);
  if (joined === undefined) return undefined;
  if (joined.blank) emptyContinuations.push({ start, end: reader.number });
  if (trimSpace(joined.text) === '') throw reader.fail('A line has nothing but a line continuation.', start);
  const heredocs = readHeredocs(reader, joined.text, start);
  const comments = reader.comments;
  reader.comments = [];
  const { text, pieces } = joined;
  return { text, pieces, heredocs, lines: { start, end: reader.number }, comments };
}

function noteComment(reader: Reader, raw: string): void {
  if (!isComment(raw)) return;
  const comment = trimSpace(raw.slice(1));
  if (comment === '') reader.comments = [];
  else reader.comments.push(comment);
}

function joinContinuations(
  reader: Reader,
  first: string,
  at: number,
): { text: string; pieces: Piece[]; blank: boolean } | undefined {
  let { text, continues } = cutContinuation(first, reader.escape);
  if (!continues && text === '') return undefined;
  const pieces: Piece[] = [{ length: text.length, at }];
  let blank = false;
  while (continues && reader.more()) {
    const line = withoutEnd(reader.next());
    if (isComment(line)) continue;
    if (trimLeft(line) === '') {
      blank = true;
      continue;
    }
    const part = cutContinuation(line, reader.escape);
    text += part.text;
    pieces.push({ length: part.text.length, at: reader.at });
    continues = part.continues;
  }
  return { text, pieces, blank };
}

/** An escape character at the end of a line joins it with the next, unless another escape character stands before it. */
function cutContinuation(line: string, token: string): { text: string; continues: boolean } {
  const at = line.replace(/[ \t]+$/, '').length - 1;
  if (line[at] !== token || line[at - 1] === token) return { text: line, continues: false };
  return { text: line.slice(0, at), continues: true };
}

function readHeredocs(reader: Reader, text: string, start: number): Heredoc[] {
  if (!text.includes('<<') || !takesHeredoc(text, reader.escape)) return [];
  const heredocs: Heredoc[] = [];
  for (const heredoc of openings(reader, text, start))
    heredocs.push({ ...heredoc, content: readBody(reader, heredoc, start) });
  return heredocs;
}

function openings(reader: Reader, text: string, start: number): Omit<Heredoc, 'content'>[] {
  try {
    return heredocsOf(text);
  } catch (error) {
    if (error instanceof Failure) throw reader.fail(error.message, start);
    throw error;
  }
}

function readBody(reader: Reader, heredoc: Omit<Heredoc, 'content'>, start: number): string {
  let content = '';
  while (reader.more()) {
    const line = reader.next();
    const candidate = heredoc.chomp ? withoutEnd(line).replace(/^\t+/, '') : withoutEnd(line);
    if (candidate === heredoc.name) return content;
    content += line;
  }
  throw reader.fail(
    `The heredoc "${heredoc.name}" is never closed: a line with nothing but ${heredoc.name} is missing.`,
    start,
  );
}

/** ADD, COPY and RUN, alone or behind ONBUILD, unless in JSON form. */
function takesHeredoc(text: string, token: string): boolean {
  const command = splitCommand(text, token);
  if (/^onbuild$/i.test(command.word)) return command.rest !== '' && takesHeredoc(command.rest, token);
  if (!/^(add|copy|run)$/i.test(command.word)) return false;
  try {
    return parseJsonForm(command.rest) === undefined;
  } catch (error) {
    // An array of something else than strings is reported by the instruction itself.
    if (error instanceof Failure) return false;
    throw error;
  }
}
