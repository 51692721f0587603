import type { Timeline } from './timeline.ts';

/** A piece of a line. Plain strings are shown as they are, whatever characters they hold. */
export type Span =
  | string
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'strong'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly url: string };

/** A line of text: one span or several, shown without anything between them. */
export type Inline = Span | readonly Span[];

/** A column of a table. */
export interface Column {
  readonly title: string;
  /** Default: `left`. Numbers read best on the `right`. */
  readonly align?: 'left' | 'right' | 'center';
}

/** What a report is made of. It knows nothing of where it is shown; the renderers escape every text for their place. */
export type Block =
  | { readonly kind: 'heading'; readonly level: 1 | 2 | 3 | 4; readonly text: Inline }
  | { readonly kind: 'text'; readonly text: Inline }
  | {
      readonly kind: 'table';
      readonly columns: readonly Column[];
      readonly rows: readonly (readonly Inline[])[];
    }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly Inline[] }
  | { readonly kind: 'code'; readonly text: string; readonly language: string }
  | { readonly kind: 'details'; readonly title: Inline; readonly blocks: readonly Block[] }
  | Timeline;

/** Code in a line: a path, a digest, a command. */
export const mono = (text: string): Span => ({ kind: 'code', text });

/** Text that stands out. */
export const strong = (text: string): Span => ({ kind: 'strong', text });

/** A link. Any other scheme than http and https shows as its text alone. */
export const link = (text: string, url: string): Span => ({ kind: 'link', text, url });

/** A heading; 1 is the largest. Reports start at 2, below the title of the page they are on. */
export const heading = (text: Inline, level: 1 | 2 | 3 | 4 = 2): Block => ({ kind: 'heading', level, text });

/** A paragraph; a line end in it is a line end where it is shown. */
export const paragraph = (text: Inline): Block => ({ kind: 'text', text });

/** A table. A column that is a string is a left-aligned one; a row shorter than the columns is filled with empty cells. */
export const table = (
  columns: readonly (string | Column)[],
  rows: readonly (readonly Inline[])[],
): Block => ({
  kind: 'table',
  columns: columns.map((column) => (typeof column === 'string' ? { title: column } : column)),
  rows,
});

/** A list, numbered where the order matters. */
export const list = (items: readonly Inline[], ordered = false): Block => ({ kind: 'list', ordered, items });

/** A block of code, shown letter by letter. `language` is for highlighting where there is any. */
export const code = (text: string, language = ''): Block => ({ kind: 'code', text, language });

/** Blocks that are folded away where the place can fold. */
export const details = (title: Inline, blocks: readonly Block[]): Block => ({
  kind: 'details',
  title,
  blocks,
});

/** The spans of a line, one or several. */
export const spansOf = (inline: Inline): readonly Span[] =>
  Array.isArray(inline) ? (inline as readonly Span[]) : [inline as Span];
