import type { Digest, Key } from '../../content/index.ts';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { Platform } from '../../oci/index.ts';
import type { Because } from '../plan.ts';

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
   * The key by content instead: with digests of what other stages hand over in the place of their keys. A stage whose upstream was
   * made again, and came out as before, is found by it, also one whose upstream has no key. Where a digest is missing, the key by
   * content of that stage stands in for it; undefined where that stage has none, and where the stage itself has no key for reasons
   * of its own. Without any digest it is `key`.
   */
  keyWith(contents: ReadonlyMap<number, Digest>): Key | undefined;
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
  /** `files` by content, as StageIdentity.keyWith: by platform, in order, what stages hand over. */
  filesWith(contents: readonly ReadonlyMap<number, Digest>[]): Key | undefined;
}
