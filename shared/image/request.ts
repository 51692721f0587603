import type { Task } from '../host/index.ts';
import type { Compression, Platform, ResolvedImage } from '../oci/index.ts';
import type { ImageAnnotation } from './annotations.ts';
import type { MediaTypes } from './manifest.ts';
import type { Because } from './plan.ts';

/** An image to be made. */
export interface ImageRequest {
  /** Folder that messages show paths relative to. */
  readonly workspace: string;
  /** Absolute path of the build context. */
  readonly context: string;
  /** Absolute path of the Dockerfile. */
  readonly dockerfile: string;
  /** Name or number of a stage; default: the last one. */
  readonly target: string | undefined;
  readonly platforms: readonly Platform[];
  /** Platform that `FROM --platform=$BUILDPLATFORM` means. */
  readonly buildPlatform: Platform;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: readonly ImageAnnotation[];
  /** Named contexts, in buildx's words: a path, or `docker-image://reference`, `oci-layout://…`, an address. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Stages that are not built because their files are at hand: the folder for a platform. */
  readonly handedIn: Readonly<Record<string, (platform: Platform) => string>>;
  /** Stages that this machine can make without a container, by name or number in lower case. */
  readonly lifted?: Readonly<Record<string, LiftedStage>> | undefined;
  readonly compression: Compression;
  /** Of the compression; undefined for its default. */
  readonly level: number | undefined;
  readonly mediaTypes: MediaTypes;
  /** Seconds since 1970: the time of everything that this build adds. */
  readonly epoch: number;
  /** Folder for what is remembered from run to run; undefined remembers nothing. It is never part of the context. */
  readonly state: string | undefined;
  /** Further folders that Slipway writes into and that are therefore no part of the context, such as a layout. */
  readonly own?: readonly string[] | undefined;
  /** Folder for what is remembered across projects: indexes of base layers. */
  readonly cache: string;
  /** Seconds for which the key of a stage holds that may depend on more than its inputs; 0 for never, default: seven days. */
  readonly maxAge?: number | undefined;
  /** Whether RUNs of Go get cache mounts where the Dockerfile has none; default: no. */
  readonly goCache?: boolean | undefined;
  /** How a builder runs RUN; default: with nothing special. */
  readonly runs?: RunSurroundings | undefined;
  /** Why the image has to be made by BuildKit whatever the Dockerfile says, such as attestations that were asked for. */
  readonly builderOnly: string | undefined;
}

/** What surrounds every RUN and can change what comes of it: part of the keys of stages that have one. */
export interface RunSurroundings {
  /** Network of a RUN that names none. */
  readonly network: string | undefined;
  readonly addHosts: readonly string[];
  readonly ulimit: readonly string[];
  readonly shmSize: string | undefined;
  readonly cgroupParent: string | undefined;
  /** Ids of the secrets that are given, never their values. */
  readonly secrets: readonly string[];
  /** Ids of the SSH agents and keys that are given. */
  readonly ssh: readonly string[];
  /** Stages that have to be run again in any case, by name. */
  readonly again: readonly string[];
}

/** A stage whose files come out the same when its commands run on this machine, as far as reading it can tell. */
export interface LiftedStage {
  /** What is done in its place, such as `go build ./cmd/storefront`. */
  readonly what: string;
  /** Completes the proof for a platform, which may need the toolchain; gives the reason where it fails, and a builder runs the stage. */
  prove(platform: Platform): Promise<Because | undefined>;
  /** Makes the files; gives the folder that holds what lies at the root of the stage. Only after `prove` gave no reason. */
  make(platform: Platform, task: Task): Promise<string>;
}

/** Finds the image that a reference means for a platform; see resolveFrom of the oci room. */
export type ResolveImage = (reference: string, platform: Platform) => Promise<ResolvedImage>;
