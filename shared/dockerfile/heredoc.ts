import { Failure } from '../host/index.ts';
import { expand } from './expand.ts';
import type { Heredoc } from './model.ts';
import { ExpansionError } from './shell-pattern.ts';

const nothing = () => undefined;

/** The heredoc that a word such as `<<EOF`, `3<<-"END"` opens, without its content, or undefined when it opens none. */
export function parseHeredocWord(word: string): Omit<Heredoc, 'content'> | undefined {
  const match = /^(\d*)<<(-?)[\t\n\f\r ]*([^<]*)$/.exec(word);
  if (match === null || match[3] === '') return undefined;
  const rest = match[3]!;
  const { words } = expand(rest, nothing, { keepUnset: true });
  if (words.length !== 1) return undefined;
  const raw = expand(rest, nothing, { keepUnset: true, rawQuotes: true }).words[0] ?? '';
  return {
    name: words[0]!,
    // A quote that goes away was a quote: then the content is taken as it is.
    expand: countQuotes(words[0]!) === countQuotes(raw),
    chomp: match[2] === '-',
    fileDescriptor: Number(match[1] === '' ? 0 : match[1]),
  };
}

function countQuotes(text: string): number {
  return text.replace(/[^'"]/g, '').length;
}

/** The heredocs that a line opens, in order. */
export function heredocsOf(line: string): Omit<Heredoc, 'content'>[] {
  let words: readonly string[];
  try {
    words = expand(line, nothing, { rawQuotes: true, rawEscapes: true, keepUnset: true }).words;
  } catch (error) {
    // A line with an odd quote is the shell's business.
    if (error instanceof ExpansionError) return [];
    throw error;
  }
  return words.flatMap((word) => {
    try {
      return parseHeredocWord(word) ?? [];
    } catch (error) {
      if (error instanceof ExpansionError)
        throw new Failure(`The heredoc "${word}" is not valid: ${error.message}.`);
      throw error;
    }
  });
}

/** What `<<-` makes of the content: leading tabs of each line are cut. */
export function chompHeredoc(content: string): string {
  return content.replace(/(^|\n)\t+/g, '$1');
}
