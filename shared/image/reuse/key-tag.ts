import type { Digest } from '../../content/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import { type Descriptor, type ImageSource, layerType, parseDocument, resolveFrom } from '../../oci/index.ts';
import type { Delivery } from '../deliver.ts';
import { descriptor } from '../manifest.ts';
import { instructionOf } from '../names.ts';
import { once } from '../once.ts';
import { imageParts, type PartLayer, platformParts } from '../parts.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import type { PlatformResult } from '../result.ts';

/** What is done with the tags by which registries find images by their keys. */
export interface KeyTagUse {
  readonly read: boolean;
  /** Only for runs that others may rely on: whoever reads the tag takes what is under it. */
  readonly write: boolean;
}

/** A registry as a place of delivery. */
export type RegistryDelivery = Extract<Delivery, { readonly kind: 'registry' }>;

interface FoundManifest {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

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

export function openKeyTags(
  key: Digest | undefined,
  { read, write }: KeyTagUse,
  signal: AbortSignal | undefined,
  task: Task,
): KeyTags {
  if (key === undefined) return { find: async () => undefined, write: async () => {} };
  const tag = keyTag(key);
  const asked = new Map<RegistryDelivery, Promise<FoundManifest | undefined>>();
  const attempt = async <T>(work: Promise<T>, what: string): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof Failure) || signal?.aborted) throw error;
      task.log(`${what}: ${error.message}`);
      return undefined;
    }
  };
  const find = async (delivery: RegistryDelivery) =>
    read
      ? await once(asked, delivery, () =>
          attempt(delivery.source.manifest(tag), `No image to reuse in ${delivery.target.name}`),
        )
      : undefined;
  const writeOne = async (delivery: RegistryDelivery, bytes: Buffer, root: Descriptor) => {
    if ((await find(delivery))?.descriptor.digest === root.digest) return;
    await attempt(
      delivery.target.putManifest(bytes, root.mediaType, [tag]),
      `The tag for reuse was not written to ${delivery.target.name}`,
    );
  };
  return {
    find,
    write: async (bytes, root, deliveries) => {
      if (!write) return;
      const registries = deliveries.filter((delivery) => delivery.kind === 'registry');
      await Promise.all(registries.map((delivery) => writeOne(delivery, bytes, root)));
    },
  };
}

/** An image that is the plan's. */
export interface Recognized {
  readonly root: Descriptor;
  readonly platforms: readonly PlatformResult[];
}

/**
 * Whether a manifest or index is what the plan would make. Its own layers are taken for those that the key stands for; with them
 * configurations, manifests and index are written here, and have to have the digest of what was found: base, platforms, media
 * types, annotations and configuration are those asked for, to the byte.
 */
export async function recognize(
  plan: ImagePlan,
  source: ImageSource,
  found: FoundManifest,
): Promise<Recognized | undefined> {
  const document = parseDocument(found.bytes, source.name, found.descriptor.mediaType);
  const members = document.kind === 'index' ? document.index.manifests : [found.descriptor];
  if (members.length !== plan.platforms.length) return undefined;
  const known: ImageSource = {
    ...source,
    manifest: async (name) => (name === found.descriptor.digest ? found : await source.manifest(name)),
  };
  const platforms = await Promise.all(
    plan.platforms.map(async (platform, index) =>
      platformParts(
        plan.request,
        platform,
        platform.final!,
        await ownLayers(plan, platform, known, members[index]!),
      ),
    ),
  );
  const { root } = imageParts(plan.request, platforms);
  if (root.digest !== found.descriptor.digest) return undefined;
  return { root, platforms: platforms.map(({ result }) => result) };
}

/** The layers of an image above those of the base that the plan has. */
async function ownLayers(
  { request }: ImagePlan,
  { platform, final }: PlatformPlan,
  source: ImageSource,
  member: Descriptor,
): Promise<PartLayer[]> {
  const { manifest, config } = await resolveFrom(source, member.digest, platform);
  const below = final!.base?.manifest.layers.length ?? 0;
  const mediaType = layerType(request.compression, request.mediaTypes === 'docker');
  return manifest.layers.slice(below).map(({ digest, size }, index) => ({
    descriptor: descriptor({ mediaType, digest, size }),
    diffId: config.rootfs.diff_ids[below + index],
    origin: 'reused',
    createdBy: final!.layers[index] && instructionOf(final!.layers[index].step),
    source: undefined,
  }));
}
