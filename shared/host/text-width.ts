import { stripVTControlCharacters } from 'node:util';
import stringWidth from 'string-width';

/** Columns that a text takes on a terminal: wide characters count two, combining ones none, escape sequences none. */
export const widthOf = (text: string): number => stringWidth(text);

/** Cuts a text to `width` columns, its last one an ellipsis where something was cut. Whole characters as people see them. */
export function truncate(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  if (width < 1) return '';
  let kept = '';
  let used = 1; // the ellipsis
  for (const { segment } of new Intl.Segmenter().segment(text)) {
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

/** A text of unknown origin that cannot move the cursor, ring, or change the terminal: no escape sequences, no control characters. */
export const harmless = (text: string): string =>
  stripVTControlCharacters(text)
    .replaceAll('\t', '  ')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '');
