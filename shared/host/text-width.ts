import { stripVTControlCharacters } from 'node:util';
import { eastAsianWidth } from 'get-east-asian-width';

// ASCII, Latin letters, dashes, quotes, arrows, box drawing, our own marks and the spinner: one column each.
const NARROW =
  /^[\x20-\x7e\u00a1-\u00ac\u00ae-\u02ff\u2010-\u2027\u2190-\u2193\u2500-\u257f\u2713\u2717\u2800-\u28ff]*$/;

let segmenter: Intl.Segmenter | undefined;

// Made when the first unusual text comes: it loads 20 ms of tables, which most runs never need.
const charactersOf = (text: string) => {
  segmenter ??= new Intl.Segmenter();
  return segmenter.segment(text);
};

/** Columns that a text takes on a terminal: wide characters and emoji two, combining ones none, escape sequences none. */
export function widthOf(text: string): number {
  if (NARROW.test(text)) return text.length;
  let width = 0;
  for (const { segment } of charactersOf(stripVTControlCharacters(text))) width += characterWidth(segment);
  return width;
}

function characterWidth(character: string): number {
  if (/^(\p{Control}|\p{Mark}|\p{Default_Ignorable_Code_Point})/u.test(character)) return 0;
  // U+FE0F asks for the emoji form of a character that is text by itself.
  if (/\p{Emoji_Presentation}|\u{fe0f}/u.test(character)) return 2;
  return eastAsianWidth(character.codePointAt(0)!);
}

/** Cuts a text to `width` columns, its last one an ellipsis where something was cut. Whole characters as people see them. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let used = 1; // the ellipsis
  for (const { segment } of charactersOf(text)) {
    used += widthOf(segment);
    if (used > width) break;
    kept += segment;
  }
  return `${kept}…`;
}

/** Fills a text with spaces up to `width` columns, on its right side or, for `end`, on its left. */
export function pad(text: string, width: number, side: 'start' | 'end' = 'start'): string {
  const space = ' '.repeat(Math.max(0, width - widthOf(text)));
  return side === 'start' ? text + space : space + text;
}

/** Breaks a line to `width` columns at its spaces, and inside a word only where the word alone is too long. */
export function wrap(line: string, width: number): string[] {
  const lines: string[] = [];
  let current = '';
  for (const word of line.split(' ').flatMap((one) => chop(one, width))) {
    if (current === '') current = word;
    else if (widthOf(current) + 1 + widthOf(word) <= width) current += ` ${word}`;
    else {
      lines.push(current);
      current = word;
    }
  }
  return [...lines, current];
}

function chop(word: string, width: number): string[] {
  if (widthOf(word) <= width || width < 1) return [word];
  const pieces: string[] = [''];
  for (const { segment } of charactersOf(word)) {
    if (widthOf(pieces.at(-1)! + segment) > width) pieces.push('');
    pieces[pieces.length - 1] += segment;
  }
  return pieces;
}

/** A text of unknown origin that cannot move the cursor, ring, or change the terminal: no escape sequences, no control characters. */
export const harmless = (text: string): string =>
  stripVTControlCharacters(text)
    .replaceAll('\t', '  ')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '');
