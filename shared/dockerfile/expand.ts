import { isSpace } from './go-text.ts';
import { ExpansionError, replacePattern, trimPattern } from './shell-pattern.ts';

/** Where variables come from: the value, or undefined for one that is not set. */
export type Lookup = (name: string) => string | undefined;

export interface ExpandOptions {
  /** The character that takes the meaning of the next one away: the Dockerfile's `# escape=` directive. */
  readonly escape?: '\\' | '`';
  /** Quotes stay in the result. */
  readonly rawQuotes?: boolean;
  /** Escape characters stay in the result. */
  readonly rawEscapes?: boolean;
  /** Quotes have no meaning, as in the body of a heredoc. */
  readonly ignoreQuotes?: boolean;
  /** A variable that is not set stays as it is written. */
  readonly keepUnset?: boolean;
}

export interface Expansion {
  /** The text as one word, its spaces kept. */
  readonly word: string;
  /** The text split at spaces outside quotes, after expansion. */
  readonly words: readonly string[];
  readonly used: ReadonlySet<string>;
  /** Variables that were asked for and are not set. */
  readonly missing: ReadonlySet<string>;
}

/**
 * Expands `$name` and `${name…}` and removes quotes and escapes, as BuildKit's shell lexer does for Dockerfiles: the modifiers
 * `:-`, `-`, `:+`, `+`, `:?`, `?`, `#`, `##`, `%`, `%%`, `/` and `//` are known.
 */
export function expand(text: string, lookup: Lookup, options: ExpandOptions = {}): Expansion {
  const state: State = {
    // Go's scanner drops a byte order mark at the start.
    characters: Array.from(text.startsWith('\ufeff') ? text.slice(1) : text),
    at: 0,
    lookup,
    escape: options.escape ?? '\\',
    options,
    rawEscapes: options.rawEscapes ?? false,
    pending: '',
    used: new Set(),
    missing: new Set(),
  };
  const { word, words } = readUntil(state, undefined, state.rawEscapes, false);
  return { word, words, used: state.used, missing: state.missing };
}

interface State {
  readonly characters: readonly string[];
  at: number;
  readonly lookup: Lookup;
  readonly escape: string;
  readonly options: ExpandOptions;
  rawEscapes: boolean;
  /**
   * The word that is being collected. BuildKit has one buffer for the whole expansion, which the operand of a modifier empties:
   * `a${x:-b}c` is "abc" as one word, and the words are "bc". EXPOSE shows that.
   */
  pending: string;
  readonly used: Set<string>;
  readonly missing: Set<string>;
}

const peek = (state: State) => state.characters[state.at];
const next = (state: State) => state.characters[state.at++];

interface Collected {
  readonly words: string[];
  inWord: boolean;
}

function collectRaw(state: State, collected: Collected, text: string): void {
  state.pending += text;
  collected.inWord = true;
}

function collect(state: State, collected: Collected, text: string): void {
  for (const character of text) {
    if (!isSpace(character)) collectRaw(state, collected, character);
    else if (collected.inWord && state.pending !== '') {
      collected.words.push(state.pending);
      state.pending = '';
      collected.inWord = false;
    }
  }
}

/**
 * Reads up to `stop`, or to the end when there is none. `pattern` doubles escape characters inside quotes, for the result is read
 * again as a pattern.
 */
function readUntil(
  state: State,
  stop: string | undefined,
  rawEscapes: boolean,
  pattern: boolean,
): { word: string; words: string[] } {
  const outer = state.rawEscapes;
  state.rawEscapes = rawEscapes;
  state.pending = '';
  const collected: Collected = { words: [], inWord: false };
  let word = '';
  for (;;) {
    const character = peek(state);
    if (character === undefined) break;
    if (character === stop) break;
    word += readOne(state, collected, character, pattern);
  }
  if (stop !== undefined && next(state) === undefined)
    throw new ExpansionError(`a closing ${stop} is missing`);
  if (state.pending !== '') collected.words.push(state.pending);
  state.pending = '';
  state.rawEscapes = outer;
  return { word, words: collected.words };
}

function readOne(state: State, collected: Collected, character: string, pattern: boolean): string {
  const special = readSpecial(state, character, pattern);
  if (special !== undefined) {
    if (character === '$') collect(state, collected, special);
    else collectRaw(state, collected, special);
    return special;
  }
  state.at++;
  if (character !== state.escape) {
    collect(state, collected, character);
    return character;
  }
  const kept = state.rawEscapes ? character : '';
  const escaped = next(state) ?? '';
  if (kept + escaped !== '') collectRaw(state, collected, kept + escaped);
  return kept + escaped;
}

function readSpecial(state: State, character: string, pattern: boolean): string | undefined {
  switch (character) {
    case '$':
      return readDollar(state);
    case '<':
      return readHeredocStart(state);
    case "'":
      return state.options.ignoreQuotes ? undefined : readSingleQuoted(state, pattern);
    case '"':
      return state.options.ignoreQuotes ? undefined : readDoubleQuoted(state, pattern);
    default:
      return undefined;
  }
}

/** `<<` and the spaces behind it belong to one word, so that `<< EOF` is one. */
function readHeredocStart(state: State): string {
  state.at++;
  if (peek(state) !== '<') return '<';
  state.at++;
  let start = '<<';
  while (peek(state) !== undefined && /[\t\r ]/.test(peek(state)!)) start += next(state);
  return start;
}

function readSingleQuoted(state: State, pattern: boolean): string {
  const opening = next(state)!;
  const kept = state.options.rawQuotes ? opening : '';
  let out = kept;
  for (;;) {
    const character = next(state);
    if (character === undefined) throw new ExpansionError("a closing ' is missing");
    if (character === "'") return out + kept;
    out += pattern && character === state.escape ? character + character : character;
  }
}

function readDoubleQuoted(state: State, pattern: boolean): string {
  const opening = next(state)!;
  const kept = state.options.rawQuotes ? opening : '';
  let out = kept;
  for (;;) {
    const character = peek(state);
    if (character === undefined) throw new ExpansionError('a closing " is missing');
    if (character === '$') {
      out += readDollar(state);
      continue;
    }
    state.at++;
    if (character === '"') return out + kept;
    out += character === state.escape ? readEscapeInQuotes(state, pattern) : character;
  }
}

/** In double quotes an escape character counts before `"`, `$` and itself; elsewhere it is text. */
function readEscapeInQuotes(state: State, pattern: boolean): string {
  const escaped = peek(state);
  if (escaped === undefined) return '';
  if (escaped === '"' || escaped === '$' || escaped === state.escape) {
    state.at++;
    return (state.rawEscapes ? state.escape : '') + escaped;
  }
  const doubled = state.rawEscapes && (!state.options.rawQuotes || pattern);
  return doubled ? state.escape + state.escape : state.escape;
}

function readDollar(state: State): string {
  state.at++;
  if (peek(state) === '{') return readBraced(state);
  const name = readName(state);
  if (name === '') return '$';
  const value = lookUp(state, name);
  return value ?? (state.options.keepUnset ? `$${name}` : '');
}

function readName(state: State): string {
  const first = peek(state);
  if (first === undefined) return '';
  if (/^\p{Nd}$/u.test(first)) return readWhile(state, /^\p{Nd}$/u);
  if (/^[@*#?\-$!0]$/.test(first)) return next(state)!;
  return readWhile(state, /^[\p{L}\p{Nd}_]$/u);
}

function readWhile(state: State, kind: RegExp): string {
  let out = '';
  while (peek(state) !== undefined && kind.test(peek(state)!)) out += next(state);
  return out;
}

function lookUp(state: State, name: string): string | undefined {
  const value = state.lookup(name);
  (value === undefined ? state.missing : state.used).add(name);
  return value;
}

function readBraced(state: State): string {
  state.at++;
  const first = peek(state);
  if (first === undefined) throw new ExpansionError('a closing } is missing');
  if (first === '{' || first === '}' || first === ':')
    throw new ExpansionError(`"\${${first}" names no variable`);
  const name = readName(state);
  const mark = next(state);
  switch (mark) {
    case '}':
      return lookUp(state, name) ?? (state.options.keepUnset ? `\${${name}}` : '');
    case ':':
      return readModifier(state, name, next(state) ?? '', true);
    case '/':
      return readReplacement(state, name);
    default:
      return readModifier(state, name, mark ?? '', false);
  }
}

function readModifier(state: State, name: string, mark: string, emptyIsUnset: boolean): string {
  const modifier = (emptyIsUnset ? ':' : '') + mark;
  const trims = mark === '#' || mark === '%';
  if (mark === '') throw new ExpansionError('a closing } is missing');
  if (!'+-?#%'.includes(mark) || (emptyIsUnset && trims))
    throw new ExpansionError(
      `"\${${name}${modifier}…}" is no known substitution; known are :- - :+ + :? ? # ## % %% / //`,
    );
  const { word } = readUntil(state, '}', trims, trims);
  const value = lookUp(state, name);
  if (value === undefined && state.options.keepUnset) return `\${${name}${modifier}${word}}`;
  if (trims) return trimPattern(word, value ?? '', mark);
  const set = value !== undefined && !(emptyIsUnset && value === '');
  if (mark === '+') return set ? word : '';
  if (set) return value;
  if (mark === '-') return word;
  const kind = value === undefined ? 'unset' : 'empty';
  throw new ExpansionError(`${name}: ${word === '' ? `is not allowed to be ${kind}` : word}`);
}

function readReplacement(state: State, name: string): string {
  const all = peek(state) === '/';
  if (all) state.at++;
  const { word: pattern } = readUntil(state, '/', true, true);
  const { word: replacement } = readUntil(state, '}', true, false);
  const value = lookUp(state, name);
  if (value === undefined && state.options.keepUnset) return `\${${name}/${pattern}/${replacement}}`;
  return replacePattern(pattern, value ?? '', replacement, all);
}
