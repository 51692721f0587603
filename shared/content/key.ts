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
  if (Array.isArray(part)) return `[${part.map(canonical).join(',')}]`;
  if (part !== null && typeof part === 'object') {
    const named = part as { readonly [name: string]: KeyPart };
    return `{${Object.keys(named)
      .sort()
      .map((name) => `${JSON.stringify(name)}:${canonical(named[name]!)}`)
      .join(',')}}`;
  }
  return JSON.stringify(part);
}

function compare(
  path: readonly string[],
  before: KeyPart | undefined,
  after: KeyPart | undefined,
): KeyDifference[] {
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
