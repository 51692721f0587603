import { Lexer } from 'yaml';

/**
 * Text in which the lines of quoted scalars begin as far right as YAML asks. go-yaml lets them begin anywhere, and writes them too
 * far left itself: `kubectl get -o yaml` and generators of CRDs put them beside the dash of the list item around them. The value
 * stays, since blanks at the beginning of such lines mean nothing, and so do the numbers of all lines.
 */
export function withIndentedQuotes(given: string): string {
  let text = given;
  for (;;) {
    const open = firstOpenQuote(text);
    const close = open === undefined ? undefined : endOfQuote(text, open);
    if (open === undefined || close === undefined) return text;
    const blanks = ' '.repeat(open - text.lastIndexOf('\n', open));
    const scalar = text.slice(open, close).replaceAll(/\n(?=[^\r\n])/g, `\n${blanks}`);
    text = text.slice(0, open) + scalar + text.slice(close);
  }
}

/** Where the first quoted scalar begins that the lexer takes to be over at the end of a line. */
function firstOpenQuote(text: string): number | undefined {
  let at = 0;
  for (const token of new Lexer().lex(text)) {
    // Marks of the lexer that are not in the text: of a document, of flow, of a scalar.
    if (/^[\x02\x18\x1f]$/.test(token)) continue;
    if (/^['"]/.test(token) && endOfQuote(token, 0) === undefined) return at;
    at += token.length;
  }
  return undefined;
}

/** Behind the quote that ends the scalar; undefined where there is none before the end of the document. */
function endOfQuote(text: string, open: number): number | undefined {
  const pattern = text[open] === "'" ? /'(?:[^']|'')*'(?!')/y : /"(?:[^"\\]|\\[\s\S])*"/y;
  pattern.lastIndex = open;
  const [scalar] = pattern.exec(text) ?? [];
  return scalar === undefined || /\n(?:---|\.\.\.)(?=\s)/.test(scalar) ? undefined : open + scalar.length;
}
