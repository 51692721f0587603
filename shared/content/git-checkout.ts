import { existsSync, lstatSync, readFileSync, realpathSync, type Stats, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { BlobAlgorithm } from './blob-name.ts';
import { ALL_CONVERTED, type Conversions, NO_CONVERSIONS, withAttributes } from './git-attributes.ts';
import { type GitConfig, readGitConfig, userFiles } from './git-config.ts';
import { type GitIndex, type IndexedFolder, readGitIndex } from './git-index.ts';

/** A Git checkout whose index may be asked about files. */
export interface GitCheckout {
  /** Real path of the top folder of its work tree. */
  readonly root: string;
  readonly algorithm: BlobAlgorithm;
  /** Undefined where the index is not to be believed, or is none. */
  readonly index: GitIndex | undefined;
  /** What holds in every folder of it. */
  readonly conversions: Conversions;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The checkout that holds a folder (a real path), looked for upwards as Git does it; undefined outside of one. */
export function findGitCheckout(folder: string, env: Env = process.env): GitCheckout | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const checkout = gitCheckoutAt(at, env);
    if (checkout !== undefined || at === dirname(at)) return checkout;
  }
}

/** The checkout whose top a folder is. */
export function gitCheckoutAt(folder: string, env: Env = process.env): GitCheckout | undefined {
  const directory = gitDirectory(folder);
  return directory === undefined ? undefined : openCheckout(folder, directory, env);
}

/** What a folder is the top of: its `.git`, or the folder that the file `.git` of a submodule or linked work tree leads to. */
function gitDirectory(folder: string): string | undefined {
  const path = join(folder, '.git');
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (stats.isDirectory()) return existsSync(join(path, 'HEAD')) ? path : undefined;
  const [, to] = /^gitdir: (.+?)\n*$/s.exec(readText(path) ?? '') ?? [];
  return to === undefined ? undefined : resolve(folder, to);
}

function openCheckout(root: string, directory: string, env: Env): GitCheckout {
  const shared = readText(join(directory, 'commondir'))?.trim();
  const common = shared === undefined ? directory : resolve(directory, shared);
  const config = readGitConfig(common, directory, env);
  const algorithm = config?.get('extensions.objectformat')?.toLowerCase() === 'sha256' ? 'sha256' : 'sha1';
  const usable =
    config !== undefined &&
    storesAsItIs(config) &&
    isWorkTreeOf(root, directory, config) &&
    // Attributes out of a commit.
    (env.GIT_ATTR_SOURCE ?? config.get('attr.tree')) === undefined &&
    isOwn(root, directory);
  return {
    root,
    algorithm,
    index: usable ? readGitIndex(join(directory, 'index'), algorithm) : undefined,
    conversions: usable ? generalAttributes(common, config, env) : NO_CONVERSIONS,
  };
}

/** With core.autocrlf files may be converted that no attribute names. On Windows that is Git's default, and inodes are none there. */
function storesAsItIs(config: GitConfig): boolean {
  const conversion = config.get('core.autocrlf') ?? 'false';
  return process.platform !== 'win32' && /^(false|no|off|0|)$/i.test(conversion);
}

function isWorkTreeOf(root: string, directory: string, config: GitConfig): boolean {
  const elsewhere = config.get('core.worktree');
  if (elsewhere === undefined) return true;
  try {
    return realpathSync.native(resolve(directory, elsewhere)) === root;
  } catch {
    return false;
  }
}

/**
 * Whether the index is the word of somebody who could as well have written the files: of whoever owns the folder, of this user, or of
 * root. Another user of the machine might have put a `.git` into a folder above (git-config(1), safe.directory).
 */
function isOwn(root: string, directory: string): boolean {
  const index = lstatSync(join(directory, 'index'), { throwIfNoEntry: false });
  const owners = [0, process.getuid?.(), statSync(root).uid];
  const named = lstatSync(join(root, '.git'), { throwIfNoEntry: false });
  return [index, named].every(
    (stats: Stats | undefined) => stats !== undefined && owners.includes(stats.uid),
  );
}

/** Attributes that are given outside of the work tree. */
function generalAttributes(common: string, config: GitConfig, env: Env): Conversions {
  const own = config.get('core.attributesfile');
  const home = env.HOME ?? '';
  const files = [
    '/etc/gitattributes',
    ...(own === undefined ? userFiles(env, 'attributes') : [own.replace(/^~(?=\/)/, home)]),
    join(common, 'info', 'attributes'),
  ];
  return files.reduce((above, file) => withFile(above, file), NO_CONVERSIONS);
}

function withFile(above: Conversions, file: string): Conversions {
  const text = readText(file);
  return text === undefined ? above : withAttributes(above, text);
}

/**
 * What holds in a folder of a checkout, given what holds in the folder above it. An attributes file that was changed or taken away after
 * the files were written tells nothing of how they were: then all of them count as converted.
 */
export function conversionsIn(
  folder: string,
  indexed: IndexedFolder | undefined,
  above: Conversions,
  names?: readonly string[],
): Conversions {
  if (above.all) return above;
  const path = `${folder}/${ATTRIBUTES}`;
  const isThere = names?.includes(ATTRIBUTES) ?? true;
  const stats = isThere ? lstatSync(path, { throwIfNoEntry: false }) : undefined;
  const tracked = indexed?.has(ATTRIBUTES) === true;
  if (stats === undefined) return tracked ? ALL_CONVERTED : above;
  const clean = !tracked || indexed.blob(ATTRIBUTES, stats) !== undefined;
  return clean && stats.isFile() ? withFile(above, path) : ALL_CONVERTED;
}

const ATTRIBUTES = '.gitattributes';

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
