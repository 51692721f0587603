import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { type Digest, readTar, safeRelative } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import type { IndexEntry, LayerIndex, LayerMembers } from './layer-index.ts';
import type { Owner } from './owner.ts';
import {
  type Archive,
  baseOf,
  clean,
  type Directory,
  type FileSystem,
  follow,
  join,
  lookup,
  makeDirectories,
  type Node,
  parentOf,
  put,
} from './tree.ts';
import { Unmodelled } from './unmodelled.ts';

type Open = () => AsyncIterable<Uint8Array>;

/** The members of a local archive that ADD unpacks: plain, gzip or zstd, told apart by their first bytes as engines do. */
export async function archiveMembers(open: Open): Promise<LayerMembers | undefined> {
  const head = await firstBytes(open, 10);
  const compression = detect(head);
  if (compression === 'bzip2' || compression === 'xz')
    throw new Unmodelled(`ADD would unpack a ${compression} archive`);
  const members = () => readTar(decompress(open(), compression));
  return (await hasMember(members())) ? members() : undefined;
}

async function firstBytes(open: Open, count: number): Promise<Buffer> {
  let head = Buffer.alloc(0);
  for await (const chunk of open()) {
    head = Buffer.concat([head, chunk]);
    if (head.length >= count) break;
  }
  return head.subarray(0, count);
}

type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz';

const MAGIC: readonly (readonly [Compression, string])[] = [
  ['gzip', '1f8b08'],
  ['bzip2', '425a68'],
  ['xz', 'fd377a585a00'],
  ['zstd', '28b52ffd'],
];

function detect(head: Buffer): Compression {
  const hex = head.toString('hex');
  const found = MAGIC.find(([, magic]) => hex.startsWith(magic));
  if (found !== undefined) return found[0];
  return /^5[0-9a-f]2a4d18/.test(hex) ? 'zstd' : 'none'; // a skippable frame
}

function decompress(content: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'none') return content;
  const stage = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  // An error on either side ends the other; whoever reads the result sees it.
  return pipeline(Readable.from(content), stage, () => {});
}

/** A file without a readable first member is no archive, and is copied as it is. */
async function hasMember(members: LayerMembers): Promise<boolean> {
  try {
    for await (const _ of members) return true;
    return false;
  } catch {
    return false;
  }
}

/**
 * Unpacks an archive into a directory of the tree as moby/go-archive does for ADD: a member takes the place of what is there, but
 * directories are merged; links on the way to a member are followed inside the destination alone.
 */
export function unpackInto(
  fs: FileSystem,
  index: LayerIndex,
  archive: Archive,
  destination: string,
  owner: Owner | undefined,
): void {
  const target = follow(fs.root, destination);
  makeDirectories(fs, target, { mode: 0o755, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0 });
  for (const [ordinal, entry] of index.entries()) {
    const name = inside(entry.name);
    if (name === '') continue;
    const top = lookup(fs.root, target) as Directory;
    const above = join(target, follow(top, parentOf(name))).replace(/\/$/, '');
    makeDirectories(fs, above, { mode: 0o755, uid: 0, gid: 0 });
    const path = join(above, baseOf(name));
    put(fs, path, memberNode(top, lookup(fs.root, path), entry, ordinal, archive, owner));
  }
}

function inside(name: string): string {
  const relative = safeRelative(name);
  if (relative === undefined && !name.startsWith('/'))
    throw new Failure(
      `The archive has a member "${name}", which lies outside of the directory that it is unpacked into.`,
    );
  return clean(name);
}

function memberNode(
  top: Directory,
  existing: Node | undefined,
  entry: IndexEntry,
  ordinal: number,
  archive: Archive,
  owner: Owner | undefined,
): Node {
  const own = {
    uid: entry.uid,
    gid: entry.gid,
    ...owner,
    ...(entry.xattrs === undefined ? {} : { xattrs: entry.xattrs }),
  };
  switch (entry.type) {
    case 'directory':
      return {
        ...own,
        type: 'directory',
        mode: entry.mode,
        children: existing?.type === 'directory' ? existing.children : new Map(),
      };
    case 'file':
      return {
        ...own,
        type: 'file',
        mode: entry.mode,
        size: entry.size,
        content: { kind: 'member', archive, ordinal, digest: entry.digest as Digest },
      };
    case 'symlink':
      return { ...own, type: 'symlink', target: entry.linkname ?? '' };
    case 'hardlink':
      return linked(top, entry);
    default:
      throw new Unmodelled(`ADD unpacks "${entry.name}", which is a ${entry.type} device or pipe`);
  }
}

function linked(top: Directory, entry: IndexEntry): Node {
  const path = clean(entry.linkname ?? '');
  const node = lookup(top, join(follow(top, parentOf(path)), baseOf(path)));
  if (node === undefined || node.type === 'directory')
    throw new Failure(
      `The archive's member "${entry.name}" is a hard link to "${entry.linkname}", which is not there.`,
    );
  return node;
}
