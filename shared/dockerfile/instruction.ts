import { didYouMean, Failure } from '../host/index.ts';
import { parseDuration } from './duration.ts';
import { type Flags, readFlags } from './flags.ts';
import { isSpace, trimSpace } from './go-text.ts';
import { chompHeredoc, parseHeredocWord } from './heredoc.ts';
import type { Instruction } from './model.ts';
import { checkMounts } from './mount.ts';
import { type Pair, parseJsonForm, splitAtSpaces, splitCommand, splitPairs, splitWords } from './words.ts';

/** What an instruction says, taken apart but not expanded. */
export type Statement =
  | FromStatement
  | ArgStatement
  | CopyStatement
  | RunStatement
  | HealthcheckStatement
  | { readonly kind: 'env' | 'label'; readonly pairs: readonly Pair[] }
  | { readonly kind: 'cmd' | 'entrypoint'; readonly words: readonly string[]; readonly json: boolean }
  | { readonly kind: 'maintainer' | 'user' | 'stopsignal'; readonly text: string }
  | { readonly kind: 'workdir'; readonly text: string }
  | { readonly kind: 'onbuild'; readonly text: string }
  | { readonly kind: 'expose' | 'volume' | 'shell'; readonly words: readonly string[] };

export interface FromStatement {
  readonly kind: 'from';
  readonly base: string;
  readonly name: string | undefined;
  readonly platform: string | undefined;
}

export interface ArgStatement {
  readonly kind: 'arg';
  readonly args: readonly { readonly key: string; readonly value: string | undefined }[];
}

export interface CopyStatement {
  readonly kind: 'copy' | 'add';
  readonly sources: readonly string[];
  readonly inline: readonly { readonly name: string; readonly content: string; readonly expand: boolean }[];
  readonly destination: string;
  readonly from: string | undefined;
  readonly chown: string;
  readonly chmod: string;
  readonly checksum: string;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  readonly keepGitDir: boolean | undefined;
  readonly unpack: boolean | undefined;
}

export interface RunStatement {
  readonly kind: 'run';
  readonly words: readonly string[];
  readonly json: boolean;
  readonly mounts: readonly string[];
  readonly devices: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

export interface HealthcheckStatement {
  readonly kind: 'healthcheck';
  readonly test: readonly string[];
  /** Nanoseconds, 0 where nothing is said. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

type Reader = (instruction: Instruction, flags: Flags, token: string) => Statement;

const READERS: Readonly<Record<string, Reader>> = {
  ADD: readCopy,
  ARG: readArg,
  CMD: readCommand,
  COPY: readCopy,
  ENTRYPOINT: readCommand,
  ENV: readPairs,
  EXPOSE: readExpose,
  FROM: readFrom,
  HEALTHCHECK: readHealthcheck,
  LABEL: readPairs,
  MAINTAINER: readText,
  ONBUILD: readOnbuild,
  RUN: readRun,
  SHELL: readShell,
  STOPSIGNAL: readText,
  USER: readText,
  VOLUME: readVolume,
  WORKDIR: readText,
};

/** Instructions that a Dockerfile knows. */
export const KEYWORDS: readonly string[] = Object.keys(READERS);

/** Takes an instruction apart. Throws a Failure without a place for what BuildKit would not parse. */
export function readInstruction(instruction: Instruction, token: string): Statement {
  const reader = READERS[instruction.keyword];
  if (reader === undefined) throw unknownInstruction(instruction.word);
  // HEALTHCHECK NONE takes any flag; its reader asks for them itself.
  const flags = instruction.keyword === 'HEALTHCHECK' ? NO_FLAGS : readFlags(instruction);
  return reader(instruction, flags, token);
}

const NO_FLAGS: Flags = { text: () => undefined, flag: () => undefined, list: () => [] };

function unknownInstruction(word: string): Failure {
  const hint = didYouMean(word.toUpperCase(), KEYWORDS);
  return new Failure(
    `"${word}" is no Dockerfile instruction.${hint === '' ? ` Accepted are ${KEYWORDS.join(', ')}.` : hint}`,
  );
}

function readFrom(instruction: Instruction, flags: Flags): FromStatement {
  const words = splitAtSpaces(instruction.rest);
  if (words.length !== 1 && !(words.length === 3 && words[1]!.toLowerCase() === 'as'))
    throw new Failure(
      `FROM takes an image, or an image and a name: FROM image AS name; given is "${instruction.rest}".`,
    );
  const name = words[2]?.toLowerCase();
  if (name !== undefined && !/^[a-z][a-z0-9-_.]*$/.test(name))
    throw new Failure(
      `"${words[2]}" is no name for a stage; a name starts with a letter and has letters, digits, "-", "_" and "." only.`,
    );
  return { kind: 'from', base: words[0]!, name, platform: flags.text('platform') };
}

function readArg(instruction: Instruction, _: Flags, token: string): ArgStatement {
  const words = splitWords(instruction.rest, token);
  if (words.length === 0) throw new Failure('ARG needs a name, such as ARG VERSION or ARG VERSION=1.0.');
  const args = words.map((word) => {
    const equals = word.indexOf('=');
    if (equals === 0) throw new Failure(`ARG ${word} has no name before the "=".`);
    return equals < 0
      ? { key: word, value: undefined }
      : { key: word.slice(0, equals), value: word.slice(equals + 1) };
  });
  return { kind: 'arg', args };
}

function readPairs(instruction: Instruction, _: Flags, token: string): Statement {
  const { keyword } = instruction;
  const pairs = splitPairs(instruction.rest, keyword, token);
  if (pairs.length === 0)
    throw new Failure(`${keyword} needs a name and a value, such as ${keyword} name=value.`);
  if (pairs.some((pair) => pair.key === ''))
    throw new Failure(`${keyword} has a value without a name: "${instruction.rest}".`);
  return { kind: keyword === 'ENV' ? 'env' : 'label', pairs };
}

/** MAINTAINER, USER, WORKDIR and STOPSIGNAL take the rest of the line as one word. */
function readText(instruction: Instruction): Statement {
  if (instruction.rest === '') throw new Failure(`${instruction.keyword} needs one argument and has none.`);
  const kind = instruction.keyword.toLowerCase() as 'maintainer' | 'user' | 'workdir' | 'stopsignal';
  return { kind, text: instruction.rest };
}

/** A list in JSON form, or words at spaces. */
function readList(instruction: Instruction): string[] {
  return parseJson(instruction) ?? splitAtSpaces(instruction.rest);
}

function parseJson(instruction: Instruction, text = instruction.rest): string[] | undefined {
  try {
    return parseJsonForm(text);
  } catch (error) {
    if (error instanceof Failure) throw new Failure(`${instruction.keyword}: ${error.message}`);
    throw error;
  }
}

/** The command of RUN, CMD, ENTRYPOINT, SHELL: strings in JSON form, or one line for the shell. */
function readLine(instruction: Instruction, text = instruction.rest): { words: string[]; json: boolean } {
  const json = text === '' ? undefined : parseJson(instruction, text);
  if (json !== undefined) return { words: json, json: true };
  return { words: text === '' ? [] : [text], json: false };
}

function readCommand(instruction: Instruction): Statement {
  return { kind: instruction.keyword === 'CMD' ? 'cmd' : 'entrypoint', ...readLine(instruction) };
}

function readShell(instruction: Instruction): Statement {
  const { words, json } = readLine(instruction);
  if (words.length === 0 || !json)
    throw new Failure(
      `SHELL takes the JSON form only, such as SHELL ["/bin/sh", "-c"]; given is "${instruction.rest}".`,
    );
  return { kind: 'shell', words };
}

function readExpose(instruction: Instruction): Statement {
  const words = splitAtSpaces(instruction.rest);
  if (words.length === 0) throw new Failure('EXPOSE needs a port, such as EXPOSE 8080.');
  return { kind: 'expose', words: words.sort() };
}

function readVolume(instruction: Instruction): Statement {
  const words = readList(instruction).map(trimSpace);
  if (words.length === 0 || words.includes(''))
    throw new Failure('VOLUME needs a path, such as VOLUME /data.');
  return { kind: 'volume', words };
}

function readCopy(instruction: Instruction, flags: Flags): CopyStatement {
  const { keyword } = instruction;
  const words = readList(instruction);
  if (words.length < 2)
    throw new Failure(`${keyword} needs a source and a destination; given is "${instruction.rest}".`);
  const destination = words.at(-1)!;
  if (heredocOf(destination) !== undefined)
    throw new Failure(
      `${keyword} cannot have a heredoc as its destination; write the destination last, behind "${destination}".`,
    );
  return {
    kind: keyword === 'COPY' ? 'copy' : 'add',
    ...readSources(instruction, words.slice(0, -1)),
    destination,
    from: flags.text('from') || undefined,
    chown: flags.text('chown') ?? '',
    chmod: flags.text('chmod') ?? '',
    checksum: flags.text('checksum') ?? '',
    link: flags.flag('link') ?? false,
    parents: flags.flag('parents') ?? false,
    exclude: flags.list('exclude'),
    keepGitDir: flags.flag('keep-git-dir'),
    unpack: flags.flag('unpack'),
  };
}

function readSources(
  instruction: Instruction,
  words: readonly string[],
): Pick<CopyStatement, 'sources' | 'inline'> {
  const sources: string[] = [];
  const inline: CopyStatement['inline'][number][] = [];
  for (const word of words) {
    const heredoc = heredocOf(word);
    if (heredoc === undefined) {
      sources.push(word);
      continue;
    }
    const content = instruction.heredocs.findLast((one) => one.name === heredoc.name)?.content ?? '';
    const { name, expand } = heredoc;
    inline.push({ name, content: heredoc.chomp ? chompHeredoc(content) : content, expand });
  }
  return { sources, inline };
}

function heredocOf(word: string) {
  try {
    return parseHeredocWord(word);
  } catch {
    // BuildKit takes a word that it cannot read as a heredoc for a path.
    return undefined;
  }
}

function readRun(instruction: Instruction, flags: Flags): RunStatement {
  const line = readLine(instruction);
  if (line.json && line.words.length === 0) throw new Failure('RUN [] has no command.');
  const network = flags.text('network') ?? 'default';
  const security = flags.text('security') ?? 'sandbox';
  checkChoice('RUN --network', network, ['default', 'none', 'host']);
  checkChoice('RUN --security', security, ['sandbox', 'insecure']);
  const mounts = flags.list('mount');
  checkMounts(mounts);
  return {
    kind: 'run',
    ...line,
    mounts,
    devices: flags.list('device'),
    network: network as RunStatement['network'],
    security: security as RunStatement['security'],
  };
}

function checkChoice(what: string, given: string, accepted: readonly string[]): void {
  if (accepted.includes(given)) return;
  throw new Failure(
    `${what} is "${given}"; accepted are ${accepted.join(', ')}.${didYouMean(given, accepted)}`,
  );
}

function readHealthcheck(instruction: Instruction): HealthcheckStatement {
  const { rest } = instruction;
  const end = Array.from(rest).findIndex(isSpace);
  const type = (end < 0 ? rest : rest.slice(0, end)).toUpperCase();
  const line = readLine(instruction, end < 0 ? '' : trimSpace(rest.slice(end)));
  const none = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };
  switch (type) {
    case 'NONE':
      if (line.words.length > 0)
        throw new Failure(`HEALTHCHECK NONE takes no arguments; given is "${rest}".`);
      return { kind: 'healthcheck', test: ['NONE'], ...none };
    case 'CMD':
      if (line.words.length === 0) throw new Failure('HEALTHCHECK CMD needs a command.');
      return {
        kind: 'healthcheck',
        test: [line.json ? 'CMD' : 'CMD-SHELL', ...line.words],
        ...readTiming(readFlags(instruction)),
      };
    case '':
      throw new Failure('HEALTHCHECK needs NONE, or CMD and a command.');
    default:
      throw new Failure(
        `HEALTHCHECK is followed by "${type}"; accepted are NONE and CMD.${didYouMean(type, ['NONE', 'CMD'])}`,
      );
  }
}

function readTiming(flags: Flags): Omit<HealthcheckStatement, 'kind' | 'test'> {
  return {
    interval: readInterval(flags, 'interval'),
    timeout: readInterval(flags, 'timeout'),
    startPeriod: readInterval(flags, 'start-period'),
    startInterval: readInterval(flags, 'start-interval'),
    retries: readRetries(flags.text('retries') ?? ''),
  };
}

function readInterval(flags: Flags, name: string): number {
  const text = flags.text(name) ?? '';
  if (text === '') return 0;
  const duration = parseDuration(text);
  if (duration === undefined)
    throw new Failure(`HEALTHCHECK --${name} is "${text}"; accepted is a duration such as 30s or 1m30s.`);
  if (duration !== 0 && duration < 1e6)
    throw new Failure(`HEALTHCHECK --${name} is "${text}"; accepted are 0 and 1ms or more.`);
  return duration;
}

function readRetries(text: string): number {
  if (text === '') return 0;
  if (/^[+-]?\d+$/.test(text) && Number(text) >= 0 && Number(text) < 2 ** 31) return Number(text);
  throw new Failure(`HEALTHCHECK --retries is "${text}"; accepted is a whole number that is not negative.`);
}

function readOnbuild(instruction: Instruction, _: Flags, token: string): Statement {
  if (instruction.rest === '')
    throw new Failure('ONBUILD needs an instruction, such as ONBUILD COPY . /src.');
  const trigger = splitCommand(instruction.rest, token);
  const keyword = trigger.word.toUpperCase();
  if (keyword === 'ONBUILD') throw new Failure('ONBUILD cannot be followed by another ONBUILD.');
  if (keyword === 'MAINTAINER' || keyword === 'FROM')
    throw new Failure(`ONBUILD cannot be followed by ${keyword}.`);
  checkTrigger(keyword, trigger.rest, token);
  const body = instruction.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('');
  return { kind: 'onbuild', text: instruction.original.replace(/^\s*onbuild\s*/i, '') + body };
}

/** A trigger is read when it fires; only what its line parser would not take is wrong already here. */
function checkTrigger(keyword: string, rest: string, token: string): void {
  if (keyword === 'ENV' || keyword === 'LABEL') splitPairs(rest, keyword, token);
  if (['ADD', 'COPY', 'CMD', 'ENTRYPOINT', 'RUN', 'SHELL', 'VOLUME'].includes(keyword)) parseJsonForm(rest);
}
