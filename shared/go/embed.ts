import { type Dirent, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The files that a `//go:embed` pattern takes from its package's folder (cmd/go/internal/load, resolveEmbed), as paths relative to
 * that folder, sorted. Matching nothing gives an empty list: complaining is the compiler's part.
 */
export function embeddedFiles(directory: string, pattern: string): string[] {
  const all = pattern.startsWith('all:');
  const glob = all ? pattern.slice('all:'.length) : pattern;
  const found = new Set<string>();
  for (const match of expand(directory, '', glob.split('/')))
    for (const file of filesAt(directory, match, all)) found.add(file);
  return [...found].sort();
}

interface Match {
  readonly path: string;
  readonly entry: Dirent;
}

/** path.Match element by element; unlike a shell's, its `*` takes names that start with a dot. */
function expand(directory: string, at: string, elements: readonly string[]): Match[] {
  const [first, ...rest] = elements;
  if (first === undefined) return [];
  if (first === '.') return rest.length === 0 ? everything(directory, at) : expand(directory, at, rest);
  const expression = elementExpression(first);
  return entriesOf(join(directory, at))
    .filter((entry) => expression.test(entry.name))
    .flatMap((entry) => {
      const path = at === '' ? entry.name : `${at}/${entry.name}`;
      if (rest.length === 0) return [{ path, entry }];
      return entry.isDirectory() ? expand(directory, path, rest) : [];
    });
}

function everything(directory: string, at: string): Match[] {
  return entriesOf(join(directory, at)).map((entry) => ({
    path: at === '' ? entry.name : `${at}/${entry.name}`,
    entry,
  }));
}

function filesAt(directory: string, { path, entry }: Match, all: boolean): string[] {
  if (entry.isFile()) return [path];
  if (!entry.isDirectory() || /^\.(bzr|hg|git|svn)$/.test(entry.name)) return [];
  if (existsSync(join(directory, path, 'go.mod'))) return [];
  return entriesOf(join(directory, path))
    .filter(({ name }) => all || !/^[._]/.test(name))
    .flatMap((child) => filesAt(directory, { path: `${path}/${child.name}`, entry: child }, all));
}

function entriesOf(folder: string): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}

/** One element of Go's path.Match as a regular expression: `*`, `?`, `[a-z]`, `[^a]` and `\` before any character. */
function elementExpression(element: string): RegExp {
  let expression = '';
  for (let i = 0; i < element.length; i++) {
    const character = element[i]!;
    if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += '[^/]';
    else if (character === '[') {
      const end = classEnd(element, i);
      if (end === undefined) return /$^/;
      expression += classExpression(element.slice(i + 1, end));
      i = end;
    } else {
      if (character === '\\') i++;
      expression += literal(element[i] ?? '');
    }
  }
  return new RegExp(`^${expression}$`, 'u');
}

function classEnd(element: string, start: number): number | undefined {
  for (let i = start + 1; i < element.length; i++) {
    if (element[i] === '\\') i++;
    else if (element[i] === ']' && i > start + 1) return i;
  }
  return undefined;
}

function classExpression(body: string): string {
  const negated = body.startsWith('^');
  const inner = (negated ? body.slice(1) : body).replace(
    /\\(.)|([[\]^&|~])/gsu,
    (_, escaped?: string, special?: string) => literalInClass(escaped ?? special!),
  );
  return `[${negated ? '^' : ''}${inner}]`;
}

function literal(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/u, '\\$&').replace('\\-', '-');
}

function literalInClass(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}
