import { Failure } from '../host/index.ts';
import { isSpace, trimLeft, trimSpace } from './go-text.ts';

/** A line taken apart: `COPY --link a b` is the word COPY, the flag `--link` and the rest `a b`. */
export interface Command {
  readonly word: string;
  readonly flags: readonly string[];
  /** For each flag where it ends in the line. */
  readonly ends: readonly number[];
  readonly rest: string;
}

export function splitCommand(line: string, token: string): Command {
  const trimmed = trimSpace(line);
  const match = /^([^\t\v\f\r ]*)[\t\v\f\r ]+(.*)$/s.exec(trimmed);
  if (match === null) return { word: trimmed, flags: [], ends: [], rest: '' };
  const { flags, ends, rest } = splitFlags(match[2]!, token);
  const before = line.length - trimLeft(line).length + trimmed.length - match[2]!.length;
  return { word: match[1]!, flags, ends: ends.map((end) => before + end), rest: trimSpace(rest) };
}

/**
 * The flags at the start of a line, quotes and escapes removed. BuildKit reads this part byte by byte, so a byte of a longer
 * character counts as a character here too.
 */
function splitFlags(text: string, token: string): { flags: string[]; ends: number[]; rest: string } {
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  const flags: string[] = [];
  const ends: number[] = [];
  let at = 0;
  for (;;) {
    while (at < bytes.length && isSpace(bytes[at]!)) at++;
    if (!bytes.startsWith('--', at)) break;
    const flag = readFlag(bytes, at, token);
    at = flag.end;
    if (flag.text === '--') break;
    flags.push(flag.text);
    ends.push(fromLatin1(bytes.slice(0, at)).length);
  }
  return { flags, ends, rest: fromLatin1(bytes.slice(at)) };
}

function fromLatin1(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function readFlag(bytes: string, start: number, token: string): { text: string; end: number } {
  let text = '';
  let open = '';
  let at = start;
  for (; at < bytes.length; at++) {
    const character = bytes[at]!;
    if (open === '' && isSpace(character)) break;
    if (character === token) {
      at++;
      text += bytes[at] ?? '';
    } else if (open === '' && (character === "'" || character === '"')) open = character;
    else if (character === open) open = '';
    else text += character;
  }
  return { text, end: at };
}

/** Words at spaces outside quotes; quotes and escapes stay, for the words are expanded later. */
export function splitWords(text: string, token: string): string[] {
  const characters = Array.from(text);
  const words: string[] = [];
  for (let at = 0; at < characters.length; ) {
    if (isSpace(characters[at]!)) {
      at++;
      continue;
    }
    const word = readWord(characters, at, token);
    at = word.end;
    if (word.text !== '') words.push(word.text);
  }
  return words;
}

function readWord(
  characters: readonly string[],
  start: number,
  token: string,
): { text: string; end: number } {
  let text = '';
  let open = '';
  let at = start;
  for (; at < characters.length; at++) {
    const character = characters[at]!;
    if (open === '' && isSpace(character)) break;
    if (open === '' && (character === "'" || character === '"')) open = character;
    else if (character === open) open = '';
    if (character === token && open !== "'") {
      // An escape character at the end of the line stands for nothing.
      if (at + 1 === characters.length) continue;
      at++;
      text += character + characters[at]!;
    } else text += character;
  }
  return { text, end: at };
}

/** Words at white space, whatever is in them. */
export function splitAtSpaces(text: string): string[] {
  return text === '' ? [] : text.split(/[\t\v\f\r ]+/);
}

/** The strings of the JSON form (`["a", "b"]`), or undefined when the text is not in JSON form. */
export function parseJsonForm(text: string): string[] | undefined {
  const trimmed = trimSpace(text);
  if (!trimmed.startsWith('[')) return undefined;
  let values: unknown;
  try {
    values = JSON.parse(trimmed);
  } catch {
    return undefined;
  }
  if (!Array.isArray(values)) return undefined;
  if (values.every((value) => typeof value === 'string')) return values.map((value) => value.toWellFormed());
  throw new Failure(`the JSON form takes strings only, but ${JSON.stringify(values)} holds something else.`);
}

export interface Pair {
  readonly key: string;
  readonly value: string;
  /** Written as `KEY value`, the form that is going out of use. */
  readonly legacy: boolean;
}

/** Pairs of ENV and LABEL, in the form `a=b c=d` or the older `a b`. */
export function splitPairs(text: string, keyword: string, token: string): Pair[] {
  const words = splitWords(text, token);
  if (words.length === 0) return [];
  if (!words[0]!.includes('=')) {
    const match = /^([^\t\v\f\r ]*)[\t\v\f\r ]+(.*)$/s.exec(text);
    if (match === null)
      throw new Failure(`${keyword} needs a name and a value, such as ${keyword} ${text}=value.`);
    return [{ key: match[1]!, value: match[2]!, legacy: true }];
  }
  return words.map((word) => {
    const equals = word.indexOf('=');
    if (equals < 0) throw new Failure(`${keyword} has "${word}", which has no "="; accepted is name=value.`);
    return { key: word.slice(0, equals), value: word.slice(equals + 1), legacy: false };
  });
}
