import { realpathSync } from 'node:fs';
import { type BlobAlgorithm, type BlobName, blobNameOfFile } from './blob-name.ts';
import { nameToBytes } from './bytes.ts';
import { FileDigests } from './file-digests.ts';
import { type Conversions, isConverted, NO_CONVERSIONS } from './git-attributes.ts';
import { conversionsIn, findGitCheckout, type GitCheckout, gitCheckoutAt } from './git-checkout.ts';
import type { FileState, IndexedFolder } from './git-index.ts';

/** A folder, with what has to be known to name the files in it. */
export interface NamedFolder {
  /** Its real path. */
  readonly path: string;
  readonly above: NamedFolder | undefined;
  readonly checkout: GitCheckout | undefined;
  /** Its path in the checkout, with a slash behind it; nothing at the top. */
  readonly prefix: string;
  readonly indexed: IndexedFolder | undefined;
  readonly conversions: Conversions;
  /** The same folder in the checkout of a submodule, or of any repository that lies within the other one. */
  inner: NamedFolder | undefined;
}

/**
 * Names files by Git's blob ids. A file that Git's index knows, and that is as it was then, is not read: its name is in the index. All
 * others are read. The name is the same either way, in a fresh clone and in a folder that Git knows nothing of.
 */
export class BlobNames {
  /** How many names came out of an index, and how many files were looked at for theirs. */
  readonly counts = { known: 0, read: 0 };
  readonly #tops = new Map<string, NamedFolder>();
  readonly #memory: string | undefined;
  readonly #remembered = new Map<BlobAlgorithm, FileDigests>();

  private constructor(memory: string | undefined) {
    this.#memory = memory;
  }

  /** Remembers names of files that had to be read, in a file that is called like `memory`; without it for this run alone. */
  static open(memory?: string): BlobNames {
    return new BlobNames(memory);
  }

  /** A folder from which on names are wanted. All above it are looked at, up to the top of its checkout. */
  top(path: string): NamedFolder {
    let folder = this.#tops.get(path);
    if (folder === undefined) {
      folder = topFolder(path);
      this.#tops.set(path, folder);
    }
    return folder;
  }

  /** A folder within another one; not a link to a folder. `names` of all that is in it, where they are known, save a look. */
  below(above: NamedFolder, name: string, names?: readonly string[]): NamedFolder {
    return folderBelow(above, name, names);
  }

  /** The name of a file as Git's index has it; undefined where it has to be read. */
  known(folder: NamedFolder, name: string, state: FileState): BlobName | undefined {
    const found = indexedBlob(folder, name, state);
    if (found !== undefined) this.counts.known++;
    return found;
  }

  /**
   * The name of a file by its bytes, of which there are `size`; undefined when it is gone. Bytes of the path that are not UTF-8 are
   * escaped (nameFromBytes).
   */
  read(path: string, size: number, algorithm: BlobAlgorithm): BlobName | undefined {
    this.counts.read++;
    if (/[\udc80-\udcff]/.test(path)) return blobNameOfFile(nameToBytes(path), size, algorithm);
    const digest = this.#digests(algorithm).digest(path);
    return digest === undefined ? undefined : `blob:${digest}`;
  }

  /** Writes down what this run learnt. */
  save(): void {
    for (const digests of this.#remembered.values()) digests.save();
  }

  #digests(algorithm: BlobAlgorithm): FileDigests {
    let digests = this.#remembered.get(algorithm);
    if (digests === undefined) {
      const memory = this.#memory?.replace(/(\.json)?$/, `-${algorithm}.json`);
      digests = FileDigests.open(memory, (file, size) => blobNameOfFile(file, size, algorithm)?.slice(5));
      this.#remembered.set(algorithm, digests);
    }
    return digests;
  }
}

/** The name of a file in the state in which it is, as Git's index has it; undefined where it does not know. */
export function indexedBlob(folder: NamedFolder, name: string, state: FileState): BlobName | undefined {
  const found = lookUp(folder, name, state);
  if (found !== undefined) return found;
  const inner = innerOf(folder);
  return inner === folder ? undefined : lookUp(inner, name, state);
}

/** How files that have to be read are named in a folder: as the repository that they lie in names its objects. */
export function blobAlgorithmIn(folder: NamedFolder): BlobAlgorithm {
  return (innerOf(folder).checkout ?? folder.checkout)?.algorithm ?? 'sha1';
}

function topFolder(path: string): NamedFolder {
  const real = realpathSync.native(path === '' ? '/' : path);
  return folderIn(findGitCheckout(real), real);
}

/** A folder of a checkout, reached from its top. */
function folderIn(checkout: GitCheckout | undefined, path: string): NamedFolder {
  const none = { above: undefined, checkout, prefix: '', inner: undefined };
  if (checkout?.index === undefined)
    return { ...none, path, indexed: undefined, conversions: NO_CONVERSIONS };
  const { root } = checkout;
  const indexed = checkout.index.folder('');
  const conversions = conversionsIn(root === '/' ? '' : root, indexed, checkout.conversions);
  let folder: NamedFolder = { ...none, path: root, indexed, conversions };
  for (const name of path.slice(root.length).split('/')) if (name !== '') folder = folderBelow(folder, name);
  return { ...folder, above: undefined };
}

function folderBelow(above: NamedFolder, name: string, names?: readonly string[]): NamedFolder {
  const path = `${above.path === '/' ? '' : above.path}/${name}`;
  const { checkout } = above;
  if (checkout?.index === undefined) return { ...above, path, above, inner: undefined };
  const prefix = `${above.prefix}${name}/`;
  const indexed = checkout.index.folder(prefix);
  const conversions = conversionsIn(path, indexed, above.conversions, names);
  return { path, above, checkout, prefix, indexed, conversions, inner: undefined };
}

/** A file that an index does not know may belong to a checkout further in. */
function innerOf(folder: NamedFolder): NamedFolder {
  folder.inner ??= findInner(folder);
  return folder.inner;
}

function findInner(folder: NamedFolder): NamedFolder {
  const { path, above } = folder;
  if (above === undefined) return folder;
  const own = gitCheckoutAt(path);
  if (own !== undefined) return folderIn(own, path);
  const inner = innerOf(above);
  return inner === above ? folder : folderBelow(inner, path.slice(path.lastIndexOf('/') + 1));
}

function lookUp({ indexed, conversions }: NamedFolder, name: string, state: FileState): BlobName | undefined {
  return indexed === undefined || isConverted(conversions, name) ? undefined : indexed.blob(name, state);
}
