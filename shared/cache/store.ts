/**
 * Content by key, kept between runs. A store is a help and never a condition: it may be absent, slow, broken or full of another
 * run's bytes, and the work goes on without it. `restore` and `save` hold to that; a store itself just throws.
 *
 * An entry is one archive (see archive.ts) and never changes once it is stored.
 */
export interface Store {
  /** How messages call it, such as `the GitHub Actions cache`. */
  readonly name: string;
  /** The keys among these under which there is an entry, in as few requests as the store allows. */
  has(keys: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>>;
  /**
   * Brings the archive of the first match onto this machine: the entry of exactly `key`, else the newest whose key starts with the
   * first prefix that has one. `file` is where it may be written; the store may answer with a path of its own. Undefined: no match.
   */
  fetch(query: StoreQuery, file: string, signal?: AbortSignal): Promise<FetchedEntry | undefined>;
  /** Stores an archive. `present`: there is an entry under this key already, and it stays as it is. */
  put(key: string, file: string, signal?: AbortSignal): Promise<'stored' | 'present'>;
}

/** Which entry is wanted. */
export interface StoreQuery {
  readonly key: string;
  /** In the order of preference. */
  readonly prefixes: readonly string[];
}

/** An entry that was found, as an archive on this machine. */
export interface FetchedEntry {
  readonly key: string;
  /** Absolute path of the archive. */
  readonly file: string;
}
