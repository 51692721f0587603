import { createHash } from 'node:crypto';
import { type Digest, digestOf } from './digest.ts';

/** A part of a key: text, a flag, a list whose order counts, or named parts whose order does not. */
export type KeyPart =
  | string
  | number
  | boolean
  | null
  | readonly KeyPart[]
  | { readonly [name: string]: KeyPart };

/** A difference between two keys: the path of names to the first part that differs, and that part before and after. */
export interface KeyDifference {
  readonly path: readonly string[];
  readonly before: KeyPart | undefined;
  readonly after: KeyPart | undefined;
}

/**
 * Many named texts as one part: names and texts in turn. It says the same as named parts, but for the hundred thousand files of a
 * large context an object takes several times as long. The order counts.
 */
export interface KeyListing {
  readonly [name: string]: readonly string[];
  readonly listing: readonly string[];
}

/**
 * A digest over named parts, which keeps its parts: two keys can be compared and a miss can be explained. Equal parts give equal
 * digests on every machine; the order in which names were added does not count.
 */
export class Key {
  readonly digest: Digest;
  readonly parts: { readonly [name: string]: KeyPart };

  private constructor(parts: { readonly [name: string]: KeyPart }) {
    this.parts = parts;
    this.digest = digestOf(canonical(parts));
  }

  static of(parts: { readonly [name: string]: KeyPart }): Key {
    return new Key(parts);
  }

  /** What differs from `before`, in the order in which this key names its parts; empty when the keys are equal. */
  differences(before: Key): KeyDifference[] {
    return compare([], before.parts, this.parts);
  }
}

function canonical(part: KeyPart): string {
  if (Array.isArray(part)) {
    const list = part as readonly KeyPart[];
    if (list.every((one) => typeof one === 'string')) return JSON.stringify(list);
    return `[${list.map(canonical).join(',')}]`;
  }
  if (part !== null && typeof part === 'object') {
    const named = part as { readonly [name: string]: KeyPart };
    const listed = digestOfListing(named);
    if (listed !== undefined) return `{"listing":"${listed}"}`;
    return `{${Object.keys(named)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${canonical(named[name]!)}`)
      .join(',')}}`;
  }
  return JSON.stringify(part);
}

const digestsOfListings = new WeakMap<object, Digest>();

function digestOfListing(part: { readonly [name: string]: KeyPart }): Digest | undefined {
  const known = digestsOfListings.get(part);
  if (known !== undefined || !isListing(part)) return known;
  const writer = new ListingWriter();
  for (let at = 0; at < part.listing.length; at += 2) writer.add(part.listing[at]!, part.listing[at + 1]!);
  const digest = digestsOfListings.get(writer.end())!;
  digestsOfListings.set(part, digest);
  return digest;
}

/** Texts that are hashed, and kept, as one. */
const PIECE = 4096;

/**
 * Writes a listing. A hundred thousand files would be several hundred thousand texts in memory: they are kept in pieces, as the digest
 * is made of them, and taken apart when somebody asks for the listing.
 */
export class ListingWriter {
  readonly #hash = createHash('sha256');
  readonly #pieces: string[] = [];
  #texts: string[] = [];

  add(name: string, text: string): void {
    this.#texts.push(name, text);
    if (this.#texts.length === PIECE) this.#keep();
  }

  #keep(): void {
    const piece = JSON.stringify(this.#texts);
    this.#hash.update(piece);
    this.#pieces.push(piece);
    this.#texts = [];
  }

  /** The listing, to which nothing can be added any more. */
  end(): KeyListing {
    if (this.#texts.length > 0) this.#keep();
    const pieces = this.#pieces;
    let listing: readonly string[] | undefined;
    const part: KeyListing = {
      get listing() {
        listing ??= pieces.flatMap((piece) => JSON.parse(piece) as string[]);
        return listing;
      },
    };
    digestsOfListings.set(part, `sha256:${this.#hash.digest('hex')}`);
    return part;
  }
}

function compare(
  path: readonly string[],
  before: KeyPart | undefined,
  after: KeyPart | undefined,
): KeyDifference[] {
  if (before === after) return [];
  if (isListing(before) && isListing(after))
    return canonical(before) === canonical(after) ? [] : compare(path, namedTexts(before), namedTexts(after));
  if (isNamed(before) && isNamed(after)) {
    const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
    return names.flatMap((name) => compare([...path, name], before[name], after[name]));
  }
  const same = before !== undefined && after !== undefined && canonical(before) === canonical(after);
  return same ? [] : [{ path, before, after }];
}

function isNamed(part: KeyPart | undefined): part is { readonly [name: string]: KeyPart } {
  return part !== undefined && part !== null && typeof part === 'object' && !Array.isArray(part);
}

function isListing(part: KeyPart | undefined): part is KeyListing {
  return (
    isNamed(part) &&
    Array.isArray(part.listing) &&
    part.listing.length % 2 === 0 &&
    Object.keys(part).length === 1
  );
}

function namedTexts({ listing }: KeyListing): { readonly [name: string]: KeyPart } {
  const named: Record<string, string> = Object.create(null);
  for (let i = 0; i < listing.length; i += 2) named[listing[i]!] = listing[i + 1]!;
  return named;
}
