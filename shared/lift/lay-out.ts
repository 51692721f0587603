import {
  chmodSync,
  constants,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { nameToBytes } from '../content/index.ts';
import type { Node } from '../image/index.ts';
import { linkTarget, nodeAt, type StageTree } from './stage-tree.ts';

/** Files that the go command may write into: they are copied, and never the user's own by another name. */
const WRITABLE: ReadonlySet<string> = new Set(['go.mod', 'go.sum', 'go.work', 'go.work.sum', 'modules.txt']);

/**
 * Lays a stage's files out in a folder of this machine: hard links where the file system has them, so that it costs no bytes. Modes are
 * the stage's, whatever the umask.
 */
export function layOut(tree: StageTree, folder: string, options: { readonly modesOfDisk: boolean }): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  place(tree, { folder, ...options }, '', '/');
}

interface Layout {
  readonly folder: string;
  /** Files have the modes that they have on disk. Where they do not, a link would change the user's own. */
  readonly modesOfDisk: boolean;
}

function place(node: Node, layout: Layout, name: string, path: string): void {
  const { folder, modesOfDisk } = layout;
  const target = onDisk(folder, path);
  switch (node.type) {
    case 'directory':
      if (name !== '') mkdirSync(target);
      for (const [child, below] of node.children) place(below, layout, child, posix.join(path, child));
      // Last: a folder that may not be written to takes no files.
      chmodSync(target, node.mode);
      return;
    case 'symlink':
      symlinkSync(posix.relative(posix.dirname(path), linkTarget(path, node.target)) || '.', target);
      return;
    case 'file':
      placeFile(node, target, modesOfDisk && !WRITABLE.has(name));
      return;
    default:
      throw new Error(`${path} is a ${node.type}`);
  }
}

function placeFile(node: Extract<Node, { type: 'file' }>, target: string | Buffer, linked: boolean): void {
  const { content, mode } = node;
  if (content.kind === 'bytes') writeFileSync(target, content.bytes);
  else if (content.kind !== 'disk') throw new Error(`a file of a stage's context is a ${content.kind}`);
  else {
    const source = onDisk(content.path, '');
    if (linked && link(source, target)) return;
    copyFileSync(source, target, constants.COPYFILE_FICLONE);
  }
  chmodSync(target, mode);
}

/** Fails between file systems, for a file of somebody else, and for one link too many. */
function link(source: string | Buffer, target: string | Buffer): boolean {
  try {
    linkSync(source, target);
    return true;
  } catch {
    return false;
  }
}

function onDisk(folder: string, path: string): string | Buffer {
  const whole = `${folder}${path}`;
  return /[\udc80-\udcff]/.test(whole) ? nameToBytes(whole) : whole;
}

/**
 * Gives what the go command has made at or below a path the modes that it would have under the umask of a container; what came from the
 * context keeps its own.
 */
export function settleModes(tree: StageTree, folder: string, path: string): void {
  const stats = lstatSync(folder + path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSymbolicLink()) return;
  if (nodeAt(tree, path) === undefined) chmodSync(folder + path, 0o755);
  if (!stats.isDirectory()) return;
  for (const name of readdirSync(folder + path)) settleModes(tree, folder, posix.join(path, name));
}
