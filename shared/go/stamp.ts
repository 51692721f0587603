import type { GitState } from '../content/index.ts';
import { didYouMean, Failure } from '../host/index.ts';

/** What a template can name: `{{version}}` in ldflags, stamps and file names. */
export interface BuildFacts {
  /** The tag without its leading `v`; between tags, what `git describe` says; without tags a Go pseudo-version. */
  readonly version?: string;
  readonly tag?: string;
  readonly commit?: string;
  /** The first 12 digits of the commit, as Go's pseudo-versions have them. */
  readonly shortCommit?: string;
  /** Time of the commit, RFC 3339 in UTC: the same for everybody who builds it, unlike the time of the build. */
  readonly date?: string;
  /** That time in seconds since 1970, as SOURCE_DATE_EPOCH has it. */
  readonly timestamp?: string;
  readonly branch?: string;
}

/** Derives the facts from the checkout; what the run knows of its tag and branch wins, since a runner checks out a bare commit. */
export function buildFacts(
  git: GitState | undefined,
  known: { readonly tag?: string | undefined; readonly branch?: string | undefined } = {},
): BuildFacts {
  const tag = known.tag ?? git?.tag;
  const branch = known.branch ?? git?.branch;
  const facts = { ...(tag && { tag, version: tag.replace(/^v(?=\d)/, '') }), ...(branch && { branch }) };
  if (git === undefined) return facts;
  const date = new Date(git.commitTime * 1000).toISOString().replace('.000', '');
  return {
    ...facts,
    version: `${facts.version ?? versionBetweenTags(git, date)}${git.dirty ? '+dirty' : ''}`,
    commit: git.commit,
    shortCommit: git.commit.slice(0, 12),
    date,
    timestamp: String(git.commitTime),
  };
}

function versionBetweenTags({ nearest, commit }: GitState, date: string): string {
  const short = commit.slice(0, 12);
  if (nearest !== undefined) return `${nearest.tag.replace(/^v(?=\d)/, '')}-${nearest.commits}-g${short}`;
  return `0.0.0-${date.replace(/\D/g, '')}-${short}`;
}

/** The names as they are written, and as goreleaser writes them (`{{ .CommitDate }}`), without regard to case and dashes. */
const NAMES: Readonly<Record<string, keyof BuildFacts>> = {
  version: 'version',
  tag: 'tag',
  commit: 'commit',
  fullcommit: 'commit',
  shortcommit: 'shortCommit',
  date: 'date',
  commitdate: 'date',
  timestamp: 'timestamp',
  committimestamp: 'timestamp',
  branch: 'branch',
};
const SHOWN = ['version', 'tag', 'commit', 'short-commit', 'date', 'timestamp', 'branch'];

const PLACEHOLDER = /\{\{-?\s*\.?([\w-]*)\s*-?\}\}/g;

export function hasTemplate(text: string): boolean {
  return text.includes('{{');
}

/** Puts facts (and `more`, such as `os` in a file name) in the place of `{{name}}`. `where` is what messages call the text. */
export function expandTemplate(
  text: string,
  facts: BuildFacts,
  where: string,
  more: Readonly<Record<string, string>> = {},
): string {
  const expanded = text.replace(
    PLACEHOLDER,
    (_, name: string) => more[name] ?? factNamed(name, facts, where, more),
  );
  if (/\{\{|\}\}/.test(expanded))
    throw new Failure(`${where} has "${text}", whose {{ }} do not match; write names such as {{version}}.`);
  return expanded;
}

function factNamed(
  name: string,
  facts: BuildFacts,
  where: string,
  more: Readonly<Record<string, string>>,
): string {
  const key = NAMES[name.toLowerCase().replaceAll('-', '')];
  const all = [...SHOWN, ...Object.keys(more)];
  if (key === undefined)
    throw new Failure(`${where} names {{${name}}}; accepted are ${all.join(', ')}.${didYouMean(name, all)}`);
  const value = facts[key];
  if (value !== undefined) return value;
  if (key === 'tag' && facts.commit !== undefined)
    throw new Failure(
      `${where} names {{tag}}, and the commit has no tag; {{version}} has a value for every commit.`,
    );
  throw new Failure(
    `${where} names {{${name}}}, which nothing here tells: build in a git checkout with at least one commit, or write the value itself.`,
  );
}

/** A line of the `stamp` input: `main.version={{version}}` becomes the linker's `-X main.version=1.4.0`, quoted where it must be. */
export function stampFlag(line: string, facts: BuildFacts): string {
  const match = /^(?:-X\s*)?([^\s=]+\.[\p{L}_][\p{L}\p{Nd}_]*)=(.*)$/u.exec(line);
  if (match === null)
    throw new Failure(
      `Stamp "${line}" is not written as package.variable=value, such as main.version={{version}}.`,
    );
  const value = expandTemplate(match[2]!, facts, `stamp ${match[1]}`);
  return `-X ${quoted(`${match[1]}=${value}`)}`;
}

/** One word for the go command's own splitting of -ldflags (cmd/internal/quoted): quotes have no escapes in it. */
function quoted(word: string): string {
  if (!/[\s'"]/.test(word)) return word;
  if (!word.includes("'")) return `'${word}'`;
  if (!word.includes('"')) return `"${word}"`;
  throw new Failure(`${word} has both kinds of quotes in it, which the go command cannot take in -ldflags.`);
}
