import type { Digest } from '../content/index.ts';
import type { Descriptor, ImageConfig, Platform } from '../oci/index.ts';
import { MediaType } from '../oci/index.ts';

/** Whose media types manifests, configurations and layers have. */
export type MediaTypes = 'oci' | 'docker';

/** A document that goes into a registry as it is. */
export interface Document {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/**
 * The configuration of an image as it is stored: diff ids in place, and everything that this build adds dated to the epoch. Times
 * that the base brought stay (BuildKit does the same with SOURCE_DATE_EPOCH). Members are sorted as BuildKit's are.
 */
export function configDocument(
  config: ImageConfig,
  diffIds: readonly Digest[],
  epoch: number,
  mediaTypes: MediaTypes,
): Document {
  const created = timestamp(epoch);
  const history = (config.history ?? []).map((entry) =>
    entry.created === undefined ? { created, ...entry } : entry,
  );
  const whole = { ...config, created, history, rootfs: { type: 'layers', diff_ids: diffIds } };
  const sorted = Object.fromEntries(Object.entries(whole).sort(([a], [b]) => (a < b ? -1 : 1)));
  const mediaType = mediaTypes === 'oci' ? MediaType.ociConfig : MediaType.dockerConfig;
  return { bytes: Buffer.from(JSON.stringify(sorted)), mediaType };
}

/** RFC 3339 without a fraction, as Go writes whole seconds. */
export function timestamp(epoch: number): string {
  return new Date(epoch * 1000).toISOString().replace('.000Z', 'Z');
}

export function manifestDocument(
  config: Descriptor,
  layers: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> | undefined,
  mediaTypes: MediaTypes,
): Document {
  const mediaType = mediaTypes === 'oci' ? MediaType.ociManifest : MediaType.dockerManifest;
  return document(mediaType, {
    schemaVersion: 2,
    mediaType,
    config,
    layers,
    ...(annotations && { annotations }),
  });
}

export function indexDocument(
  manifests: readonly Descriptor[],
  annotations: Readonly<Record<string, string>> | undefined,
  mediaTypes: MediaTypes,
): Document {
  const mediaType = mediaTypes === 'oci' ? MediaType.ociIndex : MediaType.dockerIndex;
  return document(mediaType, { schemaVersion: 2, mediaType, manifests, ...(annotations && { annotations }) });
}

function document(mediaType: string, content: object): Document {
  return { mediaType, bytes: Buffer.from(JSON.stringify(content, undefined, 2)) };
}

/** A descriptor with its members in the order of the specification, so that equal ones are equal as bytes. */
export function descriptor(
  of: { readonly mediaType: string; readonly digest: Digest; readonly size: number },
  more: {
    readonly annotations?: Readonly<Record<string, string>> | undefined;
    readonly platform?: Platform | undefined;
  } = {},
): Descriptor {
  const { annotations, platform } = more;
  return {
    mediaType: of.mediaType,
    digest: of.digest,
    size: of.size,
    ...(annotations && { annotations }),
    ...(platform && { platform }),
  };
}

const TO_DOCKER: Readonly<Record<string, string>> = { [MediaType.ociLayerGzip]: MediaType.dockerLayerGzip };
const TO_OCI: Readonly<Record<string, string>> = { [MediaType.dockerLayerGzip]: MediaType.ociLayerGzip };

/** The descriptor of a base's layer under the media types of this image; types without a counterpart stay as they are. */
export function layerDescriptor(layer: Descriptor, mediaTypes: MediaTypes): Descriptor {
  const mediaType = (mediaTypes === 'oci' ? TO_OCI : TO_DOCKER)[layer.mediaType] ?? layer.mediaType;
  const annotations =
    mediaTypes === 'oci' && layer.annotations !== undefined
      ? publicAnnotations(layer.annotations)
      : undefined;
  const urls = layer.urls === undefined ? {} : { urls: layer.urls };
  return { ...descriptor({ ...layer, mediaType }, { annotations }), ...urls };
}

/** Annotations that engines keep for themselves do not travel (RemoveInternalLayerAnnotations of BuildKit). */
function publicAnnotations(
  annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  const kept = Object.entries(annotations).filter(
    ([key]) =>
      key !== 'containerd.io/uncompressed' &&
      key !== 'buildkit/createdat' &&
      !key.startsWith('containerd.io/distribution.source.'),
  );
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
