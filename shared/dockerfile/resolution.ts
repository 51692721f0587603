import type { ImageConfig, Platform } from '../oci/index.ts';
import type { Scene } from './scene.ts';
import type { NamedContext, Outline, PlannedStage } from './stages.ts';

/** What a build is asked for: the flags of `docker build` that decide what a Dockerfile means. */
export interface ResolveOptions {
  /** Name or number of a stage; the last one by default. */
  readonly target?: string | undefined;
  /** The platform of the image. */
  readonly platform: Platform;
  /** What BUILDPLATFORM says; Linux on this machine's processor by default. */
  readonly buildPlatform?: Platform | undefined;
  readonly buildArgs?: Readonly<Record<string, string>> | undefined;
  /** Added to those of the target. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** By name of the stage or image that each one replaces; a name can end in `::os/architecture`. */
  readonly contexts?: ReadonlyMap<string, NamedContext> | undefined;
  /** The configuration of a base image, by its canonical reference. Called once for each that the target needs. */
  readonly configOf: (reference: string, platform: Platform) => Promise<ImageConfig>;
}

/** What is known while a graph is resolved. */
export interface Resolution {
  readonly options: ResolveOptions;
  readonly platform: Platform;
  readonly outline: Outline;
  readonly globals: ReadonlyMap<string, string>;
  readonly configs: Map<PlannedStage, ImageConfig>;
  /** Stages that got the triggers of their base. */
  readonly triggered: Set<PlannedStage>;
  readonly scenes: Map<number, Scene>;
}
