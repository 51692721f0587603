import { posix } from 'node:path';
import type { BlobName, Digest, NamedFolder } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import type { Descriptor } from '../../oci/index.ts';
import { Unmodelled } from './unmodelled.ts';

/**
 * A root file system as values. Nodes never change; a directory's children do, so a step works on its own tree. Two names that hold
 * the same file node are hard links of each other.
 */
export type Node = Directory | RegularFile | SymbolicLink | SpecialFile;

interface Owned {
  readonly uid: number;
  readonly gid: number;
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** A folder of a tree; its children are read where they are looked at. */
export interface Directory extends Owned {
  readonly type: 'directory';
  readonly mode: number;
  readonly children: Map<string, Node>;
}

export interface RegularFile extends Owned {
  readonly type: 'file';
  readonly mode: number;
  /** Bytes. */
  readonly size: number;
  readonly content: Content;
}

export interface SymbolicLink extends Owned {
  readonly type: 'symlink';
  readonly target: string;
}

export interface SpecialFile extends Owned {
  readonly type: 'character' | 'block' | 'fifo' | 'socket';
  readonly mode: number;
  readonly device?: { readonly major: number; readonly minor: number };
}

/** Where the bytes of a file are. */
export type Content =
  /**
   * A file of this machine. Bytes of its path that are not UTF-8 are escaped (see nameFromBytes). `digest` is that of a file which
   * this run wrote itself; one of the context has none: Git's index has given it the name `blob`, or it is read.
   */
  | {
      readonly kind: 'disk';
      readonly path: string;
      readonly digest?: Digest;
      readonly blob?: BlobName | undefined;
      /** The folder that it was found in. */
      readonly folder?: NamedFolder;
      /** It has no other names on the disk, so that no other path can hold the same node. */
      readonly single?: boolean;
    }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly digest: Digest }
  /** A member of an archive, by its place in it. */
  | { readonly kind: 'member'; readonly archive: Archive; readonly ordinal: number; readonly digest: Digest }
  /** What a builder would make: known to exist, not made yet. */
  | { readonly kind: 'pending' };

/** A tar archive, compressed or not, that members are taken from. */
export type Archive =
  /** `image` is the name of the source that the layer comes from. */
  | { readonly kind: 'layer'; readonly image: string; readonly layer: Descriptor }
  | { readonly kind: 'file'; readonly path: string; readonly digest: Digest };

/** Metadata of directories and files that a step makes itself. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** A tree that steps work on, with what has changed since the last layer. Paths are relative to the root, which is `''`. */
export interface FileSystem {
  readonly root: Directory;
  /** Paths that were set, in any order. */
  readonly touched: Set<string>;
  /** Paths at which a directory was replaced by something else: what it held is gone even if a new directory takes its place. */
  readonly covered: Set<string>;
  /** No step has worked on it and no base lies under it: BuildKit has nothing to look names up in. */
  pristine: boolean;
}

const ROOT: Metadata = { mode: 0o755, uid: 0, gid: 0 };

export function emptyDirectory(metadata: Metadata = ROOT): Directory {
  return { type: 'directory', ...metadata, children: new Map() };
}

export function fileSystem(root?: Directory): FileSystem {
  return {
    root: root === undefined ? emptyDirectory() : cloneDirectory(root),
    touched: new Set(),
    covered: new Set(),
    pristine: root === undefined,
  };
}

function cloneDirectory(directory: Directory): Directory {
  const children = new Map<string, Node>();
  for (const [name, node] of directory.children)
    children.set(name, node.type === 'directory' ? cloneDirectory(node) : node);
  return { ...directory, children };
}

/** The relative form of a path, without `.`, `..`, doubled or trailing slashes; `..` stops at the root. */
export function clean(path: string): string {
  const absolute = posix.join('/', path);
  return absolute.replace(/^\/|\/$/g, '');
}

export function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === -1 ? '' : path.slice(0, slash);
}

export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The node at a clean path, no link followed; undefined where there is none, also below something that is no directory. */
export function lookup(root: Directory, path: string): Node | undefined {
  let node: Node | undefined = root;
  if (path === '') return node;
  for (const name of path.split('/')) {
    if (node?.type !== 'directory') return undefined;
    node = node.children.get(name);
  }
  return node;
}

const MOST_LINKS = 255;

/**
 * The clean path that `path` means once every symbolic link on the way, the last part included, is followed inside the root
 * (containerd's fs.RootPath). Parts that do not exist stand for themselves.
 */
export function follow(root: Directory, path: string): string {
  let wanted = clean(path);
  for (let links = 0; links <= MOST_LINKS; links++) {
    const step = firstLink(root, wanted);
    if (step === undefined) return wanted;
    wanted = clean(step);
  }
  throw new Failure(
    `/${clean(path)} leads through more than ${MOST_LINKS} symbolic links; they form a loop.`,
  );
}

function firstLink(root: Directory, path: string): string | undefined {
  const names = path === '' ? [] : path.split('/');
  let node: Node = root;
  for (const [index, name] of names.entries()) {
    if (node.type !== 'directory') throw notDirectory(names.slice(0, index).join('/'));
    const child: Node | undefined = node.children.get(name);
    if (child === undefined) return undefined;
    if (child.type === 'symlink') {
      const target = child.target.startsWith('/')
        ? child.target
        : [...names.slice(0, index), child.target].join('/');
      return [target, ...names.slice(index + 1)].join('/');
    }
    node = child;
  }
  return undefined;
}

function notDirectory(path: string): Failure {
  return new Failure(`/${path} is a file in the image, so nothing can lie below it.`);
}

/** Puts a node at a path whose parent exists, and notes the change. A name that means a deletion in a layer is not modelled. */
export function put(fs: FileSystem, path: string, node: Node): void {
  if (baseOf(path).startsWith('.wh.'))
    throw new Unmodelled(`"/${path}" has a name that means a deletion in a layer`);
  const parent = lookup(fs.root, parentOf(path));
  if (parent?.type !== 'directory') throw notDirectory(parentOf(path));
  const before = parent.children.get(baseOf(path));
  if (before?.type === 'directory' && node.type !== 'directory') cover(fs, path, before);
  parent.children.set(baseOf(path), node);
  fs.touched.add(path);
  fs.pristine = false;
}

function cover(fs: FileSystem, path: string, gone: Directory): void {
  fs.covered.add(path);
  for (const [name, child] of gone.children) {
    const below = join(path, name);
    fs.touched.delete(below);
    if (child.type === 'directory') cover(fs, below, child);
  }
}

/** Makes a directory and those above it that are missing. Existing ones stay as they are. Links must have been followed. */
export function makeDirectories(fs: FileSystem, path: string, metadata: Metadata): void {
  if (path === '') return;
  let at = '';
  let directory: Directory = fs.root;
  for (const name of path.split('/')) {
    at = join(at, name);
    let child = directory.children.get(name);
    if (child === undefined) {
      child = emptyDirectory(metadata);
      put(fs, at, child);
    }
    if (child.type !== 'directory') throw notDirectory(at);
    directory = child;
  }
}

/** The same children under new metadata. */
export function withMetadata(
  directory: Directory,
  metadata: Partial<Omit<Directory, 'type' | 'children'>>,
): Directory {
  return { ...directory, ...metadata };
}

/** Visits every node below a directory, parents first, in byte order of their names. */
export function* walk(root: Directory, at = ''): Generator<{ readonly path: string; readonly node: Node }> {
  // Not recursive: every generator that a value passes through costs as much as the value.
  const open = [openFolder(root, at)];
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const name = folder.names[folder.next++];
    if (name === undefined) {
      open.pop();
      continue;
    }
    const node = folder.children.get(name)!;
    const path = join(folder.path, name);
    yield { path, node };
    if (node.type === 'directory') open.push(openFolder(node, path));
  }
}

function openFolder({ children }: Directory, path: string) {
  return { path, children, names: [...children.keys()].sort(), next: 0 };
}
