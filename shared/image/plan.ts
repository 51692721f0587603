import { statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Key, makeOwnFolder } from '../content/index.ts';
import type { Dockerfile, Lines, StageGraph, Step } from '../dockerfile/index.ts';
import { Failure } from '../host/index.ts';
import { type Compression, formatPlatform, type Platform } from '../oci/index.ts';
import { checkAnnotations } from './annotations.ts';
import { type ContentDigests, openDigests } from './files/digests.ts';
import type { Directory } from './files/tree.ts';
import { builderStages, type StagePlan } from './method.ts';
import { Planner } from './planner.ts';
import type { ImageRequest, ResolveImage } from './request.ts';
import { explainKey } from './reuse/explain.ts';
import { imageKey, platformKeyParts } from './reuse/key.ts';
import { type IgnoreFile, readDockerfile, readIgnore } from './sources.ts';
import type { AssembledStage, Workbench } from './workbench.ts';

/** How the image will be made, decided before anything is made. */
export interface ImagePlan {
  readonly request: ImageRequest;
  readonly dockerfile: Dockerfile;
  readonly ignore: IgnoreFile | undefined;
  readonly how: 'assembled' | 'builder';
  /** Why the whole image is BuildKit's to make. */
  readonly because: Because | undefined;
  readonly platforms: readonly PlatformPlan[];
  /** Names the image by all that it is made of; undefined when a builder has a part in it. */
  readonly key: Key | undefined;
  /** What differs from the last image of this Dockerfile, in words; undefined when none is known. */
  readonly changes: readonly string[] | undefined;
  readonly warnings: readonly PlanWarning[];
  readonly digests: ContentDigests;
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
  readonly stages: readonly StagePlan[];
  /** The final stage, where no builder is needed for it. */
  readonly final: AssembledStage | undefined;
  /** Assembles the final stage once the files that builders make are there, by number of their stage. */
  readonly assemble: (built: ReadonlyMap<number, Directory>) => Promise<AssembledStage>;
  readonly bench: Workbench;
}

/** Plans an image: reads the Dockerfile, the context as far as it is copied, and manifests of bases; makes nothing. */
export async function planImage(
  request: ImageRequest,
  images: ResolveImage,
  temporary: string,
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
  const platforms = await Promise.all(request.platforms.map((platform) => planner.platform(platform)));
  const because =
    request.builderOnly !== undefined
      ? { reason: request.builderOnly, lines: undefined }
      : whole(platforms, request);
  const key = because === undefined ? await keyOf(request, platforms, digests) : undefined;
  digests.save();
  const how = because === undefined ? 'assembled' : 'builder';
  return {
    request,
    dockerfile,
    ignore: ignore?.file,
    how,
    because,
    platforms,
    key,
    changes: key === undefined ? undefined : explainKey(request, key),
    warnings: unique(warnings),
    digests,
  };
}

function unique(warnings: readonly PlanWarning[]): PlanWarning[] {
  return [...new Map(warnings.map((one) => [`${one.lines?.start} ${one.message}`, one])).values()];
}

/** The reason to give the whole image to BuildKit, if there is one. */
function whole(platforms: readonly PlatformPlan[], request: ImageRequest): Because | undefined {
  const remote = Object.entries(request.contexts).find(([, value]) =>
    /^(?!docker-image:|oci-layout:)[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(value),
  );
  if (remote !== undefined)
    return { reason: `the build context "${remote[0]}" is at ${remote[1]}`, lines: undefined };
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

async function keyOf(
  request: ImageRequest,
  platforms: readonly PlatformPlan[],
  digests: ContentDigests,
): Promise<Key | undefined> {
  if (platforms.some(({ final }) => final === undefined)) return undefined;
  const parts = await Promise.all(
    platforms.map(async ({ platform, graph, final }) => {
      const { config } = graph.stages.find((stage) => stage.index === graph.target)!;
      return [formatPlatform(platform), await platformKeyParts(final!, config, digests)] as const;
    }),
  );
  return imageKey(request, Object.fromEntries(parts));
}
