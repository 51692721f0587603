import type { Summary } from '../host/index.ts';
import type { Block } from './block.ts';
import { toMarkdown } from './markdown.ts';
import { type TerminalFormat, toTerminal } from './terminal.ts';

/** Both forms of a report, for `host.summarize`; a terminal renders it for its own width and colours. */
export function summary(blocks: readonly Block[]): Summary {
  const render = (format: TerminalFormat) => toTerminal(blocks, format);
  return { markdown: toMarkdown(blocks), text: render({ width: 96, color: false }), render };
}

/** `sha256:9f86d081884c`: enough of a digest to tell it from others by eye, as container tools show it. */
export function shortDigest(digest: string): string {
  const [algorithm, hex] = digest.split(':');
  return hex === undefined ? digest.slice(0, 12) : `${algorithm}:${hex.slice(0, 12)}`;
}
