import type { Digest } from '../content/index.ts';
import type { Task } from '../host/index.ts';
import {
  copyImage,
  type Descriptor,
  formatPlatform,
  type ImageConfig,
  type Layout,
  parseConfig,
  parseDocument,
} from '../oci/index.ts';
import type { ImageResult, PlatformResult } from './build.ts';
import { type Delivered, type Delivery, KEY_ANNOTATION } from './deliver.ts';

/** An image that was made before from the same key. */
export interface Reusable {
  readonly layout: Layout;
  readonly descriptor: Descriptor;
}

/** Looks for the image of a key in the layouts that it is to be delivered to. One that is not whole does not count. */
export async function findReusable(
  key: Digest | undefined,
  deliveries: readonly Delivery[],
): Promise<Reusable | undefined> {
  if (key === undefined) return undefined;
  for (const delivery of deliveries) {
    if (delivery.kind !== 'layout') continue;
    const entry = (await delivery.target.tags()).find(
      ({ descriptor }) => descriptor.annotations?.[KEY_ANNOTATION] === key,
    );
    if (entry !== undefined && (await isWhole(delivery.target, entry.descriptor)))
      return { layout: delivery.target, descriptor: entry.descriptor };
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

/** Gives an image that is there its names everywhere; what a registry lacks of it is brought there. */
export async function deliverReused(
  { layout, descriptor }: Reusable,
  key: Digest,
  deliveries: readonly Delivery[],
  task: Task,
): Promise<ImageResult> {
  const delivered = await Promise.all(
    deliveries.map((delivery) => deliverOne(layout, descriptor, key, delivery, task)),
  );
  const {
    [KEY_ANNOTATION]: _,
    'org.opencontainers.image.ref.name': __,
    ...annotations
  } = descriptor.annotations ?? {};
  const { annotations: ___, ...bare } = descriptor;
  const root = Object.keys(annotations).length === 0 ? bare : { ...bare, annotations };
  return {
    descriptor: root,
    platforms: await platformsOf(layout, descriptor),
    reused: true,
    deliveries: delivered,
  };
}

async function deliverOne(
  layout: Layout,
  descriptor: Descriptor,
  key: Digest,
  delivery: Delivery,
  task: Task,
): Promise<Delivered> {
  const tally = { bytes: 0, copied: 0, mounted: 0, present: 0 };
  const own = { target: delivery.target.name, kind: delivery.kind, tags: delivery.tags };
  if (
    delivery.kind === 'layout' &&
    (await hasAllTags(delivery.target, descriptor.digest, key, delivery.tags))
  )
    return { ...own, ...tally };
  await task.task(`To ${delivery.target.name}`, async (child) => {
    if (delivery.target !== layout)
      await copyImage(layout, descriptor.digest, delivery.target, {
        onBlob: (blob, how) => {
          tally[how] += 1;
          if (how === 'copied') tally.bytes += blob.size;
        },
      });
    const { bytes } = await layout.manifest(descriptor.digest);
    if (delivery.kind === 'registry')
      await delivery.target.putManifest(bytes, descriptor.mediaType, delivery.tags);
    else
      await delivery.target.putManifest(bytes, descriptor.mediaType, delivery.tags, {
        [KEY_ANNOTATION]: key,
      });
    child.note('the image is there already, only its names were set');
  });
  return { ...own, ...tally };
}

async function hasAllTags(
  layout: Layout,
  digest: Digest,
  key: Digest,
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
    .map((entry) => entry.created_by);
  return [
    {
      platform: formatPlatform(config),
      manifest: { mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size },
      config: configDescriptor,
      layers: layers.map((layer, index) => ({
        descriptor: layer,
        origin: 'reused',
        createdBy: createdBy[index]?.replace(/ # buildkit$/, ''),
      })),
    },
  ];
}

async function readConfig(layout: Layout, descriptor: Descriptor): Promise<ImageConfig> {
  const chunks: Buffer[] = [];
  for await (const chunk of layout.blob(descriptor)) chunks.push(chunk);
  return parseConfig(Buffer.concat(chunks), `${layout.name}@${descriptor.digest}`);
}
