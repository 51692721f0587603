/**
 * Which files Git may have written otherwise than they are stored, or the other way round: end of lines, keywords, encodings and filters
 * such as Git LFS's (gitattributes(5), "Effects"). Rather too many than too few: which of several lines wins is not looked at.
 */
export interface Conversions {
  readonly all: boolean;
  /** Names of files, and ends of names, in lower case: Git compares without case where the file system does. */
  readonly names: ReadonlySet<string>;
  readonly ends: readonly string[];
  /** Attributes that convert, and macros that stand for some of them. */
  readonly attributes: ReadonlySet<string>;
}

export const NO_CONVERSIONS: Conversions = {
  all: false,
  names: new Set(),
  ends: [],
  attributes: new Set(['text', 'crlf', 'eol', 'ident', 'filter', 'working-tree-encoding']),
};
export const ALL_CONVERTED: Conversions = { ...NO_CONVERSIONS, all: true };

/** Whether a file of this name, in a folder for which these hold, may differ from what is stored of it. */
export function isConverted({ all, names, ends }: Conversions, name: string): boolean {
  if (all || (names.size === 0 && ends.length === 0)) return all;
  const lower = name.toLowerCase();
  return names.has(lower) || ends.some((end) => lower.endsWith(end));
}

/** Adds what an attributes file says of the folder that it lies in, and of all below. */
export function withAttributes(above: Conversions, text: string): Conversions {
  const lines = text
    .replace(/^\ufeff/, '')
    .split('\n')
    .map(parseLine)
    .filter((line) => line !== undefined);
  const attributes = withMacros(above.attributes, lines);
  const patterns = lines.filter(({ macro, sets }) => !macro && sets.some((one) => attributes.has(one)));
  const names = new Set(above.names);
  const ends = [...above.ends];
  for (const { subject } of patterns) {
    // Folders in a pattern are passed over: it then means more than it says.
    const last = subject.slice(subject.lastIndexOf('/') + 1).toLowerCase();
    if (!/[*?[\\"]/.test(last)) names.add(last);
    else if (/^\*[^*?[\\"]+$/.test(last)) ends.push(last.slice(1));
    else return ALL_CONVERTED;
  }
  return { all: above.all, names, ends, attributes };
}

interface Line {
  readonly macro: boolean;
  /** A pattern, or the name of a macro. */
  readonly subject: string;
  /** Attributes that are set, to whatever value. */
  readonly sets: readonly string[];
}

function parseLine(given: string): Line | undefined {
  const line = given.trim();
  if (line === '' || line.startsWith('#')) return undefined;
  const [first, ...rest] = line.startsWith('"') ? quoted(line) : line.split(/\s+/);
  const macro = first!.startsWith('[attr]');
  const attributes = rest.filter((one) => !/^[-!]/.test(one)).map((one) => one.replace(/=.*/s, ''));
  return { macro, subject: macro ? first!.slice('[attr]'.length) : first!, sets: attributes };
}

/** A pattern in quotes may have blanks; its quote makes it match everything here, which is enough. */
function quoted(line: string): string[] {
  const [pattern = line] = /^"(?:[^"\\]|\\.)*"/.exec(line) ?? [];
  return [pattern, ...line.slice(pattern.length).trim().split(/\s+/)];
}

function withMacros(known: ReadonlySet<string>, lines: readonly Line[]): ReadonlySet<string> {
  const converting = new Set(known);
  const macros = lines.filter(({ macro }) => macro);
  for (let before = -1; before < converting.size; ) {
    before = converting.size;
    for (const { subject, sets } of macros)
      if (sets.some((one) => converting.has(one))) converting.add(subject);
  }
  return converting;
}
