import {
  baseOf,
  clean,
  type Directory,
  emptyDirectory,
  follow,
  lookup,
  type Node,
  parentOf,
} from './tree.ts';

/** The files of a tree at some paths, as a builder would hand them over: what is a folder has a copy's mode and owner. */
export function pickPaths(tree: Directory, paths: readonly string[]): Directory {
  const files = emptyDirectory();
  for (const path of paths) {
    const name = clean(path.replace(/\\(.)/gs, '$1'));
    const node = lookup(tree, follow(tree, name));
    if (node === undefined) continue;
    if (node.type !== 'directory') addBehindLinks(files, name, node);
    else if (name === '') return { ...emptyDirectory(), children: new Map(node.children) };
    else addBehindLinks(files, name, { ...emptyDirectory(), children: new Map(node.children) });
  }
  return files;
}

/** Puts a node where a path leads once its links are followed, unless there is one. */
export function addBehindLinks(files: Directory, path: string, node: Node): void {
  const place = follow(files, path);
  if (lookup(files, place) !== undefined) return;
  let parent = files;
  for (const name of parentOf(place).split('/').filter(Boolean)) {
    const child = parent.children.get(name) ?? emptyDirectory();
    if (child.type !== 'directory') return;
    parent.children.set(name, child);
    parent = child;
  }
  parent.children.set(baseOf(place), node);
}
