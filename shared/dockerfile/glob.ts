import { Failure } from '../host/index.ts';

/**
 * Whether a path matches a pattern of Go's path.Match: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a backslash
 * takes the meaning of the next character away. The whole path has to match.
 *
 * @throws Failure when the pattern is malformed.
 */
export function matchGlob(pattern: string, path: string): boolean {
  let compiled = compiledGlobs.get(pattern);
  if (compiled === undefined) {
    compiled = compileGlob(pattern);
    if (compiledGlobs.size >= 256) compiledGlobs.clear();
    compiledGlobs.set(pattern, compiled);
  }
  return compiled.test(path);
}

/** Whether a path has characters that COPY takes for a pattern; a backslash hides the one behind it. */
export function hasWildcards(path: string): boolean {
  return /^(?:[^*?[\\]|\\.?)*[*?[]/s.test(path);
}

const compiledGlobs = new Map<string, RegExp>();

function compileGlob(pattern: string): RegExp {
  const characters = Array.from(pattern);
  let out = '';
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*') out += '[^/]*';
    else if (character === '?') out += '[^/]';
    else if (character === '[') {
      const end = compileClass(pattern, characters, at);
      out += end.source;
      at = end.at;
    } else if (character !== '\\') out += literal(character);
    else if (at + 1 < characters.length) out += literal(characters[++at]!);
    else throw malformed(pattern, 'it ends in a backslash');
  }
  return new RegExp(`^${out}$`, 'su');
}

function compileClass(
  pattern: string,
  characters: readonly string[],
  start: number,
): { source: string; at: number } {
  const negated = characters[start + 1] === '^';
  let at = start + (negated ? 2 : 1);
  let source = negated ? '[^' : '[';
  for (let ranges = 0; ; ranges++) {
    if (characters[at] === ']' && ranges > 0) return { source: `${source}]`, at };
    const low = classCharacter(pattern, characters, at);
    at = low.at;
    const high = characters[at] === '-' ? classCharacter(pattern, characters, at + 1) : low;
    at = high.at;
    // Go takes a range that runs backwards and matches nothing with it.
    if (low.code <= high.code) source += `${classCode(low.code)}-${classCode(high.code)}`;
  }
}

function classCharacter(
  pattern: string,
  characters: readonly string[],
  start: number,
): { code: number; at: number } {
  const escaped = characters[start] === '\\';
  const character = characters[escaped ? start + 1 : start];
  if (character === undefined) throw malformed(pattern, 'a "[" is never closed');
  if (!escaped && (character === '-' || character === ']'))
    throw malformed(pattern, `"${character}" stands in a wrong place inside "[…]"`);
  return { code: character.codePointAt(0)!, at: start + (escaped ? 2 : 1) };
}

const classCode = (code: number) => `\\u{${code.toString(16)}}`;

/** A character that stands for itself in a regular expression with the `u` flag. */
export function literal(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function malformed(pattern: string, why: string): Failure {
  return new Failure(`The pattern "${pattern}" is malformed: ${why}.`);
}
