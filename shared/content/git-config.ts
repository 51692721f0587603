import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Settings by name in lower case, such as `core.autocrlf`; the last value of each counts. */
export type GitConfig = ReadonlyMap<string, string>;

/** Where Git of a distribution, of Homebrew and of Xcode keep what holds for the whole machine. */
const SYSTEM = [
  '/etc/gitconfig',
  '/usr/local/etc/gitconfig',
  '/opt/homebrew/etc/gitconfig',
  '/Library/Developer/CommandLineTools/usr/share/git-core/gitconfig',
];
const DEEPEST = 10;

/**
 * The settings of a repository, with those of the user and of the machine, from its files (git-config(1)). Files that are included
 * under a condition count always. Undefined when one cannot be understood.
 */
export function readGitConfig(
  commonDirectory: string,
  gitDirectory: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): GitConfig | undefined {
  const settings = new Map<string, string>();
  const files = [
    ...(env.GIT_CONFIG_SYSTEM === undefined ? SYSTEM : [env.GIT_CONFIG_SYSTEM]),
    ...(env.GIT_CONFIG_GLOBAL === undefined ? userFiles(env, 'config') : [env.GIT_CONFIG_GLOBAL]),
    join(commonDirectory, 'config'),
    join(gitDirectory, 'config.worktree'),
  ];
  if (!files.every((file) => readInto(settings, file, 0))) return undefined;
  // Settings of one command: whoever sets some of them has to be taken to set them all.
  if (env.GIT_CONFIG_PARAMETERS !== undefined || Number(env.GIT_CONFIG_COUNT ?? 0) > 0) {
    const given = [
      env.GIT_CONFIG_PARAMETERS,
      ...Object.keys(env).map((name) => (/^GIT_CONFIG_KEY_/.test(name) ? env[name] : '')),
    ];
    if (given.some((text) => /autocrlf|attr|worktree|include/i.test(text ?? ''))) return undefined;
  }
  return settings;
}

/** A file of the user's, in both places where Git looks. */
export function userFiles(
  env: Readonly<Record<string, string | undefined>>,
  name: 'config' | 'attributes',
): string[] {
  const home = env.HOME ?? homedir();
  const folder = env.XDG_CONFIG_HOME || join(home, '.config');
  const own = join(folder, 'git', name);
  return name === 'config' ? [own, join(home, '.gitconfig')] : [own];
}

function readInto(settings: Map<string, string>, file: string, depth: number): boolean {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return ['ENOENT', 'ENOTDIR', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '');
  }
  const found = parseGitConfig(text);
  if (found === undefined || depth > DEEPEST) return false;
  for (const [name, value] of found) {
    settings.set(name, value);
    if (!/^include(if\..*)?\.path$/s.test(name)) continue;
    const path = value.startsWith('~/') ? join(homedir(), value.slice(2)) : resolve(dirname(file), value);
    if (!readInto(settings, path, depth + 1)) return false;
  }
  return true;
}

const SECTION = /^\[\s*([A-Za-z0-9.-]+)(?:\s+"((?:[^"\\]|\\.)*)")?\s*\]\s*/;
const NAME = /^([A-Za-z][A-Za-z0-9-]*)\s*/;

/** Names and values in order; undefined where the text is no configuration. */
export function parseGitConfig(text: string): [string, string][] | undefined {
  const settings: [string, string][] = [];
  let section: string | undefined;
  const lines = text
    .replace(/^\ufeff/, '')
    .replace(/\\\r?\n/g, '')
    .split(/\r?\n/);
  for (let line of lines) {
    line = line.trimStart();
    const opened = SECTION.exec(line);
    if (opened !== null) {
      const [whole, name, own] = opened;
      section =
        own === undefined ? name!.toLowerCase() : `${name!.toLowerCase()}.${own.replace(/\\(.)/g, '$1')}`;
      line = line.slice(whole.length);
    }
    if (line === '' || /^[#;]/.test(line)) continue;
    const named = NAME.exec(line);
    if (section === undefined || named === null) return undefined;
    const rest = line.slice(named[0].length);
    if (rest !== '' && !/^[=#;]/.test(rest)) return undefined;
    // A name alone means true.
    const value = rest.startsWith('=') ? readValue(rest.slice(1)) : 'true';
    settings.push([`${section}.${named[1]!.toLowerCase()}`, value]);
  }
  return settings;
}

/** Without quotes, and without a comment behind it. */
function readValue(text: string): string {
  let value = '';
  let quoted = false;
  // Blanks at the end count inside of quotes alone.
  let kept = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') quoted = !quoted;
    else if (character === '\\') value += { n: '\n', t: '\t', b: '\b' }[text[++at] ?? ''] ?? text[at] ?? '';
    else if (!quoted && (character === '#' || character === ';')) break;
    else if (value !== '' || quoted || !/\s/.test(character)) value += character;
    if (quoted || !/\s/.test(character)) kept = value.length;
  }
  return value.slice(0, kept);
}
