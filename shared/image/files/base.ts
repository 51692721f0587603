import type { Digest } from '../../content/index.ts';
import type { Descriptor } from '../../oci/index.ts';
import type { IndexEntry, LayerIndex } from './layer-index.ts';
import {
  baseOf,
  type Content,
  clean,
  type Directory,
  emptyDirectory,
  follow,
  join,
  lookup,
  type Node,
  parentOf,
} from './tree.ts';

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** A layer of an image with what it holds. */
export interface IndexedLayer {
  readonly image: string;
  readonly descriptor: Descriptor;
  readonly index: LayerIndex;
}

/** The root file system of an image: its layers applied in order (OCI image-spec, layer.md#applying-changesets). */
export function applyLayers(layers: readonly IndexedLayer[]): Directory {
  let root = emptyDirectory();
  for (const layer of layers) root = applyLayer(root, layer);
  return root;
}

function applyLayer(before: Directory, layer: IndexedLayer): Directory {
  let root = before;
  const own = new Set<string>();
  for (const [ordinal, entry] of layer.index.entries()) {
    const given = clean(entry.name);
    if (given === '') {
      if (entry.type === 'directory') root = { ...root, ...metadata(entry) };
      continue;
    }
    const name = baseOf(given);
    const above = follow(root, parentOf(given));
    const parent = directoryFor(root, above, own);
    if (name === OPAQUE) keepOwn(parent, above, own);
    else if (name.startsWith(WHITEOUT)) parent.children.delete(name.slice(WHITEOUT.length));
    else {
      own.add(join(above, name));
      const content = entry.type === 'file' ? contentOf(entry, ordinal, layer) : undefined;
      const node = nodeOf(root, parent.children.get(name), entry, content);
      if (node !== undefined) parent.children.set(name, node);
    }
  }
  return root;
}

/** An opaque whiteout hides what lower layers had in the directory, wherever in the layer it stands. */
function keepOwn(directory: Directory, path: string, own: ReadonlySet<string>): void {
  for (const [name, child] of directory.children) {
    const below = join(path, name);
    if (!own.has(below)) directory.children.delete(name);
    else if (child.type === 'directory') keepOwn(child, below, own);
  }
}

/** Missing parents appear as engines make them: root's, 0755. */
function directoryFor(root: Directory, path: string, own: Set<string>): Directory {
  if (path === '') return root;
  const found = lookup(root, path);
  if (found?.type === 'directory') return found;
  const parent = directoryFor(root, parentOf(path), own);
  const made = emptyDirectory();
  parent.children.set(baseOf(path), made);
  own.add(path);
  return made;
}

function metadata(entry: IndexEntry) {
  const { mode, uid, gid, xattrs } = entry;
  return xattrs === undefined ? { mode, uid, gid } : { mode, uid, gid, xattrs };
}

/** The node that an archive's member makes where `existing` was; undefined for a hard link to nothing. */
function nodeOf(
  root: Directory,
  existing: Node | undefined,
  entry: IndexEntry,
  content: Content | undefined,
): Node | undefined {
  const own = metadata(entry);
  switch (entry.type) {
    case 'directory':
      return {
        ...own,
        type: 'directory',
        children: existing?.type === 'directory' ? existing.children : new Map(),
      };
    case 'file':
      return { ...own, type: 'file', size: entry.size, content: content! };
    case 'symlink':
      return { ...own, type: 'symlink', target: entry.linkname ?? '' };
    case 'hardlink':
      return lookup(root, clean(entry.linkname ?? ''));
    default:
      return { ...own, type: entry.type, ...(entry.device === undefined ? {} : { device: entry.device }) };
  }
}

function contentOf(entry: IndexEntry, ordinal: number, layer: IndexedLayer): Content {
  const digest = entry.digest as Digest;
  if (entry.text !== undefined) return { kind: 'bytes', bytes: Buffer.from(entry.text, 'latin1'), digest };
  return {
    kind: 'member',
    archive: { kind: 'layer', image: layer.image, layer: layer.descriptor },
    ordinal,
    digest,
  };
}

/** A tree from the members of an archive, such as a builder's output, whose contents were put somewhere. */
export function treeOfMembers(
  members: readonly { readonly entry: IndexEntry; readonly content?: Content | undefined }[],
): Directory {
  const root = emptyDirectory();
  const own = new Set<string>();
  for (const { entry, content } of members) {
    const path = clean(entry.name);
    if (path === '') continue;
    const parent = directoryFor(root, parentOf(path), own);
    const node = nodeOf(root, parent.children.get(baseOf(path)), entry, content);
    if (node !== undefined) parent.children.set(baseOf(path), node);
  }
  return root;
}
