import { Failure } from '../host/index.ts';

/**
 * Whether a path matches a pattern of Go's path.Match: `*` and `?` stop at slashes, `[a-z]` and `[^a-z]` are classes, a backslash
 * takes the meaning of the next character away. The whole path has to match. This is Go's algorithm, not a regular expression: it
 * never takes back what a `*` has found, which shows where a class matches a slash.
 *
 * @throws Failure for a malformed pattern. As in Go, parts behind the one that fails to match are not looked at.
 */
export function matchGlob(pattern: string, path: string): boolean {
  let rest = Array.from(pattern);
  let name = Array.from(path);
  while (rest.length > 0) {
    const { star, chunk, after } = scanChunk(rest);
    rest = after;
    if (star && chunk.length === 0) return !name.includes('/');
    const left = matchHere(pattern, chunk, name, star, rest.length === 0);
    if (left === undefined) return false;
    name = left;
  }
  return name.length === 0;
}

/** Whether a path has characters that COPY takes for a pattern; a backslash hides the one behind it. */
export function hasWildcards(path: string): boolean {
  return /^(?:[^*?[\\]|\\.)*[*?[]/s.test(path);
}

interface Chunk {
  /** A star stands before the chunk. */
  readonly star: boolean;
  readonly chunk: string[];
  readonly after: string[];
}

/** The part of a pattern up to the next star. */
function scanChunk(pattern: readonly string[]): Chunk {
  let start = 0;
  while (pattern[start] === '*') start++;
  let inClass = false;
  let end = start;
  for (; end < pattern.length; end++) {
    const character = pattern[end];
    if (character === '\\') end++;
    else if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    else if (character === '*' && !inClass) break;
  }
  return { star: start > 0, chunk: pattern.slice(start, end), after: pattern.slice(end) };
}

/** What a name has left behind the first place where a chunk matches, or undefined when there is none. */
function matchHere(
  pattern: string,
  chunk: readonly string[],
  name: string[],
  star: boolean,
  last: boolean,
): string[] | undefined {
  for (let skipped = 0; ; skipped++) {
    const length = matchChunk(pattern, chunk, name, skipped);
    if (length !== undefined && (!last || length === name.length)) return name.slice(length);
    if (!star || skipped >= name.length || name[skipped] === '/') return undefined;
  }
}

/** Where a chunk that starts to match at `start` ends, or undefined. The chunk is checked to its end in any case. */
function matchChunk(
  pattern: string,
  chunk: readonly string[],
  name: readonly string[],
  start: number,
): number | undefined {
  let at = start;
  let failed = false;
  for (let i = 0; i < chunk.length; ) {
    const character = name[at];
    failed ||= character === undefined;
    const one = matchOne(pattern, chunk, i, character ?? '');
    failed ||= !one.matches;
    i = one.next;
    at++;
  }
  return failed ? undefined : at;
}

function matchOne(
  pattern: string,
  chunk: readonly string[],
  at: number,
  character: string,
): { matches: boolean; next: number } {
  switch (chunk[at]) {
    case '[':
      return matchClass(pattern, chunk, at + 1, character);
    case '?':
      return { matches: character !== '/', next: at + 1 };
    case '\\':
      if (at + 1 === chunk.length) throw malformed(pattern, 'it ends in a backslash');
      return { matches: chunk[at + 1] === character, next: at + 2 };
    default:
      return { matches: chunk[at] === character, next: at + 1 };
  }
}

function matchClass(
  pattern: string,
  chunk: readonly string[],
  start: number,
  character: string,
): { matches: boolean; next: number } {
  const negated = chunk[start] === '^';
  const code = character.codePointAt(0) ?? -1;
  let at = negated ? start + 1 : start;
  let found = false;
  for (let ranges = 0; ranges === 0 || chunk[at] !== ']'; ranges++) {
    const low = classCharacter(pattern, chunk, at);
    const high = chunk[low.next] === '-' ? classCharacter(pattern, chunk, low.next + 1) : low;
    found ||= low.code <= code && code <= high.code;
    at = high.next;
  }
  return { matches: found !== negated, next: at + 1 };
}

function classCharacter(
  pattern: string,
  chunk: readonly string[],
  start: number,
): { code: number; next: number } {
  if (chunk[start] === '-' || chunk[start] === ']')
    throw malformed(pattern, `"${chunk[start]}" stands in a wrong place inside "[…]"`);
  const at = chunk[start] === '\\' ? start + 1 : start;
  // The class has to go on behind each character, if only with its end.
  if (at + 1 >= chunk.length) throw malformed(pattern, 'a "[" is never closed');
  return { code: chunk[at]!.codePointAt(0)!, next: at + 1 };
}

function malformed(pattern: string, why: string): Failure {
  return new Failure(`The pattern "${pattern}" is malformed: ${why}.`);
}
