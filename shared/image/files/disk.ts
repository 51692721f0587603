import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import { BlobNames, type NamedFolder, nameFromBytes, nameToBytes, OWN_FOLDER } from '../../content/index.ts';
import type { Ignore } from '../../dockerfile/index.ts';
import { Failure } from '../../host/index.ts';
import { type Directory, join, type Node, type RegularFile } from './tree.ts';

/**
 * A directory of this machine as a tree, read only where it is looked at. As when buildx sends a context: everything belongs to
 * root, what .dockerignore leaves out and what Slipway keeps for itself is not there, modes are those on disk, and links are kept as links. Nothing outside the
 * directory can be reached through the tree: links are followed inside it alone (see follow).
 */
export function diskTree(
  path: string,
  ignore: Ignore | undefined,
  own: ReadonlySet<string> = new Set(),
  blobs: BlobNames = BlobNames.open(),
): Directory {
  const reader: Reader = { ignore, own, blobs, links: new Map() };
  return directory(path, '', lstat(path), () => blobs.top(path), reader);
}

interface Reader {
  readonly ignore: Ignore | undefined;
  /** Paths below the folder that are left out whatever the ignore file says. */
  readonly own: ReadonlySet<string>;
  /** Names files while their states are at hand. */
  readonly blobs: BlobNames;
  /** File nodes by device and inode, for files with several names. */
  readonly links: Map<string, RegularFile>;
}

/** The form in which node:fs takes a path whose bytes need not be UTF-8. */
export function diskPath(path: string): string | Buffer {
  return /[\udc80-\udcff]/.test(path) ? nameToBytes(path) : path;
}

function lstat(path: string): Stats {
  return lstatSync(diskPath(path));
}

function directory(
  path: string,
  relative: string,
  stats: Stats,
  folder: () => NamedFolder,
  reader: Reader,
): Directory {
  let children: Map<string, Node> | undefined;
  return {
    type: 'directory',
    mode: modeOf(stats),
    uid: 0,
    gid: 0,
    get children() {
      children ??= readChildren(path, relative, folder(), reader);
      return children;
    },
  };
}

function readChildren(
  path: string,
  relative: string,
  folder: NamedFolder,
  reader: Reader,
): Map<string, Node> {
  const children = new Map<string, Node>();
  for (const name of namesIn(path)) {
    const below = join(relative, name);
    if (name === OWN_FOLDER || reader.own.has(below)) continue;
    const node = readNode({ path: `${path}/${name}`, name, below, folder }, reader);
    if (node !== undefined && !isIgnored(below, node, reader.ignore)) children.set(name, node);
  }
  return children;
}

function namesIn(path: string): string[] {
  try {
    const names = readdirSync(diskPath(path));
    // Reading them as bytes takes twice as long, and hardly any name needs it.
    if (!names.some((name) => name.includes('\ufffd'))) return names;
    return readdirSync(diskPath(path), { encoding: 'buffer' }).map((name) => nameFromBytes(name));
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException).code;
  const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : code;
  return new Failure(`${path} cannot be read: ${why}.`, { cause: error });
}

/** An ignored directory is still there when something below it is not ignored. */
function isIgnored(path: string, node: Node, ignore: Ignore | undefined): boolean {
  if (ignore === undefined || !ignore.ignores(path, node.type === 'directory')) return false;
  return node.type !== 'directory' || !ignore.mayContainIncluded(path) || node.children.size === 0;
}

/** An entry of a folder; `below` is its path from the top of the tree. */
interface Entry {
  readonly path: string;
  readonly name: string;
  readonly below: string;
  readonly folder: NamedFolder;
}

function readNode(entry: Entry, reader: Reader): Node | undefined {
  const { path, name, below, folder } = entry;
  let stats: Stats;
  try {
    stats = lstat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined; // gone since its directory was listed
    throw unreadable(path, error);
  }
  if (stats.isFile()) return file(entry, stats, reader);
  if (stats.isDirectory())
    return directory(path, below, stats, () => reader.blobs.below(folder, name), reader);
  if (stats.isSymbolicLink())
    return { type: 'symlink', uid: 0, gid: 0, target: nameFromBytes(readlinkSync(diskPath(path), 'buffer')) };
  const type = stats.isFIFO()
    ? 'fifo'
    : stats.isSocket()
      ? 'socket'
      : stats.isBlockDevice()
        ? 'block'
        : 'character';
  return { type, mode: modeOf(stats), uid: 0, gid: 0 };
}

function file({ path, name, folder }: Entry, stats: Stats, reader: Reader): RegularFile {
  const inode = stats.nlink > 1 ? `${stats.dev}:${stats.ino}` : undefined;
  const same = inode === undefined ? undefined : reader.links.get(inode);
  if (same !== undefined) return same;
  const node: RegularFile = {
    type: 'file',
    mode: modeOf(stats),
    uid: 0,
    gid: 0,
    size: stats.size,
    content: { kind: 'disk', path, blob: reader.blobs.known(folder, name, stats), folder },
  };
  if (inode !== undefined) reader.links.set(inode, node);
  return node;
}

/** Windows knows no execute bit; buildx sends what it finds there as 0755. */
function modeOf(stats: Stats): number {
  return process.platform === 'win32' ? (stats.mode | 0o111) & 0o755 : stats.mode & 0o7777;
}
