/** What a run found and did, as people read it: one description, shown as Markdown in a summary or as text in a terminal. */
export {
  type Block,
  type Column,
  code,
  details,
  heading,
  type Inline,
  link,
  list,
  mono,
  paragraph,
  type Span,
  strong,
  table,
} from './block.ts';
export { toMarkdown } from './markdown.ts';
export { shortDigest, summary } from './summary.ts';
export { type TerminalFormat, toTerminal } from './terminal.ts';
export { type TimelineGroup, type TimelineRow, type TimelineSpan, type Tone, timeline } from './timeline.ts';
