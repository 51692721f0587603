import { lstatSync, readdirSync, readlinkSync, type Stats } from 'node:fs';
import {
  type BlobName,
  BlobNames,
  type NamedFolder,
  nameFromBytes,
  nameToBytes,
  OWN_FOLDER,
} from '../../content/index.ts';
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
  return directory(path, '', lstatSync(diskPath(path)), () => blobs.top(path), reader);
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

function directory(
  path: string,
  relative: string,
  stats: Stats,
  folder: (names: readonly string[]) => NamedFolder,
  reader: Reader,
): Directory {
  let children: Map<string, Node> | undefined;
  return {
    type: 'directory',
    mode: modeOf(stats),
    uid: 0,
    gid: 0,
    get children() {
      children ??= readChildren(path, relative, folder, reader);
      return children;
    },
  };
}

function readChildren(
  path: string,
  relative: string,
  folderWith: (names: readonly string[]) => NamedFolder,
  reader: Reader,
): Map<string, Node> {
  const { ignore, own } = reader;
  const names = namesIn(path);
  const folder = folderWith(names);
  const place: Place = { path: path === '/' ? '' : path, folder };
  const children = new Map<string, Node>();
  for (const name of names) {
    const below = join(relative, name);
    if (name === OWN_FOLDER || own.has(below)) continue;
    const ignored = ignore?.ignores(below, false) ?? false;
    if (ignored && !ignore!.mayContainIncluded(below)) continue;
    const node = readNode(place, name, below, reader);
    if (node === undefined) continue;
    // An ignored directory is still there when something below it is not ignored.
    if (ignored && (node.type !== 'directory' || node.children.size === 0)) continue;
    children.set(name, node);
  }
  return children;
}

/** In the order in which trees are walked. */
function namesIn(path: string): string[] {
  try {
    const names = readdirSync(diskPath(path)).sort();
    // Reading them as bytes takes twice as long, and hardly any name needs it.
    if (!names.some((name) => name.includes('\ufffd'))) return names;
    const bytes = readdirSync(diskPath(path), { encoding: 'buffer' });
    return bytes.map((name) => nameFromBytes(name)).sort();
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): Failure {
  const code = (error as NodeJS.ErrnoException).code;
  const why = code === 'EACCES' || code === 'EPERM' ? 'permission denied' : code;
  return new Failure(`${path} cannot be read: ${why}.`, { cause: error });
}

/** A folder that is read; nothing stands for the root's path. */
interface Place {
  readonly path: string;
  readonly folder: NamedFolder;
}

/** A file of the disk in a tree. There may be a hundred thousand, and the paths of most are never asked for. */
class FileOnDisk {
  readonly kind = 'disk';
  readonly #place: Place;
  readonly #name: string;
  readonly blob: BlobName | undefined;
  readonly single: boolean;

  constructor(place: Place, name: string, blob: BlobName | undefined, single: boolean) {
    this.#place = place;
    this.#name = name;
    this.blob = blob;
    this.single = single;
  }

  get path(): string {
    return `${this.#place.path}/${this.#name}`;
  }

  get folder(): NamedFolder {
    return this.#place.folder;
  }
}

/** `below` is the path from the top of the tree. */
function readNode(place: Place, name: string, below: string, reader: Reader): Node | undefined {
  const path = `${place.path}/${name}`;
  let stats: Stats | undefined;
  try {
    stats = lstatSync(diskPath(path), GONE_OR_NOT);
  } catch (error) {
    throw unreadable(path, error);
  }
  if (stats === undefined) return undefined; // gone since its directory was listed
  if (stats.isFile()) return file(place, name, stats, reader);
  if (stats.isDirectory()) {
    const folder = (names: readonly string[]) => reader.blobs.below(place.folder, name, names);
    return directory(path, below, stats, folder, reader);
  }
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

const GONE_OR_NOT = { throwIfNoEntry: false } as const;

function file(place: Place, name: string, stats: Stats, reader: Reader): RegularFile {
  const inode = stats.nlink > 1 ? `${stats.dev}:${stats.ino}` : undefined;
  const same = inode === undefined ? undefined : reader.links.get(inode);
  if (same !== undefined) return same;
  const node: RegularFile = {
    type: 'file',
    mode: modeOf(stats),
    uid: 0,
    gid: 0,
    size: stats.size,
    content: new FileOnDisk(place, name, reader.blobs.known(place.folder, name, stats), inode === undefined),
  };
  if (inode !== undefined) reader.links.set(inode, node);
  return node;
}

/** Windows knows no execute bit; buildx sends what it finds there as 0755. */
function modeOf(stats: Stats): number {
  return process.platform === 'win32' ? (stats.mode | 0o111) & 0o755 : stats.mode & 0o7777;
}
