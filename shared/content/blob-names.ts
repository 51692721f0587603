import { realpathSync } from 'node:fs';
import { type BlobAlgorithm, type BlobName, blobNameOfFile } from './blob-name.ts';
import { nameToBytes } from './bytes.ts';
import { FileDigests } from './file-digests.ts';
import { type Conversions, isConverted, NO_CONVERSIONS } from './git-attributes.ts';
import { conversionsIn, findGitCheckout, type GitCheckout, gitCheckoutAt } from './git-checkout.ts';
import type { FileState } from './git-index.ts';

/** A folder, with what has to be known to name the files in it. */
interface Place {
  /** Its real path. */
  readonly folder: string;
  readonly above: Place | undefined;
  readonly checkout: GitCheckout | undefined;
  /** Its path in the checkout, with a slash behind it; nothing at the top. */
  readonly prefix: string;
  readonly conversions: Conversions;
  /** The same folder in the checkout of a submodule, or of any repository that lies within the other one. */
  inner: Place | undefined;
}

/**
 * Names files by Git's blob ids. A file that Git's index knows, and that is as it was then, is not read: its name is in the index. All
 * others are read. The name is the same either way, in a fresh clone and in a folder that Git knows nothing of.
 */
export class BlobNames {
  /** How many names came out of an index, and how many files were looked at for theirs. */
  readonly counts = { known: 0, read: 0 };
  readonly #places = new Map<string, Place>();
  readonly #memory: string | undefined;
  readonly #remembered = new Map<BlobAlgorithm, FileDigests>();
  #last: { readonly folder: string; readonly place: Place } | undefined;

  private constructor(memory: string | undefined) {
    this.#memory = memory;
  }

  /** Remembers names of files that had to be read, in a file that is called like `memory`; without it for this run alone. */
  static open(memory?: string): BlobNames {
    return new BlobNames(memory);
  }

  /**
   * The name of a file below the folder `top`, with no symbolic link between the two, in the state in which it was found; undefined
   * when it is gone. Bytes of the path that are not UTF-8 are escaped (nameFromBytes).
   */
  name(path: string, state: FileState, top: string): BlobName | undefined {
    const slash = path.lastIndexOf('/');
    const place = this.#placeOf(path.slice(0, slash), top);
    const file = path.slice(slash + 1);
    const found = known(place, file, state);
    if (found !== undefined) {
      this.counts.known++;
      return found;
    }
    const inner = innerOf(place);
    const nested = inner === place ? undefined : known(inner, file, state);
    if (nested !== undefined) this.counts.known++;
    return nested ?? this.read(path, state.size, inner.checkout?.algorithm);
  }

  /** The name of a file by its bytes, of which there are `size`. */
  read(path: string, size: number, algorithm: BlobAlgorithm = 'sha1'): BlobName | undefined {
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

  /** The files of a folder are mostly asked for one after the other. */
  #placeOf(folder: string, top: string): Place {
    if (this.#last?.folder === folder) return this.#last.place;
    const place = this.#findPlace(folder, top);
    this.#last = { folder, place };
    return place;
  }

  #findPlace(folder: string, top: string): Place {
    const seen = this.#places.get(folder);
    if (seen !== undefined) return seen;
    const place =
      folder.length > top.length
        ? placeBelow(this.#findPlace(folder.slice(0, folder.lastIndexOf('/')), top), folder)
        : topPlace(folder);
    this.#places.set(folder, place);
    return place;
  }
}

/** A folder, found by looking at every folder above it up to the top of its checkout. */
function topPlace(given: string): Place {
  const folder = realpathSync.native(given === '' ? '/' : given);
  const checkout = findGitCheckout(folder);
  return { ...placeIn(checkout, folder), above: undefined, inner: undefined };
}

function placeIn(checkout: GitCheckout | undefined, folder: string): Omit<Place, 'above' | 'inner'> {
  if (checkout?.index === undefined) return { folder, checkout, prefix: '', conversions: NO_CONVERSIONS };
  const { root } = checkout;
  const below = folder.slice(root === '/' ? 1 : root.length + 1);
  const names = below === '' ? [] : below.split('/');
  let at = root === '/' ? '' : root;
  let conversions = conversionsIn(checkout, at, checkout.conversions);
  for (const name of names) {
    at = `${at}/${name}`;
    conversions = conversionsIn(checkout, at, conversions);
  }
  return { folder, checkout, prefix: below === '' ? '' : `${below}/`, conversions };
}

function placeBelow(above: Place, path: string): Place {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const folder = `${above.folder === '/' ? '' : above.folder}/${name}`;
  const { checkout } = above;
  const conversions =
    checkout?.index === undefined ? NO_CONVERSIONS : conversionsIn(checkout, folder, above.conversions);
  return { folder, above, checkout, prefix: `${above.prefix}${name}/`, conversions, inner: undefined };
}

/** A file that an index does not know may belong to a checkout further in. */
function innerOf(place: Place): Place {
  place.inner ??= findInner(place);
  return place.inner;
}

function findInner(place: Place): Place {
  if (place.above === undefined) return place;
  const own = gitCheckoutAt(place.folder);
  if (own !== undefined) return { ...placeIn(own, place.folder), above: undefined, inner: undefined };
  const above = innerOf(place.above);
  return above === place.above ? place : placeBelow(above, place.folder);
}

function known(
  { checkout, prefix, conversions }: Place,
  name: string,
  state: FileState,
): BlobName | undefined {
  if (checkout?.index === undefined || isConverted(conversions, name)) return undefined;
  return checkout.index.blob(prefix + name, state);
}
