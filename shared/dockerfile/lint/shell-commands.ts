/** One command of a shell script: its words without quotes. Assignments in front of it are apart. */
export interface ShellCommand {
  readonly words: readonly string[];
  readonly assignments: readonly string[];
  /** What stands between it and the next command. */
  readonly separator: string;
}

const TOKEN = /\\\n|(&&|\|\||;;|[;&|\n])|([ \t]+)|((?:\\.|'[^']*'|"(?:\\.|[^"\\])*"|[^\s;&|\\'"]|['"\\])+)/gs;

/**
 * Takes a script apart far enough to see which programs it runs with which arguments. It is no shell: nothing is expanded, and
 * `if`, `do` and the like are words of a command.
 */
export function shellCommands(script: string): ShellCommand[] {
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  const finish = (separator: string) => {
    if (words.length > 0) commands.push(toCommand(words, separator));
    words = [];
  };
  for (const [, separator, , word] of script.matchAll(TOKEN)) {
    if (separator !== undefined) finish(separator);
    else if (word?.startsWith('#') && words.length === 0) words = ['#'];
    else if (word !== undefined) words.push(unquote(word));
  }
  finish('');
  return commands.filter((command) => command.words[0] !== '#');
}

const KEYWORDS = new Set([
  'if',
  'then',
  'else',
  'elif',
  'do',
  'while',
  'until',
  '{',
  '(',
  '!',
  'time',
  'exec',
  'command',
  'env',
]);

function toCommand(given: readonly string[], separator: string): ShellCommand {
  let start = 0;
  const assignments: string[] = [];
  for (; start < given.length; start++) {
    const word = given[start]!.replace(/^\(+/, '');
    if (/^[A-Za-z_]\w*=/.test(word)) assignments.push(word);
    else if (!KEYWORDS.has(word) && word !== '') break;
  }
  const words = given.slice(start).map((word, at) => (at === 0 ? word.replace(/^\(+/, '') : word));
  return { words, assignments, separator };
}

function unquote(word: string): string {
  return word.replace(
    /\\(.)|'([^']*)'|"((?:\\.|[^"\\])*)"/gs,
    (_, escaped, single, double) => escaped ?? single ?? double ?? '',
  );
}

/** The name of the program that a command runs, without its folder. */
export function programOf(command: ShellCommand): string {
  return command.words[0]?.split('/').at(-1) ?? '';
}

/** The first word of a command that is no flag, as `install` in `apt-get -y install curl`, if it is one of those given. */
export function subcommandOf(command: ShellCommand, known: readonly string[]): string | undefined {
  const word = command.words.slice(1).find((one) => !one.startsWith('-'));
  return word !== undefined && known.includes(word) ? word : undefined;
}

/** Whether a flag is there, in its long form or among short ones that are written together. */
export function hasFlag(command: ShellCommand, long: string, short = ''): boolean {
  return command.words.some(
    (word) =>
      word === long ||
      word.startsWith(`${long}=`) ||
      (short !== '' && /^-[A-Za-z]+$/.test(word) && word.includes(short)),
  );
}
