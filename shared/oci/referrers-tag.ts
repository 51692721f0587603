import type { Digest } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { parseDocument } from './manifest.ts';
import type { Clock } from './retry.ts';
import { type Descriptor, type Index, MediaType } from './types.ts';

/** The list of what refers to one manifest, where a registry keeps none: an index under a tag (distribution-spec, "Referrers Tag Schema"). */
export interface ReferrersTag {
  read(): Promise<Index>;
  write(index: Index): Promise<void>;
}

export const NO_REFERRERS: Index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] };

/** Others may take this many turns in a row before they are taken for a fault. */
const ROUNDS = 12;
/** Milliseconds that another writer, who has read the list before us, is given to write it. */
const SETTLING = 60;

/**
 * Adds entries to such a list. The protocol cannot write on a condition, so that two writers who have read the same list write over
 * each other: the list is read again after a pause, and whatever is missing of what was seen in it before or was added is put back,
 * until nothing is. All that is left is a writer who takes longer than the pause from reading to writing and does not look again.
 */
export async function addReferrers(
  list: ReferrersTag,
  entries: readonly Descriptor[],
  what: string,
  { clock, signal }: { readonly clock: Clock; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  let known: readonly Descriptor[] = entries;
  for (let round = 0; round < ROUNDS; round++) {
    const index = await list.read();
    const missing = without(known, index.manifests);
    if (missing.length === 0) return;
    known = [...known, ...without(index.manifests, known)];
    await list.write({ ...index, manifests: [...index.manifests, ...missing] });
    await clock.sleep(SETTLING * (1 + clock.random()) * Math.min(round + 1, 4), signal);
  }
  throw new Failure(
    `Cannot ${what}: others wrote the list of what refers to it ${ROUNDS} times in a row; run this again.`,
  );
}

function without(entries: readonly Descriptor[], others: readonly Descriptor[]): Descriptor[] {
  const there = new Set(others.map(({ digest }) => digest));
  return entries.filter(({ digest }) => !there.has(digest));
}

/** The list in the bytes that a registry has under the tag; what is no index is none. */
export function referrersIn(bytes: Buffer, mediaType: string): Index {
  const document = parseDocument(bytes, 'The list of referrers', mediaType);
  return document.kind === 'index' ? document.index : NO_REFERRERS;
}

/** The tag that stands in for the list (distribution-spec, "Referrers Tag Schema"). */
export function referrersTag(digest: Digest): string {
  return digest.replace(':', '-');
}

/** Gathers what this process adds to one list while a round is under way, so that it never races with itself. */
export class ReferrersQueue {
  #next: { readonly entries: Descriptor[]; readonly done: Promise<void> } | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #add: (entries: readonly Descriptor[]) => Promise<void>;

  constructor(add: (entries: readonly Descriptor[]) => Promise<void>) {
    this.#add = add;
  }

  /** Resolves when the entry is in the list. */
  async add(entry: Descriptor): Promise<void> {
    this.#next ??= this.#round();
    this.#next.entries.push(entry);
    await this.#next.done;
  }

  /** A round that begins when the last one has ended, with all that was given until then. */
  #round(): { readonly entries: Descriptor[]; readonly done: Promise<void> } {
    const entries: Descriptor[] = [];
    const done = this.#last
      .catch(() => {})
      .then(() => {
        this.#next = undefined;
        return this.#add(entries);
      });
    this.#last = done;
    return { entries, done };
  }
}
