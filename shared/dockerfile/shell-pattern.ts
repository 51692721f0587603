/** Text that cannot be expanded. The message completes a sentence about it. */
export class ExpansionError extends Error {
  override readonly name = 'ExpansionError';
}

/** Cuts what `pattern` matches from the start (`#`) or the end (`%`) of a value; a doubled mark asks for the longest match. */
export function trimPattern(operand: string, value: string, mark: string): string {
  const greedy = operand.startsWith(mark);
  const pattern = greedy ? operand.slice(1) : operand;
  if (mark === '#') return trimStart(pattern, value, greedy);
  // A regular expression finds the shortest match only from the left: turn both round.
  return reverse(trimStart(reversePattern(pattern), reverse(value), greedy));
}

function trimStart(pattern: string, value: string, greedy: boolean): string {
  const match = compile(pattern, greedy, '^', 'u').exec(value);
  return match === null ? value : value.slice(match[0].length);
}

/** Replaces the first, or every, longest match of `pattern`. */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  if (!all) return value.replace(compile(pattern, true, '', 'u'), () => replacement);
  return value.replace(compile(pattern, true, '', 'gu'), (match) => fillTemplate(replacement, match));
}

/** Go's Regexp.Expand, which BuildKit's `//` goes through: there are no groups, so a reference to one is empty. */
function fillTemplate(template: string, match: string): string {
  return template.replace(
    /\$(?:(\$)|([\p{L}\p{Nd}_]+)|\{([\p{L}\p{Nd}_]+)\})/gu,
    (_, dollar, name, braced) => {
      if (dollar !== undefined) return '$';
      return (name ?? braced) === '0' ? match : '';
    },
  );
}

function compile(pattern: string, greedy: boolean, prefix: '^' | '', flags: 'u' | 'gu'): RegExp {
  const characters = Array.from(pattern.startsWith('\ufeff') ? pattern.slice(1) : pattern);
  let out = prefix as string;
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (character === '*') out += greedy ? '[^\\n]*' : '[^\\n]*?';
    else if (character === '?') out += '[^\\n]';
    else if (character !== '\\') out += literal(character);
    else if (characters[i + 1] !== '}' && characters[i + 1] !== '/') out += escaped(pattern, characters[++i]);
  }
  return new RegExp(out, flags);
}

function escaped(pattern: string, character: string | undefined): string {
  if (character === '*' || character === '?' || character === '\\') return `\\${character}`;
  throw new ExpansionError(`the pattern "${pattern}" escapes "${character ?? ''}", which needs no escape`);
}

function literal(character: string): string {
  return /[[\]{}.+()|^$\\*?/]/.test(character) ? `\\${character}` : character;
}

function reverse(text: string): string {
  return Array.from(text).reverse().join('');
}

/** Reversed, with each escape still in front of the character that it escapes. */
function reversePattern(pattern: string): string {
  const parts = pattern.match(/\\.|./gsu) ?? [];
  return parts.reverse().join('');
}
