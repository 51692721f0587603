import { trimLeft, trimSpace } from './go-text.ts';
import { type Piece, splitLines } from './lines.ts';
import type { Dockerfile, Lines } from './model.ts';
import { splitCommand } from './words.ts';

/** Something to be written into an instruction. */
export interface Edit {
  /** The first line of the instruction. */
  readonly line: number;
  /** Behind the nth of its flags with this name, counted from 0; behind its keyword; or at its end. */
  readonly behind: { readonly flag: string; readonly nth: number } | 'keyword' | 'end';
  readonly text: string;
}

/**
 * The source of a Dockerfile with text added to instructions in place: every line keeps its number. Throws for an edit of an
 * instruction or a flag that is not there, which is a fault of the caller.
 */
export function editDockerfile({ source }: Dockerfile, edits: readonly Edit[]): string {
  if (edits.length === 0) return source;
  const { logical, escape: token } = splitLines(source);
  const byLine = new Map(logical.map((line) => [line.lines.start, line]));
  const places = edits.map((edit, order) => {
    const line = byLine.get(edit.line);
    if (line === undefined) throw new Error(`No instruction begins at line ${edit.line}.`);
    return { at: sourceOffset(line.pieces, placeIn(line.text, edit, token)), text: edit.text, order };
  });
  // From the end, so that offsets before stay right; what goes to one place stays in its order.
  places.sort((a, b) => b.at - a.at || b.order - a.order);
  return places.reduce((text, { at, text: added }) => text.slice(0, at) + added + text.slice(at), source);
}

function placeIn(text: string, { line, behind }: Edit, token: string): number {
  const start = text.length - trimLeft(text).length;
  if (behind === 'end') return start + trimSpace(text).length;
  const { word, flags, ends } = splitCommand(text, token);
  if (behind === 'keyword') return start + word.length;
  const named = flags.flatMap((flag, at) =>
    flag.slice(2).split('=', 1)[0] === behind.flag ? [ends[at]!] : [],
  );
  const end = named[behind.nth];
  if (end === undefined) throw new Error(`Line ${line} has no flag --${behind.flag} number ${behind.nth}.`);
  return end;
}

/** Where the character before a place of the joined line stands in the source, and the next one is. */
function sourceOffset(pieces: readonly Piece[], place: number): number {
  let passed = 0;
  for (const { length, at } of pieces) {
    if (place <= passed + length) return at + place - passed;
    passed += length;
  }
  throw new Error('A place behind the end of an instruction.');
}

/** Whether an instruction of the file itself begins at the first of these lines: a trigger of a base image has none. */
export function isWritten({ stages }: Dockerfile, { start }: Lines, keyword: string): boolean {
  return stages.some(({ instructions }) =>
    instructions.some((one) => one.keyword === keyword && one.lines.start === start),
  );
}
