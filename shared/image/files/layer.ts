import type { TarEntry } from '../../content/index.ts';
import {
  baseOf,
  type Directory,
  type FileSystem,
  join,
  lookup,
  type Node,
  parentOf,
  put,
  type RegularFile,
} from './tree.ts';

/** A member of a layer to be written, with the file that has its bytes. */
export interface LayerMember {
  readonly entry: TarEntry;
  readonly file?: RegularFile;
}

/**
 * What has changed since the last layer, as the members of the next one, and a clean slate for the step after it. The directories
 * above a change are members too, with the metadata that they have: where layers are stacked, the uppermost entry's metadata count.
 * Members are in byte order of their paths, so that a directory precedes what it holds and the same change makes the same layer.
 */
export function takeLayer(fs: FileSystem, mtime: number): LayerMember[] {
  const written = new Map<Node, string>();
  const members = [...withParents(fs.touched)]
    .sort(byBytes)
    .flatMap((path) => membersAt(fs, path, mtime, written));
  fs.touched.clear();
  fs.covered.clear();
  return members;
}

function withParents(paths: Iterable<string>): Set<string> {
  const all = new Set<string>();
  for (const path of paths) for (let at = path; at !== '' && !all.has(at); at = parentOf(at)) all.add(at);
  return all;
}

function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function membersAt(fs: FileSystem, path: string, mtime: number, written: Map<Node, string>): LayerMember[] {
  const node = lookup(fs.root, path);
  if (node === undefined) return [];
  const member = memberOf(path, node, mtime, written);
  if (node.type !== 'directory' || !fs.covered.has(path)) return [member];
  const opaque: TarEntry = {
    name: `${path}/.wh..wh..opq`,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtime,
  };
  return [member, { entry: opaque }];
}

function memberOf(path: string, node: Node, mtime: number, written: Map<Node, string>): LayerMember {
  const own = {
    name: path,
    uid: node.uid,
    gid: node.gid,
    mtime,
    ...(node.xattrs === undefined ? {} : { xattrs: node.xattrs }),
  };
  switch (node.type) {
    case 'directory':
      return { entry: { ...own, type: 'directory', mode: node.mode, size: 0 } };
    case 'symlink':
      return { entry: { ...own, type: 'symlink', mode: 0o777, size: 0, linkname: node.target } };
    case 'file': {
      const first = written.get(node);
      if (first !== undefined)
        return { entry: { ...own, type: 'hardlink', mode: node.mode, size: 0, linkname: first } };
      written.set(node, path);
      return { entry: { ...own, type: 'file', mode: node.mode, size: node.size }, file: node };
    }
    default:
      throw new Error(`a ${node.type} in a layer of our own`);
  }
}

/** Lays a tree over another as a layer does (`--link`): directories merge under the upper one's metadata, all else is replaced. */
export function overlay(fs: FileSystem, upper: Directory, at = ''): void {
  for (const [name, node] of upper.children) {
    const path = join(at, name);
    if (node.type !== 'directory') {
      put(fs, path, node);
      continue;
    }
    const existing = (lookup(fs.root, at) as Directory).children.get(baseOf(path));
    put(fs, path, { ...node, children: existing?.type === 'directory' ? existing.children : new Map() });
    overlay(fs, node, path);
  }
}
