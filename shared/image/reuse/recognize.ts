import { type Descriptor, type ImageSource, layerType, parseDocument, resolveFrom } from '../../oci/index.ts';
import { descriptor } from '../manifest.ts';
import { instructionOf } from '../names.ts';
import { imageParts, type PartLayer, platformParts } from '../parts.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import type { PlatformResult } from '../result.ts';

/** A manifest or index as it was found. */
export interface FoundManifest {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
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
