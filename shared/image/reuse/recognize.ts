import type { Digest } from '../../content/index.ts';
import {
  type Descriptor,
  type ImageSource,
  layerType,
  parseDocument,
  type ResolvedImage,
  resolveFrom,
} from '../../oci/index.ts';
import { layerSteps } from '../chain.ts';
import { descriptor } from '../manifest.ts';
import { instructionOf } from '../names.ts';
import { imageParts, type PartLayer, type PlatformParts, platformParts } from '../parts.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';

/** A manifest or index as it was found. */
export interface FoundManifest {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

/** What an image that was found under the key of the plan's files is good for. */
export type Recognized =
  /** It is the plan's image. */
  | { readonly kind: 'image'; readonly root: Descriptor; readonly parts: readonly PlatformParts[] }
  /** It has the plan's layers; around them belong other documents, which are these. */
  | { readonly kind: 'layers'; readonly parts: readonly PlatformParts[] };

/**
 * Compares a manifest or index with what the plan would make. That its own layers are those of the key is taken for true. Everything
 * else is made from the plan and compared: base, platforms, media types, annotations and configuration. Undefined where not even the
 * layers can be used.
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
    name: source.name,
    ...(source.repository !== undefined && { repository: source.repository }),
    blob: (blob) => source.blob(blob),
    manifest: async (name) => (name === found.descriptor.digest ? found : await source.manifest(name)),
  };
  const images = await Promise.all(
    plan.platforms.map(({ platform }, at) => resolveFrom(known, members[at]!.digest, platform)),
  );
  const own = images.map((image, at) => ownLayers(plan, plan.platforms[at]!, image));
  if (own.some((layers) => layers === undefined)) return undefined;
  const parts = plan.platforms.map((platform, at) => platformParts(plan.request, platform, own[at]!));
  const { root } = imageParts(plan.request, parts);
  if (root.digest !== found.descriptor.digest)
    return { kind: 'layers', parts: parts.map((one, at) => held(one, images[at]!)) };
  return { kind: 'image', root, parts };
}

/** The layers that an image has in common with the plan's are where it is, those of the base too. */
function held(parts: PlatformParts, { manifest }: ResolvedImage): PlatformParts {
  const there = new Set(manifest.layers.map(({ digest }) => digest));
  const layers = parts.layers.map((layer) =>
    there.has(layer.descriptor.digest) ? { ...layer, source: undefined } : layer,
  );
  return { ...parts, layers };
}

/** The layers of an image above those of the plan's base, where they are as many as the plan's steps make, and of its type. */
function ownLayers(
  { request }: ImagePlan,
  { graph, base }: PlatformPlan,
  { manifest, config }: ResolvedImage,
): PartLayer[] | undefined {
  const below: readonly Digest[] = base?.config.rootfs.diff_ids ?? [];
  const { diff_ids: diffIds } = config.rootfs;
  const steps = layerSteps(graph);
  if (diffIds.length !== below.length + steps.length || manifest.layers.length !== diffIds.length)
    return undefined;
  if (below.some((diffId, at) => diffIds[at] !== diffId)) return undefined;
  const mediaType = layerType(request.compression, request.mediaTypes === 'docker');
  const own = manifest.layers.slice(below.length);
  if (own.some((layer) => layer.mediaType !== mediaType)) return undefined;
  return own.map(({ digest, size }, at) => ({
    descriptor: descriptor({ mediaType, digest, size }),
    diffId: diffIds[below.length + at],
    origin: 'reused',
    createdBy: instructionOf(steps[at]!),
    source: undefined,
  }));
}
