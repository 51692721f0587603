/** A part of a file that is read by itself. */
interface Part {
  /** Offset of its first character in the file. */
  readonly start: number;
  readonly content: string;
}

/**
 * A stream of JSON values, `{…}{…}` or one after another, is taken apart, since each is a document; any other text is one part.
 */
export function jsonTexts(text: string): Part[] {
  if (!/^\uFEFF?\s*[{[]/.test(text)) return [{ start: 0, content: text }];
  const parts: Part[] = [];
  let start = 0;
  while (start < text.length) {
    const end = endOfValue(text, start);
    const content = text.slice(start, end);
    if (content.trim() !== '') parts.push({ start, content });
    start = end;
  }
  return parts;
}

/** Where the object or list that begins after `from` ends; the end of the text when it is not closed. */
function endOfValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') at = endOfString(text, at);
    else if (character === '{' || character === '[') depth++;
    else if (character === '}' || character === ']') {
      depth--;
      if (depth === 0) return at + 1;
    }
  }
  return text.length;
}

function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === '"') return at;
  }
  return text.length;
}
