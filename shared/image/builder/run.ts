import type { Digest } from '../../content/index.ts';
import type { Platform } from '../../oci/index.ts';
import type { BuilderSettings } from './arguments.ts';

/** How a run uses a builder. */
export interface BuilderRun {
  readonly settings: BuilderSettings;
  /** Folder for this run's files. */
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
}

/** The digest that a base image was found under when it was keyed, of what its reference points to; undefined for one that was not found. */
export type PinnedDigest = (reference: string, platform: Platform) => Promise<Digest | undefined>;
