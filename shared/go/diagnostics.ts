import { isAbsolute, relative, resolve, sep } from 'node:path';
import { Failure, type Location } from '../host/index.ts';

/** One complaint of the compiler, the linker or the go command. */
export interface Diagnostic {
  readonly message: string;
  /** undefined where Go names no file, or one outside of the workspace. */
  readonly location?: Location;
}

/** A build that the go command refused, with every complaint. Show each at its place and the failure's message as their sum. */
export class CompileFailure extends Failure {
  readonly diagnostics: readonly Diagnostic[];

  constructor(message: string, diagnostics: readonly Diagnostic[], cause?: unknown) {
    super(message, { location: diagnostics.find((one) => one.location !== undefined)?.location, cause });
    this.diagnostics = diagnostics;
  }
}

interface BuildEvent {
  readonly ImportPath?: string;
  readonly Action: string;
  readonly Output?: string;
}

/**
 * Gathers the output of `go build`, package by package: of `go build -json` (`go help buildjson`, Go 1.24) from standard output, of
 * older ones from standard error as text.
 */
export class BuildOutput {
  readonly #text = new Map<string, string>();

  /** Takes a line of the go command's output; gives what it says to a reader, which may be nothing. */
  line(line: string): string {
    const event = parseEvent(line);
    if (event === undefined) return this.#add('', `${line}\n`);
    return event.Action === 'build-output' ? this.#add(event.ImportPath ?? '', event.Output ?? '') : '';
  }

  #add(importPath: string, text: string): string {
    this.#text.set(importPath, (this.#text.get(importPath) ?? '') + text);
    return text.trimEnd();
  }

  /** What was said, in the order in which packages spoke first. */
  get text(): string {
    return [...this.#text.values()].join('');
  }

  /** Complaints, each once: packages that many targets share say the same. `directory` is where go ran. */
  diagnostics(directory: string, workspace: string): Diagnostic[] {
    return [...this.#text.values()].flatMap((text) => parseDiagnostics(text, directory, workspace));
  }
}

function parseEvent(line: string): BuildEvent | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const event = JSON.parse(line) as Partial<BuildEvent>;
    return typeof event.Action === 'string' ? (event as BuildEvent) : undefined;
  } catch {
    return undefined;
  }
}

/** Reads `file.go:line:column: message` lines; indented lines belong to the one above. */
export function parseDiagnostics(text: string, directory: string, workspace: string): Diagnostic[] {
  const found: { message: string; location?: Location }[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (/^(#|go: (downloading|finding|extracting)|\s*$)/.test(line)) continue;
    const last = found.at(-1);
    if (/^\s/.test(line) && last !== undefined) last.message += `\n${line.trim()}`;
    else found.push(parseLine(line, directory, workspace));
  }
  return found.filter(({ message }) => !/^too many errors$/.test(message));
}

function parseLine(line: string, directory: string, workspace: string): Diagnostic {
  const match = /^((?:[A-Za-z]:)?[^:\s][^:]*\.\w+):(\d+)(?::(\d+))?: (.*)$/.exec(line);
  if (match === null) return { message: line.replace(/^go: /, '').trim() };
  const [, file, row, column, message] = match;
  const path = relative(workspace, resolve(directory, file!));
  if (path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path)) return { message: line.trim() };
  const location = { file: path.split(sep).join('/'), line: Number(row) };
  return {
    message: message!,
    location: column === undefined ? location : { ...location, column: Number(column) },
  };
}

/** Each complaint once, in order. */
export function distinct(diagnostics: readonly Diagnostic[]): Diagnostic[] {
  return [...new Map(diagnostics.map((one) => [JSON.stringify([one.location, one.message]), one])).values()];
}

/** `internal/store/store.go:14:2: undefined: x` */
export function formatDiagnostic({ message, location }: Diagnostic): string {
  if (location === undefined) return message;
  return [location.file, location.line, location.column, ` ${message}`]
    .filter((part) => part !== undefined)
    .join(':');
}

/** The failure of one or more targets, in one sentence that shows the first complaint. */
export function compileFailure(
  targets: readonly string[],
  diagnostics: readonly Diagnostic[],
  cause: unknown,
): CompileFailure {
  const all = distinct(diagnostics);
  const first = all.find((one) => one.location !== undefined) ?? all[0];
  const said =
    first === undefined ? 'the go command gave no reason' : formatDiagnostic(first).split('\n')[0]!;
  const more = all.length > 1 ? ` (and ${all.length - 1} more)` : '';
  return new CompileFailure(`go build failed for ${targets.join(', ')}: ${said}${more}.`, all, cause);
}
