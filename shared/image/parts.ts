import type { Digest } from '../content/index.ts';
import {
  type Descriptor,
  describe,
  formatPlatform,
  type ImageConfig,
  type ImageSource,
} from '../oci/index.ts';
import { annotationsFor } from './annotations.ts';
import { configDocument, descriptor, indexDocument, layerDescriptor, manifestDocument } from './manifest.ts';
import type { PlatformPlan } from './plan.ts';
import type { ImageRequest } from './request.ts';
import type { PlatformResult } from './result.ts';

/** A layer of an image, with the place that it can be had from when it is a base's. */
export interface PartLayer {
  readonly descriptor: Descriptor;
  /** undefined for a base's layer, whose configuration knows it. */
  readonly diffId: Digest | undefined;
  readonly origin: 'base' | 'made' | 'reused';
  readonly createdBy: string | undefined;
  readonly source: ImageSource | undefined;
}

/** A document with the descriptor that others name it by. */
export interface StoredDocument {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
}

export type PartBlob = { readonly layer: PartLayer } | { readonly config: StoredDocument };

/** All that an image is made of, ready to be brought anywhere. */
export interface ImageParts {
  readonly blobs: readonly PartBlob[];
  /** Manifests that an index names. */
  readonly members: readonly StoredDocument[];
  /** The index, or the manifest of an image for one platform. */
  readonly top: { readonly bytes: Buffer; readonly mediaType: string };
  readonly root: Descriptor;
  /** The image that an earlier run made, whose layers these are. */
  readonly layersFrom?: LayersFrom | undefined;
}

/** An image that was found, and where. */
export interface LayersFrom {
  readonly source: ImageSource;
  readonly image: Descriptor;
}

/** An image for one platform, as far as it is made of documents. */
export interface PlatformParts {
  readonly result: PlatformResult;
  readonly layers: readonly PartLayer[];
  readonly config: StoredDocument;
  readonly manifest: StoredDocument;
}

/** The documents of an image for one platform: its base, its final stage's configuration, and the layers that it has of its own. */
export function platformParts(
  request: ImageRequest,
  platform: PlatformPlan,
  own: readonly PartLayer[],
): PlatformParts {
  const base = baseLayers(platform, request.mediaTypes);
  const layers = [...base, ...own];
  const { config } = platform.graph.stages.find(({ index }) => index === platform.graph.target)!;
  const written = configDocument(config, diffIds(config, platform, own), request.epoch, request.mediaTypes);
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

function diffIds(config: ImageConfig, platform: PlatformPlan, own: readonly PartLayer[]): Digest[] {
  const base = platform.base === undefined ? [] : platform.base.config.rootfs.diff_ids;
  if (config.rootfs.diff_ids.length !== base.length)
    throw new Error(
      `The configuration counts ${config.rootfs.diff_ids.length} layers of a base that has ${base.length}.`,
    );
  return [...base, ...own.map(({ diffId }) => diffId!)];
}

function baseLayers({ base }: PlatformPlan, mediaTypes: 'oci' | 'docker'): PartLayer[] {
  if (base === undefined) return [];
  return base.manifest.layers.map((layer) => ({
    descriptor: layerDescriptor(layer, mediaTypes),
    diffId: undefined,
    origin: 'base',
    createdBy: undefined,
    source: base.source,
  }));
}

/** All that an image is made of: for several platforms an index over the manifests, else the manifest. */
export function imageParts(request: ImageRequest, made: readonly PlatformParts[]): ImageParts {
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
