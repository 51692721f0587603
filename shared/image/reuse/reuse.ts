import type { Digest } from '../../content/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import {
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type ImageSource,
  type Layout,
  parseConfig,
  parseDocument,
} from '../../oci/index.ts';
import {
  beforeNames,
  type Delivered,
  type Delivery,
  deliver,
  deliverCopy,
  KEY_ANNOTATION,
  nameImage,
} from '../deliver.ts';
import { descriptor } from '../manifest.ts';
import { instructionOf } from '../names.ts';
import { imageParts, type PlatformParts } from '../parts.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageResult, PlatformResult } from '../result.ts';
import type { KeyTags, RegistryDelivery } from './key-tag.ts';
import { recognize } from './recognize.ts';

/** An image that was made before from the same key, and the delivery that has it. */
export interface Reusable {
  readonly kind: 'image';
  readonly root: Descriptor;
  readonly platforms: readonly PlatformResult[];
  readonly holder: Delivery;
  readonly source: ImageSource;
  readonly bytes: Buffer;
}

/** Layers that were made before from the same files, and the registry that has them. */
export interface ReusableLayers {
  readonly kind: 'layers';
  readonly parts: readonly PlatformParts[];
  readonly holder: RegistryDelivery;
  /** The image that has them. */
  readonly image: Descriptor;
}

/**
 * Looks for the image of a plan's key in the layouts that it is to be delivered to. One that is not whole does not count.
 */
export async function findInLayouts(
  { key }: ImagePlan,
  deliveries: readonly Delivery[],
): Promise<Reusable | undefined> {
  if (key === undefined) return undefined;
  for (const delivery of deliveries) {
    const found = delivery.kind === 'layout' ? await findInLayout(key.digest, delivery) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Looks for a plan's files under the tag of their key in the registries that the image is to be delivered to. The image itself is
 * preferred to one whose layers alone will do.
 */
export async function findInRegistries(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  keyTags: KeyTags,
  task: Task,
): Promise<Reusable | ReusableLayers | undefined> {
  const registries = deliveries.filter((delivery) => delivery.kind === 'registry');
  await Promise.all(registries.map((delivery) => keyTags.find(delivery)));
  const all: (Reusable | ReusableLayers)[] = [];
  for (const delivery of registries) {
    const found = await findInRegistry(plan, delivery, keyTags, task);
    if (found?.kind === 'image') return found;
    if (found !== undefined) all.push(found);
  }
  return all[0];
}

async function findInLayout(
  key: Digest,
  holder: Extract<Delivery, { readonly kind: 'layout' }>,
): Promise<Reusable | undefined> {
  const { target: source } = holder;
  const entry = (await source.tags()).find(
    ({ descriptor: { annotations } }) => annotations?.[KEY_ANNOTATION] === key,
  );
  if (entry === undefined || !(await isWhole(source, entry.descriptor))) return undefined;
  const {
    [KEY_ANNOTATION]: _,
    'org.opencontainers.image.ref.name': __,
    ...own
  } = entry.descriptor.annotations!;
  const root = descriptor(entry.descriptor, { annotations: Object.keys(own).length === 0 ? undefined : own });
  const { bytes } = await source.manifest(root.digest);
  return { kind: 'image', holder, source, root, bytes, platforms: await platformsOf(source, root) };
}

async function findInRegistry(
  plan: ImagePlan,
  holder: RegistryDelivery,
  keyTags: KeyTags,
  task: Task,
): Promise<Reusable | ReusableLayers | undefined> {
  const manifest = await keyTags.find(holder);
  if (manifest === undefined) return undefined;
  const { source } = holder;
  try {
    const found = await recognize(plan, source, manifest);
    if (found?.kind === 'image') {
      const platforms = found.parts.map(({ result }) => result);
      return { kind: 'image', root: found.root, platforms, holder, source, bytes: manifest.bytes };
    }
    if (found?.kind === 'layers') return { ...found, holder, image: manifest.descriptor };
    task.log(`What ${source.name} has under the key of the image's files is another image.`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    task.log(`What ${source.name} has under the key of the image's files cannot be used: ${error.message}`);
  }
  return undefined;
}

async function isWhole(layout: Layout, root: Descriptor): Promise<boolean> {
  try {
    const { bytes } = await layout.manifest(root.digest);
    const document = parseDocument(bytes, layout.name, root.mediaType);
    if (document.kind === 'index')
      return (await Promise.all(document.index.manifests.map((one) => isWhole(layout, one)))).every(Boolean);
    const { config, layers } = document.manifest;
    const blobs = [config, ...layers.filter((layer) => (layer.urls?.length ?? 0) === 0)];
    return (await Promise.all(blobs.map((blob) => layout.has(blob)))).every(Boolean);
  } catch {
    return false; // Damaged: it is made again.
  }
}

/** Gives an image that is there its names everywhere, its key's tag last of all; what a delivery lacks of it is brought there. */
export async function deliverReused(
  there: Reusable,
  key: Digest | undefined,
  deliveries: readonly Delivery[],
  keyTags: KeyTags,
  task: Task,
): Promise<ImageResult> {
  const served = there.holder.kind === 'registry' ? withoutSpare(deliveries) : deliveries;
  const delivered = await allDone(served.map((delivery) => deliverOne(there, key, delivery, keyTags, task)));
  await keyTags.write(there.bytes, there.root, served);
  return { descriptor: there.root, platforms: there.platforms, reused: true, deliveries: delivered };
}

function withoutSpare(deliveries: readonly Delivery[]): readonly Delivery[] {
  return deliveries.filter((delivery) => !(delivery.kind === 'layout' && delivery.spare));
}

/** Writes configurations and manifests around layers that are there, and brings what comes of it everywhere. */
export async function deliverLayers(
  { parts: platforms, holder, image }: ReusableLayers,
  { request, key }: ImagePlan,
  deliveries: readonly Delivery[],
  keyTags: KeyTags,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<ImageResult> {
  const parts = { ...imageParts(request, platforms), layersFrom: { source: holder.source, image } };
  const { name, manifest, blob, repository } = holder.source;
  const store = { ...holder.target, name, manifest, blob, ...(repository !== undefined && { repository }) };
  const served = withoutSpare(deliveries).map((one) => (one === holder ? { ...holder, target: store } : one));
  const delivered = await deliver(parts, store, served, key?.digest, signal, task);
  await keyTags.write(parts.top.bytes, parts.root, deliveries);
  return {
    descriptor: parts.root,
    platforms: platforms.map(({ result }) => result),
    reused: false,
    deliveries: delivered,
  };
}

/** Waits for all of them, so that nothing goes on behind a failure that others are mending, and throws what failed first. */
async function allDone<T>(work: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

async function deliverOne(
  there: Reusable,
  key: Digest | undefined,
  delivery: Delivery,
  keyTags: KeyTags,
  task: Task,
): Promise<Delivered> {
  const copy = () => deliverCopy(there.source, there.root, delivery, key, task, true);
  if (!(await hasImage(there, delivery, keyTags))) return await copy();
  try {
    return await giveNames(there, key, delivery, task);
  } catch (error) {
    // A registry may have lost a part of what it has a manifest of; the holder has no other place to get it from.
    if (!(error instanceof Failure) || delivery === there.holder) throw error;
    task.log(`${error.message} What is missing is brought there.`);
    return await copy();
  }
}

async function giveNames(
  { root, bytes }: Reusable,
  key: Digest | undefined,
  delivery: Delivery,
  task: Task,
): Promise<Delivered> {
  await beforeNames(delivery, { root, bytes, reused: true }, task);
  if (delivery.kind === 'registry' || !(await hasAllTags(delivery.target, root.digest, key, delivery.tags)))
    await task.task(`To ${delivery.target.name}`, async (child) => {
      await nameImage(bytes, root, delivery, key);
      child.note('the image is there already, only its names were set');
    });
  const none = { bytes: 0, copied: 0, mounted: 0, present: 0 };
  return { target: delivery.target.name, kind: delivery.kind, tags: delivery.tags, ...none };
}

async function hasImage({ holder, root }: Reusable, delivery: Delivery, keyTags: KeyTags): Promise<boolean> {
  if (delivery === holder) return true;
  return delivery.kind === 'registry' && (await keyTags.find(delivery))?.descriptor.digest === root.digest;
}

async function hasAllTags(
  layout: Layout,
  digest: Digest,
  key: Digest | undefined,
  tags: readonly string[],
): Promise<boolean> {
  const entries = await layout.tags();
  return tags.every((tag) =>
    entries.some(
      ({ tag: name, descriptor }) =>
        name === tag && descriptor.digest === digest && descriptor.annotations?.[KEY_ANNOTATION] === key,
    ),
  );
}

/** What the platforms of an image in a layout are made of. */
export async function platformsOf(layout: Layout, root: Descriptor): Promise<PlatformResult[]> {
  const { bytes, descriptor } = await layout.manifest(root.digest);
  const document = parseDocument(bytes, layout.name, descriptor.mediaType);
  if (document.kind === 'index') {
    const images = document.index.manifests.filter((one) => one.platform?.os !== 'unknown');
    return (await Promise.all(images.map((one) => platformsOf(layout, one)))).flat();
  }
  const { config: configDescriptor, layers } = document.manifest;
  const config = await readConfig(layout, configDescriptor);
  const createdBy = (config.history ?? [])
    .filter((entry) => entry.empty_layer !== true)
    .map(({ created_by: createdBy }) => (createdBy === undefined ? undefined : instructionOf({ createdBy })));
  return [
    {
      platform: formatPlatform(config),
      manifest: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
      config: configDescriptor,
      layers: layers.map((layer, index) => ({
        descriptor: layer,
        origin: 'reused',
        createdBy: createdBy[index],
      })),
    },
  ];
}

async function readConfig(layout: Layout, descriptor: Descriptor): Promise<ImageConfig> {
  const chunks: Buffer[] = [];
  for await (const chunk of layout.blob(descriptor)) chunks.push(chunk);
  return parseConfig(Buffer.concat(chunks), `${layout.name}@${descriptor.digest}`);
}
