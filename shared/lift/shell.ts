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
  /** What commands get. */
  private readonly env: Record<string, string>;
  /** What only the shell itself sees: set by `name=value` alone, and not exported. */
  private readonly own: Record<string, string> = {};
  /** Inside of an assignment, whose value is not split into words: the ones before it. */
  private pending: Readonly<Record<string, string>> | undefined;
  private at = 0;

  constructor(line: string, env: Readonly<Record<string, string>>) {
    this.line = line.replaceAll('\\\n', '');
    this.env = { ...env };
  }

  private set(name: string, value: string): void {
    if (name in this.env) this.env[name] = value;
    else this.own[name] = value;
  }

  private exported(word: string): void {
    const [, name, value] = /^([A-Za-z_]\w*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) throw new Beyond(`"export ${word}"`);
    const known = value ?? this.own[name];
    delete this.own[name];
    if (known !== undefined) this.env[name] = known;
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
      const assignment = words.length === 0 ? /^([A-Za-z_]\w*)=/.exec(this.line.slice(start)) : null;
      if (assignment?.[1] === 'IFS') throw new Beyond('another IFS');
      // An assignment sees those to its left; the command's words do not.
      this.pending = assignment === null ? undefined : assignments;
      const parts = this.word();
      this.pending = undefined;
      const raw = this.line.slice(start, this.at);
      if (assignment !== null) {
        assignments[assignment[1]!] = (parts[0]?.text ?? '').slice(assignment[0].length);
      } else {
        if (words.length === 0 && RESERVED.has(raw)) throw new Beyond(`the shell construct "${raw}"`);
        words.push(...parts);
      }
    }
    if (words.length === 0) {
      for (const [name, value] of Object.entries(assignments)) this.set(name, value);
      return undefined;
    }
    if (words[0]!.text === 'export') {
      for (const { text } of words.slice(1)) this.exported(text);
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
      // A string with escapes for bash and ksh, a dollar sign and a string for others.
      else if (character === '$' && /['"]/.test(this.line[this.at] ?? ''))
        throw new Beyond('a "$" before a quote');
      else if (character === '$') this.split(words, this.variable());
      else if (character === '`') throw new Beyond('a command substitution');
      else if (character === '~' && this.atWordStart(words)) throw new Beyond('a home folder "~"');
      else if (character === '{' && /^[^\s'"]*(,|\.\.)[^\s'"]*\}/.test(this.line.slice(this.at)))
        throw new Beyond('a brace expansion');
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

  private atWordStart(words: readonly Word[]): boolean {
    const [only] = words;
    return words.length === 1 && only!.text === '' && !only!.quoted;
  }

  private split(words: Word[], value: string): void {
    if (this.pending !== undefined) {
      words.at(-1)!.text += value;
      return;
    }
    const [first = '', ...rest] = value.split(/[ \t\n]+/);
    const pattern = (text: string) => /[*?[]/.test(text);
    words.at(-1)!.text += first;
    words.at(-1)!.pattern ||= pattern(first);
    for (const text of rest) words.push({ text, quoted: false, pattern: pattern(text) });
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

  private valueOf(name: string): string | undefined {
    return this.pending?.[name] ?? this.own[name] ?? this.env[name];
  }

  private variable(): string {
    const rest = this.line.slice(this.at);
    if (rest.startsWith('(')) throw new Beyond('a command substitution');
    const plain = /^([A-Za-z_]\w*)/.exec(rest);
    if (plain !== null) {
      this.at += plain[0].length;
      return this.valueOf(plain[1]!) ?? '';
    }
    const braced = /^\{([A-Za-z_]\w*)(?:(:?[-+])([^{}$"'`\\]*))?\}/.exec(rest);
    if (braced === null) {
      if (rest.startsWith('{') || /^[\d@*#?$!-]/.test(rest))
        throw new Beyond('a parameter expansion that is more than a variable');
      return '$';
    }
    this.at += braced[0].length;
    const value = this.valueOf(braced[1]!);
    const given = value !== undefined && (value !== '' || !braced[2]?.startsWith(':'));
    if (braced[2]?.endsWith('-')) return given ? value : braced[3]!;
    if (braced[2]?.endsWith('+')) return given ? braced[3]! : '';
    return value ?? '';
  }
}
