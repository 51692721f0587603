import type { Digest } from '../../content/index.ts';
import type { Task } from '../../host/index.ts';
import type { ImageSource, ImageTarget, Manifest } from '../../oci/index.ts';

/** A seed that is there: an image whose files below `/mount` a cache mount starts from. */
export interface FoundSeed {
  readonly digest: Digest;
  /** In buildx's words, such as `docker-image://ghcr.io/org/app@sha256:…`. */
  readonly context: string;
  readonly manifest: Manifest;
  /** Seconds since 1970. */
  readonly saved: number;
  /** Where its blobs can be read. */
  readonly source: ImageSource;
  /** Takes back what was put elsewhere for the builder. */
  readonly release?: () => Promise<void>;
}

/** Where seeds are kept. What goes wrong is thrown; the caller goes on without. */
export interface SeedCarrier {
  /** How messages call it. */
  readonly name: string;
  /** The seed under the first name that has one; a name is of the characters of a tag. */
  find(names: readonly string[], signal: AbortSignal | undefined, task: Task): Promise<FoundSeed | undefined>;
  /** What a builder names the image when it pushes by itself; undefined where it cannot. */
  reference(name: string): string | undefined;
  /** What a builder pushed under a name. */
  pushed(name: string): Promise<Manifest | undefined>;
  /** A place for an image that this process makes, and what is done when it is whole; gives the bytes that were moved. */
  open(
    name: string,
  ): Promise<{ readonly target: ImageTarget; finish(digest: Digest, task: Task): Promise<number> }>;
}

/** The annotation of a seed's manifest that tells when it was saved, in seconds since 1970. */
export const SAVED = 'dev.slipway.mount.saved';

export function savedAt(manifest: Manifest): number {
  const saved = Number(manifest.annotations?.[SAVED]);
  return Number.isFinite(saved) ? saved : 0;
}
