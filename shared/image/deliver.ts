import type { Digest } from '../content/index.ts';
import type { Task } from '../host/index.ts';
import { formatBytes } from '../host/index.ts';
import type { Descriptor, ImageSource, ImageTarget, Layout } from '../oci/index.ts';
import { copyImage, type Provided, provideBlob } from '../oci/index.ts';
import { once } from './once.ts';
import type { ImageParts, LayersFrom, PartBlob, StoredDocument } from './parts.ts';

/** Where an image is to be, and under which names. */
export type Delivery =
  | {
      readonly kind: 'layout';
      readonly target: Layout;
      readonly tags: readonly string[];
      /** It takes what is made, and need not be filled with an image that a registry has already. */
      readonly spare?: boolean;
      readonly beforeNames?: BeforeNames | undefined;
    }
  | {
      readonly kind: 'registry';
      readonly target: ImageTarget;
      /** The same repository, to be read. */
      readonly source: ImageSource;
      readonly tags: readonly string[];
      readonly beforeNames?: BeforeNames | undefined;
    };

/** An image that is whole at its place, and has no name there yet. */
export interface UnnamedImage {
  /** Of the index, or of the manifest of an image for one platform. */
  readonly root: Descriptor;
  /** The same, as it is stored. */
  readonly bytes: Buffer;
  /** This run has found it, and has not made it. */
  readonly reused: boolean;
  /** This run has made its documents alone, around the layers of an image that it has found. */
  readonly layersFrom?: LayersFrom | undefined;
}

/**
 * What is to be done when an image is at its place, and before anybody can find it there by a name: what it throws leaves no name.
 * It may refuse an image that was found, which is then made.
 */
export type BeforeNames = (image: UnnamedImage, task: Task) => Promise<'name it' | 'make it again'>;

/** An image that was found will not do: see BeforeNames. */
export class RefusedImage extends Error {}

/** What it took to bring an image to one place. */
export interface Delivered {
  readonly target: string;
  readonly kind: Delivery['kind'];
  readonly tags: readonly string[];
  /** Bytes that had to be brought there; layers that were made there directly count too. */
  readonly bytes: number;
  readonly copied: number;
  readonly mounted: number;
  readonly present: number;
}

/** The annotation of an entry of a layout's index.json that holds the key of the image. */
export const KEY_ANNOTATION = 'dev.slipway.key';

/** Brings an image from the store, where its own layers are, to every delivery. */
export async function deliver(
  parts: ImageParts,
  store: ImageTarget & Partial<ImageSource>,
  deliveries: readonly Delivery[],
  key: Digest | undefined,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<Delivered[]> {
  const shelf: Shelf = {
    store,
    filled: deliveries.some(({ target }) => target === store),
    arriving: new Map(),
  };
  return await Promise.all(
    deliveries.map((delivery) =>
      task.task(`To ${delivery.target.name}`, (child) =>
        deliverOne(parts, shelf, delivery, key, signal, child),
      ),
    ),
  );
}

/** The store, and the base's layers that are on their way into it. */
interface Shelf {
  readonly store: ImageTarget & Partial<ImageSource>;
  /** It is a place of delivery itself, so base layers come into it too. */
  readonly filled: boolean;
  readonly arriving: Map<Digest, Promise<Provided>>;
}

async function deliverOne(
  parts: ImageParts,
  shelf: Shelf,
  delivery: Delivery,
  key: Digest | undefined,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<Delivered> {
  const tally = { bytes: 0, copied: 0, mounted: 0, present: 0 };
  await Promise.all(
    unique(parts.blobs).map(async (blob) => {
      signal?.throwIfAborted();
      const how = await bring(blob, shelf, delivery.target);
      tally[how === 'made' ? 'copied' : how] += 1;
      if (how === 'copied' || how === 'made') tally.bytes += descriptorOf(blob).size;
      task.log(`${how}: ${descriptorOf(blob).digest} (${formatBytes(descriptorOf(blob).size)})`);
    }),
  );
  for (const { bytes, descriptor } of parts.members)
    await delivery.target.putManifest(bytes, descriptor.mediaType, []);
  signal?.throwIfAborted();
  const { root, top, layersFrom } = parts;
  await beforeNames(delivery, { root, bytes: top.bytes, reused: false, layersFrom }, task);
  await nameImage(parts.top.bytes, parts.root, delivery, key);
  task.note(`${formatBytes(tally.bytes)} moved`);
  return { target: delivery.target.name, kind: delivery.kind, tags: delivery.tags, ...tally };
}

/** Brings an image that is whole elsewhere to a delivery: what is missing there is copied, and the names come last. */
export async function deliverCopy(
  source: ImageSource,
  root: Descriptor,
  delivery: Delivery,
  key: Digest | undefined,
  task: Task,
  reused = false,
): Promise<Delivered> {
  const tally = { bytes: 0, copied: 0, mounted: 0, present: 0 };
  const atOnce = delivery.kind === 'registry' && delivery.beforeNames === undefined;
  await task.task(`To ${delivery.target.name}`, async (child) => {
    await copyImage(source, root.digest, delivery.target, {
      tags: atOnce ? delivery.tags : [],
      onBlob: (blob, how) => {
        tally[how] += 1;
        if (how === 'copied') tally.bytes += blob.size;
      },
    });
    if (!atOnce) {
      const { bytes } = await source.manifest(root.digest);
      await beforeNames(delivery, { root, bytes, reused }, child);
      await nameImage(bytes, root, delivery, key);
    }
    child.note(`${formatBytes(tally.bytes)} moved`);
  });
  return { target: delivery.target.name, kind: delivery.kind, tags: delivery.tags, ...tally };
}

/** Does what a delivery asks for before its names are given. The manifest is there by then, and can be referred to. */
export async function beforeNames(delivery: Delivery, image: UnnamedImage, task: Task): Promise<void> {
  if (delivery.beforeNames === undefined) return;
  await delivery.target.putManifest(image.bytes, image.root.mediaType, []);
  if ((await delivery.beforeNames(image, task)) === 'make it again') throw new RefusedImage();
}

/** Gives an image whose parts are all there its names, and in a layout its key and what annotates it from outside. */
export async function nameImage(
  bytes: Buffer,
  root: Descriptor,
  delivery: Delivery,
  key: Digest | undefined,
): Promise<void> {
  if (delivery.kind === 'registry') {
    await delivery.target.putManifest(bytes, root.mediaType, delivery.tags);
    return;
  }
  const annotations = { ...root.annotations, ...(key !== undefined && { [KEY_ANNOTATION]: key }) };
  await delivery.target.putManifest(bytes, root.mediaType, delivery.tags, annotations);
}

function descriptorOf(blob: PartBlob): Descriptor {
  return 'layer' in blob ? blob.layer.descriptor : blob.config.descriptor;
}

function unique(blobs: readonly PartBlob[]): PartBlob[] {
  return [...new Map(blobs.map((blob) => [descriptorOf(blob).digest, blob])).values()];
}

async function bring(blob: PartBlob, shelf: Shelf, target: ImageTarget): Promise<Provided | 'made'> {
  if ('config' in blob) return await bringConfig(blob.config, target);
  const { layer } = blob;
  const { store } = shelf;
  if (isForeign(layer.descriptor)) return 'present';
  if (layer.source !== undefined) return await bringBase(layer.descriptor, layer.source, shelf, target);
  if (target === store) return layer.origin === 'made' ? 'made' : 'present';
  return await provideBlob(store as ImageTarget & ImageSource, target, layer.descriptor);
}

/** A base's layer is fetched once: what the store gets anyway goes on to other places from there, unless it can be mounted. */
async function bringBase(
  layer: Descriptor,
  source: ImageSource,
  { store, filled, arriving }: Shelf,
  target: ImageTarget,
): Promise<Provided> {
  const toStore = () => once(arriving, layer.digest, () => provideBlob(source, store, layer));
  if (target === store) return await toStore();
  const { blob } = store;
  if (!filled || blob === undefined) return await provideBlob(source, target, layer);
  async function* fromStore(descriptor: Descriptor): AsyncGenerator<Buffer> {
    await toStore();
    yield* blob!.call(store, descriptor);
  }
  return await provideBlob({ ...named(source), blob: fromStore }, target, layer);
}

function named({ name, repository, manifest }: ImageSource): Omit<ImageSource, 'blob'> {
  return { name, manifest, ...(repository !== undefined && { repository }) };
}

async function bringConfig(
  { bytes, descriptor }: StoredDocument,
  target: ImageTarget,
): Promise<'present' | 'copied'> {
  if (await target.has(descriptor)) return 'present';
  await target.put(descriptor, async function* () {
    yield bytes;
  });
  return 'copied';
}

/** Layers with addresses of their own stay where they are (OCI image-spec, layer.md#non-distributable-layers). */
function isForeign(layer: Descriptor): boolean {
  return (layer.urls?.length ?? 0) > 0;
}
