import { join } from 'node:path';
import { type Digest, Key } from '../content/index.ts';
import { formatBytes, type Task } from '../host/index.ts';
import { type ImageSource, type ImageTarget, openLayout, writeLayer } from '../oci/index.ts';
import { type Delivery, deliver } from './deliver.ts';
import { instructionOf } from './names.ts';
import { imageParts, type PartLayer, type PlatformParts, platformParts } from './parts.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import type { ImageResult } from './result.ts';
import type { KeyTags } from './reuse/key-tag.ts';
import { layerKeyPart } from './reuse/layer-key.ts';
import { type LayerMemory, openLayerMemory } from './reuse/layer-memory.ts';
import type { StepLayer } from './steps.ts';
import type { AssembledStage } from './workbench.ts';

/** What assembling an image needs beside its plan. */
export interface AssemblyOptions {
  /** Folder for this run's files. */
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
  /** Whether layers that were made before will do. */
  readonly reuse: boolean;
  /** Asked once the layers are made: whether they are what the plan's keys stand for, and may be found under them. */
  readonly confirm: () => Promise<boolean>;
  readonly keyTags: KeyTags;
}

/**
 * Makes an image of its final stages, one for each platform in order, and brings it to its targets: blobs first, then manifests, tags
 * last of all.
 */
export async function assembleImage(
  plan: ImagePlan,
  finals: readonly AssembledStage[],
  deliveries: readonly Delivery[],
  options: AssemblyOptions,
  task: Task,
): Promise<ImageResult> {
  const workshop = await openWorkshop(plan, deliveries, options);
  const made = await Promise.all(
    finals.map((stage, at) => makePlatform(workshop, plan.platforms[at]!, stage, task)),
  );
  const confirmed = await options.confirm();
  if (confirmed) workshop.memory.save();
  const parts = imageParts(plan.request, made);
  const key = confirmed ? plan.key?.digest : undefined;
  const delivered = await deliver(parts, workshop.store, deliveries, key, options.signal, task);
  if (confirmed) await options.keyTags.write(parts.top.bytes, parts.root, deliveries);
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
  options: AssemblyOptions,
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

async function makePlatform(
  workshop: Workshop,
  platform: PlatformPlan,
  stage: AssembledStage,
  task: Task,
): Promise<PlatformParts> {
  await platform.bench.contents.prepare(
    stage.layers.flatMap(({ members }) => members.flatMap(({ file }) => file ?? [])),
  );
  const own = await Promise.all(stage.layers.map((layer) => makeLayer(workshop, platform, layer, task)));
  return platformParts(workshop.plan.request, platform, own);
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
  const createdBy = instructionOf(layer.step);
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
  const members = layer.members.map(({ entry, file }) => {
    if (file === undefined) return { entry };
    const name = digests.name(file);
    const { open, lend } = platform.bench.contents;
    // Compression copies what it gets; what is not compressed goes on as it is.
    return { entry, content: () => (request.compression === 'none' ? open : lend)(file, name) };
  });
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
