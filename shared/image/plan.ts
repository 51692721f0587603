import { statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Digest, type Key, makeOwnFolder } from '../content/index.ts';
import type { Dockerfile, Lines, StageGraph, Step } from '../dockerfile/index.ts';
import { Failure } from '../host/index.ts';
import type { Compression, Platform, ResolvedImage } from '../oci/index.ts';
import { checkAnnotations } from './annotations.ts';
import { type ContentDigests, openDigests } from './files/digests.ts';
import type { Directory } from './files/tree.ts';
import { remoteContext } from './identity/identify.ts';
import type { ImageIdentity, PlatformIdentity } from './identity/identity.ts';
import { builderStages, type StagePlan, needsBuilder as waitsForBuilder } from './method.ts';
import { Planner } from './planner.ts';
import type { ImageRequest, ResolveImage } from './request.ts';
import { type IgnoreFile, readDockerfile, readIgnore } from './sources.ts';
import type { AssembledStage, Workbench } from './workbench.ts';

/**
 * What image is asked for, what decides about it, and how it would be made. A plan is sure of the first two. How stages are made is
 * what the Dockerfile says; only trying (see `complete`) shows whether a stage can be assembled or lifted.
 */
export interface ImagePlan {
  readonly request: ImageRequest;
  readonly dockerfile: Dockerfile;
  readonly ignore: IgnoreFile | undefined;
  readonly how: 'assembled' | 'builder';
  /** Why the whole image is BuildKit's to make. */
  readonly because: Because | undefined;
  readonly platforms: readonly PlatformPlan[];
  /** What decides about the image and its stages. */
  readonly identity: ImageIdentity;
  /** Names the image by all that it is made of; undefined where something decides that no key can hold. */
  readonly key: Key | undefined;
  readonly warnings: readonly PlanWarning[];
  readonly digests: ContentDigests;
  /**
   * The plan with its stages tried out as far as that needs no other stage: indexes of bases' layers are read, or their layers, and
   * `final` is there where no builder is needed. Throws a Failure for what is wrong with the Dockerfile's steps. With `lifts` stages
   * that are to be lifted are proved, too, so that the plan tells how they will be made.
   */
  complete(options?: { readonly lifts?: boolean }): Promise<ImagePlan>;
  /** Digest of what a reference of the Dockerfile pointed to when keys were made from it; undefined where it was not to be had. */
  pinned(reference: string, platform: Platform): Promise<Digest | undefined>;
  /** Finds out again what decides about the image, from files as they are now. */
  identifyAgain(): Promise<ImageIdentity>;
}

/** A reason with its place in the Dockerfile, where it has one. */
export interface Because {
  readonly reason: string;
  readonly lines: Lines | undefined;
}

/** What the user should know although the image can be made. */
export interface PlanWarning {
  readonly message: string;
  readonly lines: Lines | undefined;
}

/** The plan of the image for one platform. */
export interface PlatformPlan {
  readonly platform: Platform;
  readonly graph: StageGraph;
  readonly identity: PlatformIdentity;
  readonly stages: readonly StagePlan[];
  /** The image that the target builds on, directly or through other stages; undefined for scratch, and where it is not to be had. */
  readonly base: ResolvedImage | undefined;
  /** The final stage, in a complete plan where no builder is needed for it. */
  readonly final: AssembledStage | undefined;
  /** Assembles the final stage once the files that builders make are there, by number of their stage. */
  readonly assemble: (built: ReadonlyMap<number, Directory>) => Promise<AssembledStage>;
  readonly bench: Workbench;
}

/**
 * Plans an image: reads the Dockerfile, the context as far as it is copied, manifests and configurations of bases, none of their
 * layers; makes nothing. `clock` gives milliseconds since 1970.
 */
export async function planImage(
  request: ImageRequest,
  images: ResolveImage,
  temporary: string,
  clock: () => number = Date.now,
): Promise<ImagePlan> {
  checkRequest(request);
  const dockerfile = readDockerfile(request);
  const ignore = readIgnore(request);
  if (request.state !== undefined) makeOwnFolder(request.state);
  const digests = openDigests(
    request.state === undefined ? undefined : join(request.state, 'image-digests.json'),
  );
  const warnings: PlanWarning[] = [];
  const planner = new Planner(request, dockerfile, ignore, images, digests, temporary, warnings);
  const graphs = await Promise.all(request.platforms.map((platform) => planner.graph(platform)));
  // One moment for all: a key must not change because its time ends while the image is made.
  const now = clock();
  const identity = await planner.identify(graphs, now);
  const outlines = await Promise.all(
    graphs.map((graph, at) => planner.outline(graph, identity.platforms[at]!)),
  );
  digests.save();
  const withPlatforms = (platforms: readonly PlatformPlan[]): ImagePlan => {
    const because =
      request.builderOnly !== undefined
        ? { reason: request.builderOnly, lines: undefined }
        : whole(platforms, request);
    return {
      request,
      dockerfile,
      ignore: ignore?.file,
      how: because === undefined ? 'assembled' : 'builder',
      because,
      platforms,
      identity,
      key: identity.image,
      warnings: unique(warnings),
      digests,
      complete: async ({ lifts = false } = {}) => {
        const complete = await Promise.all(platforms.map((platform) => planner.complete(platform, lifts)));
        digests.save();
        return withPlatforms(complete);
      },
      pinned: (reference, platform) => planner.pinned(reference, platform),
      identifyAgain: () => planner.anew().identify(graphs, now),
    };
  };
  return withPlatforms(outlines);
}

/** Whether a builder or a lifted stage has a part in making the image. */
export function needsBuilder(plan: ImagePlan): boolean {
  return plan.how === 'builder' || plan.platforms.some(({ graph, stages }) => waitsForBuilder(graph, stages));
}

function unique(warnings: readonly PlanWarning[]): PlanWarning[] {
  return [...new Map(warnings.map((one) => [`${one.lines?.start} ${one.message}`, one])).values()];
}

/** The reason to give the whole image to BuildKit, if there is one. */
function whole(platforms: readonly PlatformPlan[], request: ImageRequest): Because | undefined {
  const remote = remoteContext(request);
  if (remote !== undefined) return remote;
  for (const { graph, stages } of platforms) {
    const [unknown] = graph.unmodelled;
    if (unknown !== undefined) return { reason: unknown.message, lines: unknown.lines };
    const final = stages.find(({ stage }) => stage.index === graph.target)!;
    if (final.method.kind === 'builder') return { reason: final.method.reason, lines: final.method.lines };
    if (final.method.kind === 'handed-in')
      return { reason: 'the final stage is handed in', lines: final.stage.lines };
    const parents = parentsOfBuilder(graph, stages);
    if (parents !== undefined) return parents;
  }
  return undefined;
}

/** What --parents brings from a builder's stage includes directories that a copy alone does not carry over. */
function parentsOfBuilder(graph: StageGraph, stages: readonly StagePlan[]): Because | undefined {
  const builders = new Set(builderStages(graph, stages).map(({ stage }) => stage.index));
  for (const { stage, method } of stages) {
    if (method.kind !== 'assembled') continue;
    const step = stage.steps.find(
      (one: Step) =>
        one.kind === 'copy' && one.parents && one.from.kind === 'stage' && builders.has(one.from.index),
    );
    if (step !== undefined)
      return { reason: 'COPY --parents takes from a stage that a builder makes', lines: step.lines };
  }
  return undefined;
}

function checkRequest(request: ImageRequest): void {
  const stats = statSync(request.context, { throwIfNoEntry: false });
  const shown = relative(request.workspace, request.context) || '.';
  if (stats === undefined) throw new Failure(`The build context ${shown} does not exist.`);
  if (!stats.isDirectory()) throw new Failure(`The build context ${shown} is a file; accepted is a folder.`);
  checkAnnotations(request.annotations, request.platforms, request.mediaTypes);
  if (request.mediaTypes === 'docker' && request.compression !== 'gzip')
    throw new Failure(
      `Docker media types know gzip alone; use media-types: oci with compression: ${request.compression satisfies Compression}.`,
    );
}
