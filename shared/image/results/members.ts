import { createHash } from 'node:crypto';
import { type Digest, nameToBytes, type TarEntry } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import { pickPaths } from '../files/pick.ts';
import {
  clean,
  type Directory,
  follow,
  join,
  lookup,
  type Node,
  type RegularFile,
  walk,
} from '../files/tree.ts';
import type { PathContents } from './results.ts';

/** A member of the archive in which a stage's files are kept, with the file that has its bytes. */
export interface ResultMember {
  readonly entry: TarEntry;
  readonly file?: RegularFile;
}

/**
 * The members of a tree in byte order of their paths, without times: equal trees make equal archives. Hard links stay hard links. Undefined
 * for a tree with devices, pipes or sockets, which are not kept.
 */
export function membersOf(root: Directory): ResultMember[] | undefined {
  const members: ResultMember[] = [];
  const written = new Map<Node, string>();
  for (const { path, node } of walk(root)) {
    const member = memberOf(path, node, written);
    if (member === undefined) return undefined;
    members.push(member);
  }
  return members;
}

function memberOf(path: string, node: Node, written: Map<Node, string>): ResultMember | undefined {
  const { uid, gid, xattrs } = node;
  const own = { name: path, uid, gid, size: 0, mtime: 0, ...(xattrs !== undefined && { xattrs }) };
  switch (node.type) {
    case 'directory':
      return { entry: { ...own, type: 'directory', mode: node.mode } };
    case 'symlink':
      return { entry: { ...own, type: 'symlink', mode: 0o777, linkname: node.target } };
    case 'file': {
      const first = written.get(node);
      if (first !== undefined)
        return { entry: { ...own, type: 'hardlink', mode: node.mode, linkname: first } };
      written.set(node, path);
      return { entry: { ...own, type: 'file', mode: node.mode, size: node.size }, file: node };
    }
    default:
      return undefined;
  }
}

/**
 * The digest of a tree: everything that a copy out of it could see, which is paths, types, modes, owners, links, extended attributes and
 * contents, and not times. Undefined for a tree that is not kept (see membersOf).
 */
export async function contentDigest(root: Directory, digests: ContentDigests): Promise<Digest | undefined> {
  const members = membersOf(root);
  if (members === undefined) return undefined;
  const hash = createHash('sha256');
  for (const { entry, file } of members) {
    hash.update(`${JSON.stringify(describeEntry(entry))}\n`);
    if (file !== undefined) hash.update(`${await digests.of(file)}\n`);
  }
  return `sha256:${hash.digest('hex')}`;
}

/**
 * The digests of what copies of single paths could see, in byte order of the paths. A path with a link that leads out of it has the digest
 * of the whole tree: a pattern may match the link, and then copies what it leads to. Undefined for a tree that is not kept.
 */
export async function pathContents(
  root: Directory,
  paths: readonly string[],
  digests: ContentDigests,
): Promise<PathContents | undefined> {
  const all = await contentDigest(root, digests);
  if (all === undefined) return undefined;
  const contents: Record<string, Digest> = {};
  for (const path of [...paths].sort()) {
    const own = leadsOut(root, path) ? undefined : await contentDigest(pickPaths(root, [path]), digests);
    contents[path] = own ?? all;
  }
  return contents;
}

/** Whether a tree is what was said of it, as a whole and path by path. */
export async function holdsWhatItSays(
  root: Directory,
  said: { readonly content: Digest; readonly contents: PathContents },
  digests: ContentDigests,
): Promise<boolean> {
  if ((await contentDigest(root, digests)) !== said.content) return false;
  const paths = Object.keys(said.contents);
  const contents = await pathContents(root, paths, digests);
  return contents !== undefined && paths.every((path) => contents[path] === said.contents[path]);
}

/** Whether a symbolic link below a path leads to what is not below it, or nowhere that can be told. */
function leadsOut(root: Directory, path: string): boolean {
  try {
    const top = follow(root, clean(path.replace(/\\(.)/gs, '$1')));
    const node = lookup(root, top);
    if (node?.type !== 'directory') return false;
    return [...walk(node)].some(
      (one) => one.node.type === 'symlink' && !isBelow(follow(root, join(top, one.path)), top),
    );
  } catch (error) {
    if (error instanceof Failure) return true;
    throw error;
  }
}

function isBelow(path: string, top: string): boolean {
  return top === '' || path.startsWith(`${top}/`);
}

/** Everything about a member that counts, as values that JSON tells apart. */
function describeEntry({ name, type, mode, uid, gid, linkname, xattrs }: TarEntry): unknown[] {
  const attributes = Object.entries(xattrs ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
  return [text(name), type, mode, uid, gid, linkname === undefined ? null : text(linkname), attributes];
}

/** Names that are not UTF-8 must not fall together. */
function text(name: string): string {
  return nameToBytes(name).toString('base64');
}
