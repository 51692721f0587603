/** A simple command of a shell line: leading assignments and words, quotes and variables resolved. */
export interface SimpleCommand {
  readonly assignments: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  /** Those of the words that the shell would replace by the names of files that they match. */
  readonly patterns: readonly string[];
}

/** Either the commands that run one after the other, or the construct that makes the line more than that. */
export type ShellReading =
  | { readonly kind: 'sequence'; readonly commands: readonly SimpleCommand[] }
  | { readonly kind: 'beyond'; readonly because: string };

/** Thrown inside the reader only, to leave it at the first construct that it does not model. */
class Beyond extends Error {}

interface Word {
  text: string;
  /** Whether any part was quoted: a quoted empty word is a word, an unquoted one is none. */
  quoted: boolean;
  /** Whether it has an unquoted `*`, `?` or `[`. */
  pattern: boolean;
}

/**
 * Reads a POSIX shell line as far as it is a sequence of simple commands joined by `&&`, `;` or line ends. Anything whose meaning
 * depends on running it (pipes, redirections, substitutions, conditionals) is named, not guessed.
 */
export function readShell(line: string, env: Readonly<Record<string, string>>): ShellReading {
  try {
    return { kind: 'sequence', commands: new Reader(line, env).sequence() };
  } catch (error) {
    if (error instanceof Beyond) return { kind: 'beyond', because: error.message };
    throw error;
  }
}

const RESERVED = new Set([
  'if',
  'then',
  'else',
  'elif',
  'fi',
  'for',
  'while',
  'until',
  'do',
  'done',
  'case',
  'esac',
  '{',
  '}',
  '!',
]);

class Reader {
  private readonly line: string;
  private readonly env: Record<string, string>;
  private at = 0;

  constructor(line: string, env: Readonly<Record<string, string>>) {
    this.line = line.replaceAll('\\\n', '');
    this.env = { ...env };
  }

  sequence(): SimpleCommand[] {
    const commands: SimpleCommand[] = [];
    while (this.at < this.line.length) {
      const command = this.simpleCommand();
      if (command !== undefined) commands.push(command);
      this.separator();
    }
    return commands;
  }

  private simpleCommand(): SimpleCommand | undefined {
    const assignments: Record<string, string> = {};
    const words: Word[] = [];
    for (;;) {
      this.blanks();
      const next = this.line[this.at];
      if (next === undefined || next === '\n' || next === ';' || next === '&') break;
      const start = this.at;
      const parts = this.word();
      const raw = this.line.slice(start, this.at);
      const assignment = words.length === 0 ? /^([A-Za-z_]\w*)=/.exec(raw) : null;
      if (assignment !== null) {
        // An assignment is not split into words, so its parts go together again.
        assignments[assignment[1]!] = parts
          .map((part) => part.text)
          .join(' ')
          .slice(assignment[0].length);
      } else {
        if (words.length === 0 && RESERVED.has(raw)) throw new Beyond(`the shell construct "${raw}"`);
        words.push(...parts);
      }
    }
    if (words.length === 0) {
      Object.assign(this.env, assignments);
      return undefined;
    }
    if (words[0]!.text === 'export') {
      for (const { text } of words.slice(1)) {
        const equals = text.indexOf('=');
        if (equals > 0) this.env[text.slice(0, equals)] = text.slice(equals + 1);
      }
      return undefined;
    }
    return {
      assignments: { ...this.env, ...assignments },
      words: words.map((word) => word.text),
      patterns: words.filter((word) => word.pattern).map((word) => word.text),
    };
  }

  private separator(): void {
    this.blanks();
    const rest = this.line.slice(this.at);
    const separator = /^(&&|;(?!;)|\n)/.exec(rest);
    if (separator !== null) this.at += separator[0].length;
    else if (rest !== '')
      throw new Beyond(rest.startsWith('&') ? 'a background command "&"' : `"${rest[0]}"`);
  }

  private blanks(): void {
    while (/[ \t\r]/.test(this.line[this.at] ?? '')) this.at += 1;
    if (this.line[this.at] === '#' && (this.at === 0 || /\s/.test(this.line[this.at - 1]!))) {
      while (this.at < this.line.length && this.line[this.at] !== '\n') this.at += 1;
    }
  }

  /** One word as written; it becomes several (or none) where an unquoted variable is split. */
  private word(): Word[] {
    const words: Word[] = [{ text: '', quoted: false, pattern: false }];
    const append = (text: string) => {
      words.at(-1)!.text += text;
    };
    for (;;) {
      const character = this.line[this.at];
      if (character === undefined || /[ \t\r\n;&]/.test(character)) break;
      this.at += 1;
      if (character === "'") this.singleQuoted(words.at(-1)!);
      else if (character === '"') this.doubleQuoted(words.at(-1)!);
      else if (character === '\\') append(this.line[this.at++] ?? '');
      else if (character === '$') this.split(words, this.variable());
      else if (character === '`') throw new Beyond('a command substitution');
      else if (character === '|')
        throw new Beyond(this.line[this.at] === '|' ? 'an alternative "||"' : 'a pipe "|"');
      else if (character === '<' || character === '>') throw new Beyond(`a redirection "${character}"`);
      else if (character === '(' || character === ')') throw new Beyond('a subshell');
      else {
        if (/[*?[]/.test(character)) words.at(-1)!.pattern = true;
        append(character);
      }
    }
    return words.filter((word) => word.text !== '' || word.quoted);
  }

  private split(words: Word[], value: string): void {
    const [first = '', ...rest] = value.split(/[ \t\n]+/);
    words.at(-1)!.text += first;
    for (const text of rest) words.push({ text, quoted: false, pattern: false });
  }

  private singleQuoted(word: Word): void {
    const end = this.line.indexOf("'", this.at);
    if (end < 0) throw new Beyond('an unclosed quote');
    word.text += this.line.slice(this.at, end);
    word.quoted = true;
    this.at = end + 1;
  }

  private doubleQuoted(word: Word): void {
    word.quoted = true;
    for (;;) {
      const character = this.line[this.at++];
      if (character === undefined) throw new Beyond('an unclosed quote');
      if (character === '"') return;
      if (character === '`') throw new Beyond('a command substitution');
      if (character === '\\' && /["\\$`]/.test(this.line[this.at] ?? '')) word.text += this.line[this.at++];
      else if (character === '$') word.text += this.variable();
      else word.text += character;
    }
  }

  private variable(): string {
    const rest = this.line.slice(this.at);
    if (rest.startsWith('(')) throw new Beyond('a command substitution');
    const plain = /^([A-Za-z_]\w*)/.exec(rest);
    if (plain !== null) {
      this.at += plain[0].length;
      return this.env[plain[1]!] ?? '';
    }
    const braced = /^\{([A-Za-z_]\w*)(?:(:?[-+])([^{}$"'`\\]*))?\}/.exec(rest);
    if (braced === null) {
      if (rest.startsWith('{') || /^[\d@*#?$!-]/.test(rest))
        throw new Beyond('a parameter expansion that is more than a variable');
      return '$';
    }
    this.at += braced[0].length;
    const value = this.env[braced[1]!];
    const given = value !== undefined && (value !== '' || !braced[2]?.startsWith(':'));
    if (braced[2]?.endsWith('-')) return given ? value : braced[3]!;
    if (braced[2]?.endsWith('+')) return given ? braced[3]! : '';
    return value ?? '';
  }
}
