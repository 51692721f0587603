import { join } from 'node:path';
import { type Digest, Key } from '../content/index.ts';
import { formatBytes, type Task } from '../host/index.ts';
import type { ImageConfig } from '../oci/index.ts';
import {
  type Descriptor,
  describe,
  formatPlatform,
  type ImageSource,
  type ImageTarget,
  openLayout,
  writeLayer,
} from '../oci/index.ts';
import { annotationsFor } from './annotations.ts';
import type { StepLayer } from './assemble.ts';
import { type Delivered, type Delivery, deliver, type ImageParts, type PartLayer } from './deliver.ts';
import { layerKeyPart } from './key.ts';
import { type LayerMemory, openLayerMemory } from './layer-memory.ts';
import { configDocument, descriptor, indexDocument, layerDescriptor, manifestDocument } from './manifest.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import type { Directory } from './tree.ts';
import type { AssembledStage } from './workbench.ts';

/** What assembling an image needs beside its plan. */
export interface BuildOptions {
  /** Folder for this run's files. */
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
  /** Whether layers that were made before will do. */
  readonly reuse: boolean;
  /** Makes the files of stages that a builder has to run, by number of their stage. */
  readonly buildStages: (platform: PlatformPlan, task: Task) => Promise<ReadonlyMap<number, Directory>>;
}

/** An image that is at its targets. */
export interface ImageResult {
  /** Of the index, or of the manifest of an image for one platform. */
  readonly descriptor: Descriptor;
  readonly platforms: readonly PlatformResult[];
  /** Nothing was made: the same image was at a target already. */
  readonly reused: boolean;
  readonly deliveries: readonly Delivered[];
}

/** The image for one platform, as it ended up. */
export interface PlatformResult {
  readonly platform: string;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  /** From the lowest to the uppermost. */
  readonly layers: readonly LayerResult[];
}

/** A layer of it, and how it came to be there. */
export interface LayerResult {
  readonly descriptor: Descriptor;
  readonly origin: 'base' | 'made' | 'reused';
  /** The instruction that made it. */
  readonly createdBy: string | undefined;
}

/** Makes a planned image in this process and brings it to its targets: blobs first, then manifests, tags last of all. */
export async function assembleImage(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  options: BuildOptions,
  task: Task,
): Promise<ImageResult> {
  const workshop = await openWorkshop(plan, deliveries, options);
  const finals = await Promise.all(
    plan.platforms.map(async (platform) => [platform, await finished(platform, options, task)] as const),
  );
  const made = await Promise.all(
    finals.map(([platform, stage]) => makePlatform(workshop, platform, stage, task)),
  );
  workshop.memory.save();
  const parts = imageParts(plan, made);
  const delivered = await deliver(parts, workshop.store, deliveries, plan.key?.digest, options.signal, task);
  return {
    descriptor: parts.root,
    platforms: made.map(({ result }) => result),
    reused: false,
    deliveries: delivered,
  };
}

/** Where layers are written first, and what is known of layers written before. */
interface Workshop {
  readonly plan: ImagePlan;
  readonly store: ImageTarget & Partial<ImageSource>;
  readonly memory: LayerMemory;
  readonly running: Map<Digest, Promise<PartLayer>>;
  readonly signal: AbortSignal | undefined;
}

/** Layers go to a layout when there is one, straight to a registry when that is all there is, and else to a folder of this run. */
async function openWorkshop(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  options: BuildOptions,
): Promise<Workshop> {
  const layout = deliveries.find((delivery) => delivery.kind === 'layout');
  const store =
    layout?.target ??
    (deliveries.length === 1 ? deliveries[0]!.target : await openLayout(join(options.temporary, 'layout')));
  const { state } = plan.request;
  const memory = openLayerMemory(
    state === undefined || !options.reuse ? undefined : join(state, 'image-layers.json'),
  );
  return { plan, store, memory, running: new Map(), signal: options.signal };
}

async function finished(platform: PlatformPlan, options: BuildOptions, task: Task): Promise<AssembledStage> {
  if (platform.final !== undefined) return platform.final;
  return await platform.assemble(await options.buildStages(platform, task));
}

interface MadePlatform {
  readonly plan: PlatformPlan;
  readonly result: PlatformResult;
  readonly layers: readonly PartLayer[];
  readonly config: { readonly bytes: Buffer; readonly descriptor: Descriptor };
  readonly manifest: { readonly bytes: Buffer; readonly descriptor: Descriptor };
}

async function makePlatform(
  workshop: Workshop,
  platform: PlatformPlan,
  stage: AssembledStage,
  task: Task,
): Promise<MadePlatform> {
  const { request } = workshop.plan;
  await platform.bench.contents.prepare(
    stage.layers.flatMap(({ members }) => members.flatMap(({ file }) => file ?? [])),
  );
  const own = await Promise.all(stage.layers.map((layer) => makeLayer(workshop, platform, layer, task)));
  const base = baseLayers(stage, request.mediaTypes);
  const layers = [...base, ...own];
  const { config } = platform.graph.stages.find(({ index }) => index === platform.graph.target)!;
  const written = configDocument(config, diffIds(config, stage, own), request.epoch, request.mediaTypes);
  const configDescriptor = descriptor(describe(written.bytes, written.mediaType));
  const manifest = manifestDocument(
    configDescriptor,
    layers.map((layer) => layer.descriptor),
    annotationsFor(request.annotations, 'manifest', platform.platform),
    request.mediaTypes,
  );
  const manifestDescriptor = descriptor(describe(manifest.bytes, manifest.mediaType), {
    annotations: annotationsFor(request.annotations, 'manifest-descriptor', platform.platform),
    platform: platform.platform,
  });
  return {
    plan: platform,
    layers,
    config: { bytes: written.bytes, descriptor: configDescriptor },
    manifest: { bytes: manifest.bytes, descriptor: manifestDescriptor },
    result: {
      platform: formatPlatform(platform.platform),
      manifest: manifestDescriptor,
      config: configDescriptor,
      layers: layers.map(({ descriptor: of, origin, createdBy }) => ({ descriptor: of, origin, createdBy })),
    },
  };
}

function diffIds(config: ImageConfig, stage: AssembledStage, own: readonly PartLayer[]): Digest[] {
  const base = stage.base === undefined ? [] : stage.base.config.rootfs.diff_ids;
  if (config.rootfs.diff_ids.length !== base.length)
    throw new Error(
      `The configuration counts ${config.rootfs.diff_ids.length} layers of a base that has ${base.length}.`,
    );
  return [...base, ...own.map(({ diffId }) => diffId!)];
}

function baseLayers(stage: AssembledStage, mediaTypes: 'oci' | 'docker'): PartLayer[] {
  const { base } = stage;
  if (base === undefined) return [];
  return base.manifest.layers.map((layer) => ({
    descriptor: layerDescriptor(layer, mediaTypes),
    diffId: undefined,
    origin: 'base',
    createdBy: undefined,
    source: base.source,
  }));
}

/** Makes a layer once, however many platforms have it, and not at all when the store has it from an earlier run. */
async function makeLayer(
  workshop: Workshop,
  platform: PlatformPlan,
  layer: StepLayer,
  task: Task,
): Promise<PartLayer> {
  const { request, digests } = workshop.plan;
  const key = Key.of({
    members: await layerKeyPart(layer.members, digests),
    epoch: request.epoch,
    compression: request.compression,
    level: request.level ?? null,
    mediaTypes: request.mediaTypes,
  }).digest;
  const createdBy = layer.step.createdBy.replace(/ # buildkit$/, '');
  const running = workshop.running.get(key);
  if (running !== undefined) return { ...(await running), createdBy };
  const work = (async (): Promise<PartLayer> => {
    const known = workshop.memory.get(key);
    if (known !== undefined && (await workshop.store.has(known.descriptor)))
      return { ...known, origin: 'reused', createdBy, source: undefined };
    const written = await task.task(createdBy, (child) => writeMembers(workshop, platform, layer, child));
    workshop.memory.set(key, written);
    return { ...written, origin: 'made', createdBy, source: undefined };
  })();
  workshop.running.set(key, work);
  return await work;
}

async function writeMembers(workshop: Workshop, platform: PlatformPlan, layer: StepLayer, task: Task) {
  const { request, digests } = workshop.plan;
  const members = await Promise.all(
    layer.members.map(async ({ entry, file }) => {
      if (file === undefined) return { entry };
      const digest = await digests.of(file);
      return { entry, content: () => platform.bench.contents.open(file, digest) };
    }),
  );
  const { descriptor: of, diffId } = await writeLayer(members, {
    compression: request.compression,
    docker: request.mediaTypes === 'docker',
    target: workshop.store,
    ...(request.level !== undefined && { level: request.level }),
    ...(workshop.signal !== undefined && { signal: workshop.signal }),
  });
  task.note(formatBytes(of.size));
  return { descriptor: of, diffId };
}

function imageParts(plan: ImagePlan, made: readonly MadePlatform[]): ImageParts {
  const { request } = plan;
  const blobs = made.flatMap(({ config, layers }) => [...layers.map((layer) => ({ layer })), { config }]);
  const manifests = made.map(({ manifest }) => manifest);
  if (made.length === 1) {
    const { bytes, descriptor: of } = manifests[0]!;
    return { blobs, members: [], top: { bytes, mediaType: of.mediaType }, root: of };
  }
  const index = indexDocument(
    manifests.map((manifest) => manifest.descriptor),
    annotationsFor(request.annotations, 'index'),
    request.mediaTypes,
  );
  const root = descriptor(describe(index.bytes, index.mediaType), {
    annotations: annotationsFor(request.annotations, 'index-descriptor'),
  });
  return { blobs, members: manifests, top: index, root };
}
