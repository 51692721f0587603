import type { Digest, Key } from '../../content/index.ts';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { Platform } from '../../oci/index.ts';
import type { Because } from '../plan.ts';

/**
 * What is known of what stages came out as: the digest of all that copies of some of a stage's paths could see, patterns standing for the
 * folders that they look in. Undefined where it is not known.
 */
export type ContentOf = (stage: number, paths: readonly string[]) => Digest | undefined;

/** What decides about the files of a stage, found out before anything is made. */
export interface StageIdentity {
  readonly stage: ResolvedStage;
  /**
   * Names the stage's files by all that they are made of: base, instructions, files of the context, arguments, platform, and the keys
   * of the stages that it takes from. Undefined where something decides that no key can hold, and for a stage that is handed in: its
   * files are in the keys of those who take them.
   */
  readonly key: Key | undefined;
  /** Why there is no key: the stage is always made. */
  readonly unkeyed: Because | undefined;
  /** Why the key holds for a time only (max-age), such as a RUN that may use the network. The time is part of the key. */
  readonly aging: Because | undefined;
  /**
   * The key by content instead: each COPY has the digest of just the paths that it takes from another stage in the place of that stage's
   * key, in this stage and in those that it builds on. A stage whose upstream was made again, and came out as before where it is
   * copied from, is found by it, also one whose upstream has no key. Where a digest is not known, or more than paths is taken
   * (a base, a mount, --parents), the key by content of that stage stands in for it; undefined where that stage has none, and where the
   * stage itself has no key for reasons of its own. Where nothing is known it is `key`.
   */
  keyWith(contents: ContentOf): Key | undefined;
}

/** What decides about an image for one platform. */
export interface PlatformIdentity {
  readonly platform: Platform;
  /** Every stage that the target needs. */
  readonly stages: readonly StageIdentity[];
  /** The key of the target's files, configuration apart: a label does not change it. */
  readonly files: Key | undefined;
}

/** What decides about an image, known without reading a layer of a base and before any stage is made. */
export interface ImageIdentity {
  readonly platforms: readonly PlatformIdentity[];
  /** Files, configuration, annotations, compression and media types of all platforms. */
  readonly image: Key | undefined;
  /** Files, compression and media types of all platforms: images that have it in common have their own layers in common. */
  readonly files: Key | undefined;
  /** `files` by content, as StageIdentity.keyWith: by platform, in order, what stages came out as. */
  filesWith(contents: readonly ContentOf[]): Key | undefined;
}
