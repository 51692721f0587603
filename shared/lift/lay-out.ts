import {
  chmodSync,
  constants,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { posix } from 'node:path';
import { nameToBytes } from '../content/index.ts';
import { isBuildInput } from '../go/index.ts';
import type { Directory, Node } from '../image/index.ts';
import { linkTarget, nodeAt, type StageTree } from './stage-tree.ts';

/**
 * Lays out in a new folder of this machine what the go command can read of a stage: sources of every package, the files about modules,
 * and all that sources embed; and whole the `wanted` paths. Copies, for a link would change the time at which Git and others saw the
 * user's own file last; and not all of the context, for most of a large one is nothing to Go. Modes are the stage's.
 */
export function layOut(tree: StageTree, folder: string, wanted: WantedPaths): void {
  const layout: Layout = { tree, folder, made: new Set(), embeds: new Set() };
  mkdirSync(folder, { recursive: true });
  layout.made.add('/');
  chmodSync(folder, tree.mode);
  placeSources(tree, layout, '/');
  for (const path of [...wanted.folders, ...wanted.entries]) {
    const node = nodeAt(tree, path);
    if (node?.type === 'directory') place(node, layout, path);
  }
  for (const path of wanted.entries) placeEntries(layout, path);
  for (const path of [...wanted.whole, ...layout.embeds]) placeWhole(layout, path);
}

/** Paths of a stage that have to be there whatever they are. */
export interface WantedPaths {
  /** Folders, where the stage has them. */
  readonly folders: readonly string[];
  /** Folders with the entries in them, but not with what folders in them hold. */
  readonly entries: readonly string[];
  /** Files, and folders with all that they hold. */
  readonly whole: readonly string[];
}

interface Layout {
  readonly tree: StageTree;
  readonly folder: string;
  /** Paths that are there. */
  readonly made: Set<string>;
  /** Paths that sources embed, or that lie around what they embed. */
  readonly embeds: Set<string>;
}

function placeSources(directory: Directory, layout: Layout, path: string): void {
  for (const [name, node] of directory.children) {
    const below = posix.join(path, name);
    if (node.type === 'directory') placeSources(node, layout, below);
    // A link may lead to sources, whatever its name.
    else if (node.type === 'symlink' || isBuildInput(name)) place(node, layout, below);
  }
}

function placeWhole(layout: Layout, path: string): void {
  const node = nodeAt(layout.tree, path);
  if (node === undefined) return;
  place(node, layout, path);
  if (node.type !== 'directory') return;
  for (const name of node.children.keys()) placeWhole(layout, posix.join(path, name));
}

function placeEntries(layout: Layout, path: string): void {
  const node = nodeAt(layout.tree, path);
  if (node?.type !== 'directory') return;
  for (const [name, child] of node.children) place(child, layout, posix.join(path, name));
}

/** Makes one entry, and the folders above it. */
function place(node: Node, layout: Layout, path: string): void {
  if (layout.made.has(path)) return;
  layout.made.add(path);
  const parent = posix.dirname(path);
  place(nodeAt(layout.tree, parent)!, layout, parent);
  const target = onDisk(layout.folder, path);
  switch (node.type) {
    case 'directory':
      mkdirSync(target);
      chmodSync(target, node.mode | 0o700);
      return;
    case 'symlink':
      symlinkSync(posix.relative(parent, linkTarget(path, node.target)) || '.', target);
      return;
    case 'file':
      placeFile(node, layout, path, target);
      return;
    default:
      throw new Error(`${path} is a ${node.type}`);
  }
}

function placeFile(
  { content, mode }: Extract<Node, { type: 'file' }>,
  layout: Layout,
  path: string,
  target: string | Buffer,
): void {
  if (content.kind === 'disk' && !path.endsWith('.go'))
    copyFileSync(onDisk(content.path, ''), target, constants.COPYFILE_FICLONE);
  else if (content.kind === 'disk' || content.kind === 'bytes') {
    const bytes = content.kind === 'bytes' ? content.bytes : readFileSync(onDisk(content.path, ''));
    writeFileSync(target, bytes);
    for (const pattern of embedPatterns(bytes))
      layout.embeds.add(posix.join(posix.dirname(path), fixedPart(pattern)));
  } else throw new Error(`${path} of the context is a ${content.kind}`);
  chmodSync(target, mode);
}

/** Patterns of `//go:embed` lines (pkg.go.dev/embed); a line in a text or in another comment costs a copy and nothing else. */
export function embedPatterns(source: Uint8Array): string[] {
  const bytes = Buffer.from(source.buffer, source.byteOffset, source.byteLength);
  if (!bytes.includes('//go:embed')) return [];
  const lines = [...bytes.toString('utf8').matchAll(/\/\/go:embed[ \t]+([^\n\r]*)/g)];
  return lines.flatMap(([, words]) =>
    (words!.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|\S+/g) ?? []).map((word) => unquoted(word).replace(/^all:/, '')),
  );
}

function unquoted(word: string): string {
  if (word.startsWith('`')) return word.slice(1, -1);
  if (!word.startsWith('"')) return word;
  try {
    return JSON.parse(word) as string;
  } catch {
    return '*';
  }
}

/** The path up to the first part with a wildcard: all that the pattern can mean lies at or below it. */
function fixedPart(pattern: string): string {
  const names = pattern.split('/');
  const wild = names.findIndex((name) => /[*?[\\]/.test(name));
  return (wild < 0 ? names : names.slice(0, wild)).join('/') || '.';
}

function onDisk(folder: string, path: string): string | Buffer {
  const whole = `${folder}${path}`;
  return /[\udc80-\udcff]/.test(whole) ? nameToBytes(whole) : whole;
}

/**
 * Gives what the go command has made at or below a path the modes that it would have under the umask of a container, and folders of the
 * context theirs.
 */
export function settleModes(tree: StageTree, folder: string, path: string): void {
  const target = onDisk(folder, path);
  const stats = lstatSync(target, { throwIfNoEntry: false });
  if (stats === undefined || stats.isSymbolicLink()) return;
  const node = nodeAt(tree, path);
  if (stats.isDirectory()) {
    for (const name of readdirSync(target)) settleModes(tree, folder, posix.join(path, name));
    chmodSync(target, node?.type === 'directory' ? node.mode : 0o755);
  } else if (node === undefined) chmodSync(target, 0o755);
}
