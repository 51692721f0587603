import { type Digest, isDigest } from '../../content/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import { type Descriptor, type ImageSource, MediaType, parseDocument } from '../../oci/index.ts';
import type { Delivery } from '../deliver.ts';
import { once } from '../once.ts';
import type { FoundManifest } from './recognize.ts';

/** What is done with the tags by which registries find images by their keys. */
export interface KeyTagUse {
  readonly read: boolean;
  /** Only for runs that others may rely on: whoever reads the tag takes what is under it. */
  readonly write: boolean;
}

/** A registry as a place of delivery. */
export type RegistryDelivery = Extract<Delivery, { readonly kind: 'registry' }>;

/** The tags `slipway-<key>` of a run. They save time and no more: whatever goes wrong with one is told in the log. */
export interface KeyTags {
  /** What is under the key's tag in a repository; it is asked for once. */
  find(delivery: RegistryDelivery): Promise<FoundManifest | undefined>;
  /** Names an image by its key in each repository that does not know it so. Comes after everything else. */
  write(bytes: Buffer, root: Descriptor, deliveries: readonly Delivery[]): Promise<void>;
}

/** The first 128 bits name a key: tags may have 128 characters, and people look at them in lists. */
export function keyTag(key: Digest): string {
  return `slipway-${key.slice('sha256:'.length, 'sha256:'.length + 32)}`;
}

/** The tags of a key, as far as they may be used; without a key there are none. */
export function openKeyTags(
  key: Digest | undefined,
  use: KeyTagUse,
  signal: AbortSignal | undefined,
  task: Task,
): KeyTags {
  const tag = key === undefined ? undefined : keyTag(key);
  const asked = new Map<RegistryDelivery, Promise<FoundManifest | undefined>>();
  const find = async (delivery: RegistryDelivery) => {
    if (tag === undefined || !use.read) return undefined;
    const what = `No image to reuse in ${delivery.target.name}`;
    const ask = async () => await followPointer(delivery.source, tag);
    return await once(asked, delivery, () => attempt(ask, what, signal, task));
  };
  const write = async (bytes: Buffer, root: Descriptor, delivery: Delivery) => {
    if (tag === undefined || !use.write || delivery.kind !== 'registry') return;
    if ((await find(delivery))?.descriptor.digest === root.digest) return;
    const what = `The tag for reuse was not written to ${delivery.target.name}`;
    const pointer = pointerTo(bytes, root);
    await attempt(() => delivery.target.putManifest(pointer, MediaType.ociIndex, [tag]), what, signal, task);
  };
  return {
    find,
    write: async (bytes, root, deliveries) => {
      await Promise.all(deliveries.map((delivery) => write(bytes, root, delivery)));
    },
  };
}

const IMAGE = 'dev.slipway.image';

/**
 * What a tag is put on: an index of the image's manifests that says which image it means. It is a manifest of its own, so that whoever
 * cleans tags up, which in many registries deletes the manifest with all its names, does not delete the image.
 */
function pointerTo(bytes: Buffer, root: Descriptor): Buffer {
  const document = parseDocument(bytes, 'The image', root.mediaType);
  const { mediaType, digest, size } = root;
  const manifests = document.kind === 'index' ? document.index.manifests : [{ mediaType, digest, size }];
  const pointer = {
    schemaVersion: 2,
    mediaType: MediaType.ociIndex,
    manifests,
    annotations: { [IMAGE]: digest },
  };
  return Buffer.from(JSON.stringify(pointer));
}

/** The image that a tag means; undefined where there is none, or the tag is on something else. */
async function followPointer(source: ImageSource, tag: string): Promise<FoundManifest | undefined> {
  const get = async (name: string) => await (source.findManifest?.(name) ?? source.manifest(name));
  const found = await get(tag);
  if (found === undefined) return undefined;
  const document = parseDocument(found.bytes, source.name, found.descriptor.mediaType);
  const digest = document.kind === 'index' ? document.index.annotations?.[IMAGE] : undefined;
  return digest === undefined || !isDigest(digest) ? undefined : await get(digest);
}

/** What a registry refuses is told and gone without; a run that was cancelled ends. */
async function attempt<T>(
  work: () => Promise<T>,
  what: string,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || signal?.aborted) throw error;
    task.log(`${what}: ${error.message}`);
    return undefined;
  }
}
