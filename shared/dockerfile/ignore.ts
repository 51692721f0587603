import { Failure } from '../host/index.ts';
import { matchGlob } from './glob.ts';
import { cleanPath, trimSpace } from './go-text.ts';
import { matchTokens, type Token } from './wildcards.ts';

/** Paths that a list of patterns takes out, and those that its `!` patterns bring back. Paths are relative and slash-separated. */
export interface Ignore {
  /** Whether the path itself is left out; for a directory see mayContainIncluded too. */
  ignores(path: string, isDirectory: boolean): boolean;
  /** Whether something below an ignored directory may be brought back, so that it has to be looked at. */
  mayContainIncluded(directory: string): boolean;
  /** The patterns as they are used, cleaned, `!` in front of those that bring back. */
  readonly patterns: readonly string[];
}

/** Names of the files that say what a build context leaves out, next to the context; the first one that exists counts alone. */
export function ignoreFileNames(dockerfile: string): readonly string[] {
  return [`${dockerfile}.dockerignore`, '.dockerignore'];
}

/**
 * Reads the text of a .dockerignore. The rules are those of moby/patternmatcher with the walk of BuildKit's file sync: later
 * patterns win, what matches a directory holds for everything below it, and `!` brings back.
 *
 * @throws Failure for a pattern that is malformed.
 */
export function createIgnore(text: string): Ignore {
  return createMatcher(readIgnoreFile(text));
}

/** The same for patterns that stand elsewhere, such as those of `COPY --exclude`. */
export function createMatcher(patterns: readonly string[]): Ignore {
  const compiled = patterns.map(trimSpace).filter(Boolean).map(compilePattern);
  const judge = new Judge(compiled);
  const back = compiled.filter(({ bringsBack }) => bringsBack).map(({ text }) => text);
  const prefixes = back.map((text) => text.replace(/\/\*\*$/, '').replace(/\/\*$/, ''));
  return {
    patterns: compiled.map((pattern) => (pattern.bringsBack ? '!' : '') + pattern.text),
    ignores: (path, isDirectory) =>
      isDirectory ? judge.directory(path).ignored : judge.ignoresBelow(judge.above(path), path),
    mayContainIncluded: (directory) => mayContainIncluded(prefixes, directory),
  };
}

/** The patterns of a .dockerignore (moby/patternmatcher, ignorefile.ReadAll). */
function readIgnoreFile(text: string): string[] {
  return text
    .replace(/^\ufeff/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .map(trimSpace)
    .filter((line) => line !== '')
    .map((line) => (line.startsWith('!') ? `!${normalize(trimSpace(line.slice(1)))}` : normalize(line)));
}

/** Patterns start at the context's root, with or without a slash. */
function normalize(pattern: string): string {
  if (pattern === '') return '';
  const cleaned = cleanPath(pattern);
  return cleaned.length > 1 && cleaned.startsWith('/') ? cleaned.slice(1) : cleaned;
}

interface Pattern {
  readonly text: string;
  readonly bringsBack: boolean;
  readonly matches: (path: string) => boolean;
}

function compilePattern(given: string): Pattern {
  const cleaned = cleanPath(given);
  const bringsBack = cleaned.startsWith('!');
  const text = bringsBack ? cleaned.slice(1) : cleaned;
  if (text === '') throw new Failure('The pattern "!" brings nothing back; write a path behind it.');
  // Only for its check: BuildKit refuses here what Go's filepath.Match finds malformed.
  matchGlob(text, '.');
  return { text, bringsBack, matches: compileMatcher(text) };
}

/** Most patterns need no regular expression, which is what keeps large contexts fast. */
function compileMatcher(text: string): (path: string) => boolean {
  const { source, kind } = translate(text);
  switch (kind) {
    case 'exact':
      return (path) => path === text;
    case 'prefix':
      return (path) => path.startsWith(text.slice(0, -2));
    case 'suffix': {
      const suffix = text.slice(2);
      const alone = suffix.startsWith('/') ? suffix.slice(1) : undefined;
      return (path) => path.endsWith(suffix) || path === alone;
    }
    default: {
      // Compiled when it is first asked, as in BuildKit: a malformed pattern that nobody asks is no fault.
      let matches: ((path: string) => boolean) | undefined;
      return (path) => {
        matches ??= compileExpression(text, source);
        return matches(path);
      };
    }
  }
}

function compileExpression(text: string, source: string): (path: string) => boolean {
  try {
    const tokens = (text.match(/\*+/g) ?? []).length > FEW_STARS ? toTokens(text) : undefined;
    if (tokens !== undefined) return (path) => matchTokens(tokens, path);
    const expression = new RegExp(`^${source}$`, 'u');
    return (path) => expression.test(path);
  } catch (error) {
    throw new Failure(`The pattern "${text}" is malformed.`, { cause: error });
  }
}

/** With more stars than this a regular expression can take a time that grows with a high power of the path's length. */
const FEW_STARS = 3;

/** The pattern in tokens, or undefined where it has what only a regular expression can say. */
function toTokens(text: string): Token[] | undefined {
  const parts = text.match(/\*\*\/?|\\.|\[(?:\\.|[^\]\\])*\]|./gsu) ?? [];
  if (parts.some((part) => part === '^' || part === '\\')) return undefined;
  return parts.map((part, at) => {
    if (part.startsWith('**')) return { any: at === parts.length - 1 ? 'rest' : 'folders' };
    if (part === '*') return { any: 'name' };
    return part.length > 1 || part === '?' ? new RegExp(`^${translate(part).source}$`, 'u') : part;
  });
}

type Kind = 'exact' | 'prefix' | 'suffix' | 'expression';

function translate(text: string): { source: string; kind: Kind } {
  const tokens = text.match(/\*\*\/?|\\.|./gsu) ?? [];
  let kind: Kind = 'exact';
  let source = '';
  let inClass = false;
  for (const [at, token] of tokens.entries()) {
    if (token.startsWith('**')) {
      const last = at === tokens.length - 1;
      source += last ? '[^\\n]*' : '(?:[^\\n]*/)?';
      kind = at === 0 ? 'suffix' : last && kind === 'exact' ? 'prefix' : 'expression';
      continue;
    }
    source += translateToken(token, inClass);
    if (token === '[' || token === ']') inClass = token === '[';
    if (/^[*?[\]]|^\\./s.test(token)) kind = 'expression';
  }
  return { source, kind };
}

function translateToken(token: string, inClass: boolean): string {
  if (token === '*') return '[^/]*';
  if (token === '?') return '[^/]';
  if (token === '[') return token;
  if (token === ']') return inClass ? token : '\\]';
  if (token.length > 1) return translateEscape(token, inClass);
  // patternmatcher lets a caret through, so it stands for the start of the path, and a backslash at the very end, which then
  // takes the meaning of the end of the path away.
  return inClass || token === '^' || token === '\\' ? token : literal(token);
}

/** What an escaped character means to Go's regular expressions, which is where patternmatcher passes it on to. */
function translateEscape(token: string, inClass: boolean): string {
  const character = token[1]!;
  if (/[dDsSwWfnrtv]/.test(character) || (!inClass && /[bB]/.test(character))) return token;
  if (character === 'a') return '\\x07';
  if (/[a-zA-Z0-9]|[^\0-\x7f]/.test(character)) return UNKNOWN_ESCAPE;
  return inClass && character === '-' ? token : literal(character);
}

/** No regular expression with the flag `u` may have this. */
const UNKNOWN_ESCAPE = '\\e';

/** A character that stands for itself in a regular expression with the flag `u`. */
function literal(character: string): string {
  return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

interface Verdict {
  readonly ignored: boolean;
  /** For each pattern whether it matched here or above. A pattern that had no say here does not count as matched below. */
  readonly matched: readonly boolean[];
}

const root: Verdict = { ignored: false, matched: [] };

/** Judges paths; what was found of a directory is kept for what lies in it, of which there may be a hundred thousand files. */
class Judge {
  readonly #patterns: readonly Pattern[];
  readonly #directories = new Map<string, Verdict>();

  constructor(patterns: readonly Pattern[]) {
    this.#patterns = patterns;
  }

  /** The verdict on the directory that a path lies in. */
  above(path: string): Verdict {
    const slash = path.lastIndexOf('/');
    return slash <= 0 ? root : this.directory(path.slice(0, slash));
  }

  directory(path: string): Verdict {
    let verdict = this.#directories.get(path);
    if (verdict === undefined) {
      const matched: boolean[] = [];
      const ignored = this.ignoresBelow(this.above(path), path, matched);
      verdict = { ignored, matched };
      this.#directories.set(path, verdict);
    }
    return verdict;
  }

  /** Whether a path is left out; notes in `matched`, if it is given, which patterns said something of it. */
  ignoresBelow(above: Verdict, path: string, matched?: boolean[]): boolean {
    let ignored = false;
    for (let at = 0; at < this.#patterns.length; at++) {
      const pattern = this.#patterns[at]!;
      const match = above.matched[at] || (pattern.bringsBack === ignored && pattern.matches(path));
      if (match) ignored = !pattern.bringsBack;
      matched?.push(match);
    }
    return ignored;
  }
}

/** BuildKit's walk goes into an ignored directory unless all `!` patterns, given as prefixes, are plain and lead elsewhere. */
function mayContainIncluded(prefixes: readonly string[], directory: string): boolean {
  return prefixes.some((text) => /[*[\]?^\\]/.test(text) || `${text}/`.startsWith(`${directory}/`));
}
