import { posix } from 'node:path';
import { hasWildcards, type Ignore, matchGlob } from '../../dockerfile/index.ts';
import { Failure } from '../../host/index.ts';
import type { Chmod } from './mode.ts';
import type { Owner } from './owner.ts';
import {
  baseOf,
  clean,
  type Directory,
  type FileSystem,
  follow,
  join,
  lookup,
  type Metadata,
  makeDirectories,
  type Node,
  parentOf,
  put,
  type RegularFile,
  walk,
  withMetadata,
} from './tree.ts';
import { Unmodelled } from './unmodelled.ts';

/** How one source is copied. */
export interface CopyOptions {
  /** Absolute; a slash at the end, or `/.`, says "directory". */
  readonly destination: string;
  readonly owner: Owner | undefined;
  readonly chmod: Chmod | undefined;
  /** Paths below the source that are left out; relative to it. */
  readonly exclude: Ignore | undefined;
  /** Only paths below the source that these match, with the directories above them (`--parents`). */
  readonly include: Ignore | undefined;
}

const DIRECTORY_MODE = 0o755;

/**
 * The paths of a source tree that a pattern of COPY means, in byte order: a plain path stands for itself, wildcards match at any
 * depth as Go's filepath.Match does, and a directory that matches is not searched.
 */
export function expandSource(root: Directory, pattern: string): string[] {
  const names = clean(pattern).split('/');
  const first = names.findIndex(hasWildcards);
  if (first === -1) return [names.join('/')];
  const under = follow(root, names.slice(0, first).join('/'));
  const base = lookup(root, under);
  if (base === undefined) throw missing(names.slice(0, first).join('/'));
  if (base.type !== 'directory') return [];
  return [...matches(base, names.slice(first).join('/'))].map((path) => join(under, path));
}

/** A star does not cross a slash: no path deeper or less deep than the pattern can match. */
function* matches(directory: Directory, pattern: string, at = ''): Generator<string> {
  const depth = pattern.split('/').length;
  for (const name of [...directory.children.keys()].sort()) {
    const path = join(at, name);
    const node = directory.children.get(name)!;
    if (matchGlob(pattern, path)) yield path;
    else if (node.type === 'directory' && path.split('/').length < depth) yield* matches(node, pattern, path);
  }
}

function missing(path: string): Failure {
  return new Failure(`/${path} is not there.`);
}

/** Copies one path of a source tree into a file system, as tonistiigi/fsutil/copy does for BuildKit's COPY. */
export function copyPath(fs: FileSystem, source: Directory, path: string, options: CopyOptions): void {
  const own: Metadata = {
    uid: options.owner?.uid ?? 0,
    gid: options.owner?.gid ?? 0,
    mode: options.chmod?.kind === 'octal' ? options.chmod.bits & 0o777 : DIRECTORY_MODE,
  };
  const directoryWanted = /\/\.?$/.test(options.destination);
  const wanted = clean(options.destination);
  makeDirectories(fs, follow(fs.root, directoryWanted ? wanted : parentOf(wanted)), own);

  const from = follow(source, path);
  const node = lookup(source, from);
  if (node === undefined) throw missing(path);
  let target = follow(fs.root, wanted);
  const existing = lookup(fs.root, target);
  if (node.type !== 'directory' && existing?.type === 'directory') target = join(target, baseOf(path));
  makeDirectories(fs, node.type === 'directory' && existing === undefined ? target : parentOf(target), own);
  new Copier(fs, options).copy(node, '', target, false);
}

/** A directory that is made only once something below it is copied. */
interface Above {
  readonly node: Directory;
  readonly target: string;
  made: boolean;
}

/** One copy: which files of the source were seen already (hard links) and which directories wait for their first content. */
class Copier {
  readonly #fs: FileSystem;
  readonly #options: CopyOptions;
  readonly #links = new Map<RegularFile, RegularFile>();
  readonly #above: Above[] = [];

  constructor(fs: FileSystem, options: CopyOptions) {
    this.#fs = fs;
    this.#options = options;
  }

  copy(node: Node, relative: string, target: string, overwrite: boolean): void {
    const { included, excluded } = this.#select(relative, node.type === 'directory');
    if (node.type === 'directory') {
      this.#directory(node, relative, target, { overwrite, included, excluded });
      return;
    }
    if (!included) return;
    this.#makeAbove(overwrite);
    if (lookup(this.#fs.root, target)?.type === 'directory')
      throw new Failure(`/${target} is a directory in the image, and a file cannot take its place.`);
    put(this.#fs, target, this.#leaf(node));
  }

  #select(
    relative: string,
    isDirectory: boolean,
  ): { readonly included: boolean; readonly excluded: boolean } {
    if (relative === '') return { included: true, excluded: false };
    const excluded = this.#options.exclude?.ignores(relative, isDirectory) ?? false;
    const matched = this.#options.include?.ignores(relative, isDirectory) ?? true;
    return { included: matched && !excluded, excluded };
  }

  #leaf(node: Exclude<Node, Directory>): Node {
    if (node.type === 'symlink') return { ...node, ...this.#options.owner };
    if (node.type !== 'file')
      throw new Unmodelled(`a ${node.type} is copied, which is neither file, folder nor link`);
    const seen = this.#links.get(node);
    if (seen !== undefined) return seen;
    const copied = { ...node, ...this.#options.owner, mode: this.#mode(node.mode, false) };
    this.#links.set(node, copied);
    return copied;
  }

  #mode(mode: number, isDirectory: boolean): number {
    const chmod = this.#options.chmod;
    if (chmod === undefined) return mode;
    return chmod.kind === 'octal' ? chmod.bits : chmod.apply(mode, isDirectory);
  }

  #directory(
    node: Directory,
    relative: string,
    target: string,
    how: { readonly overwrite: boolean; readonly included: boolean; readonly excluded: boolean },
  ): void {
    if (how.excluded && !(this.#options.exclude?.patterns.some((one) => one.startsWith('!')) ?? false))
      return;
    if (how.included) {
      this.#makeAbove(how.overwrite);
      this.#place(node, target, how.overwrite);
    }
    this.#above.push({ node, target, made: how.included });
    for (const name of [...node.children.keys()].sort())
      this.copy(node.children.get(name)!, join(relative, name), join(target, name), true);
    this.#above.pop();
  }

  /** Makes the directory, or, below the top of a copy, gives the one that is there the metadata of the source. */
  #place(node: Directory, target: string, overwrite: boolean): void {
    const existing = lookup(this.#fs.root, target);
    if (existing !== undefined && existing.type !== 'directory')
      throw new Failure(
        `/${target} is ${existing.type === 'symlink' ? `a symbolic link to ${existing.target}` : 'a file'} in the image, and a directory cannot be copied onto it.`,
      );
    if (existing !== undefined && !overwrite) return;
    const { children: _, ...own } = node;
    const metadata = { ...own, ...this.#options.owner, mode: this.#mode(node.mode, true) };
    const merged = existing?.xattrs === undefined ? {} : { xattrs: { ...existing.xattrs, ...node.xattrs } };
    this.#set(target, { ...metadata, ...merged, children: existing?.children ?? new Map() });
  }

  #set(target: string, directory: Directory): void {
    // The root has no parent to be put into, and no entry in a layer.
    if (target !== '') put(this.#fs, target, directory);
  }

  #makeAbove(overwrite: boolean): void {
    for (const above of this.#above) {
      if (above.made) continue;
      above.made = true;
      const existing = lookup(this.#fs.root, above.target);
      if (existing?.type !== 'directory') this.#place(above.node, above.target, overwrite);
      else if (overwrite) this.#set(above.target, withMetadata(existing, { mode: above.node.mode }));
    }
  }
}

/** What `COPY --parents` means by a source: the tree that its paths are kept relative to, and the pattern below it. */
export interface ParentsSource {
  readonly root: string;
  readonly pattern: string;
  /** It names a path, which has to be there. */
  readonly required: boolean;
}

export function splitParents(source: string): ParentsSource {
  const pivot = source.indexOf('/./');
  const root = pivot === -1 ? '/' : source.slice(0, pivot);
  const pattern = posix.join('/', pivot === -1 ? source : source.slice(pivot + 3)).slice(1);
  return { root, pattern, required: !hasWildcards(root) && !hasWildcards(pattern) };
}

/** Every file below a tree that a copy brings with it. */
export function* filesOf(root: Directory): Generator<RegularFile> {
  for (const { node } of walk(root)) if (node.type === 'file') yield node;
}
