import { createHash } from 'node:crypto';
import { type Digest, nameToBytes, type TarEntry } from '../../content/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import { type Directory, type Node, type RegularFile, walk } from '../files/tree.ts';

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
