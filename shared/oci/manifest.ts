import { digestOf, isDigest } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { type Descriptor, type ImageConfig, type Index, type Manifest, MediaType } from './types.ts';

/** Bytes that a manifest may have: what registries accept at most (distribution-spec, "Pushing Manifests", 4 MiB). */
export const LARGEST_MANIFEST = 4 * 2 ** 20;

/** What a reference points to, told apart. */
export type ImageDocument =
  | { readonly kind: 'image'; readonly manifest: Manifest }
  | { readonly kind: 'index'; readonly index: Index };

export const MANIFEST_TYPES: readonly string[] = [
  MediaType.ociIndex,
  MediaType.dockerIndex,
  MediaType.ociManifest,
  MediaType.dockerManifest,
];

const INDEX_TYPES: readonly string[] = [MediaType.ociIndex, MediaType.dockerIndex];

export function isIndexType(mediaType: string): boolean {
  return INDEX_TYPES.includes(mediaType);
}

/** Whether what a descriptor names is a manifest or an index, and not a blob. */
export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

/** A descriptor of bytes that are at hand. */
export function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/**
 * Reads the bytes of a manifest or index. `name` is how the Failure calls it when they are neither, or are of a kind that cannot be
 * an image any more (Docker's schema 1).
 */
export function parseDocument(bytes: Uint8Array, name: string, mediaType?: string): ImageDocument {
  const value = parseObject(bytes, name);
  const type = typeof value.mediaType === 'string' ? value.mediaType : mediaType;
  if (value.schemaVersion === 1)
    throw new Failure(
      `${name} is an image of Docker's schema 1, which registries gave up; push it anew with a current docker.`,
    );
  // Two clients could take it for two things, one of which was never looked at (CVE-2021-41190).
  if (Array.isArray(value.manifests) && (value.config !== undefined || value.layers !== undefined))
    throw new Failure(`${name} is a manifest and an index at once, which no image can be.`);
  if (Array.isArray(value.manifests)) return { kind: 'index', index: checkedIndex(value, name) };
  if (isManifestShape(value)) return { kind: 'image', manifest: checkedManifest(value, name) };
  throw new Failure(`${name} is no image manifest or index${type === undefined ? '' : ` but ${type}`}.`);
}

function parseObject(bytes: Uint8Array, name: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (value !== null && typeof value === 'object' && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // Falls through: what is wrong with the text is of no help to whoever reads the message.
  }
  throw new Failure(`${name} is no JSON object; its ${bytes.length} bytes were damaged or are no manifest.`);
}

function isManifestShape(value: Record<string, unknown>): boolean {
  return value.config !== undefined && Array.isArray(value.layers);
}

function checkedIndex(value: Record<string, unknown>, name: string): Index {
  (value.manifests as unknown[]).forEach((one, i) => {
    checkDescriptor(one, `${name}, manifests[${i}]`);
  });
  return value as unknown as Index;
}

function checkedManifest(value: Record<string, unknown>, name: string): Manifest {
  checkDescriptor(value.config, `${name}, config`);
  (value.layers as unknown[]).forEach((one, i) => {
    checkDescriptor(one, `${name}, layers[${i}]`);
  });
  return value as unknown as Manifest;
}

function checkDescriptor(value: unknown, where: string): asserts value is Descriptor {
  const { mediaType, digest, size } = (value ?? {}) as Partial<Record<keyof Descriptor, unknown>>;
  if (typeof mediaType !== 'string') throw new Failure(`${where} has no media type.`);
  if (typeof digest !== 'string' || !isDigest(digest))
    throw new Failure(`${where} has the digest "${String(digest)}"; accepted is sha256.`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw new Failure(`${where} has the size ${String(size)}; accepted is a number of bytes.`);
}

/** Reads the bytes of an image configuration. */
export function parseConfig(bytes: Uint8Array, name: string): ImageConfig {
  const value = parseObject(bytes, name);
  const rootfs = value.rootfs as { diff_ids?: unknown } | undefined;
  // BuildKit writes null for an image without layers.
  if (rootfs?.diff_ids === null)
    return { ...value, rootfs: { ...rootfs, diff_ids: [] } } as unknown as ImageConfig;
  if (!Array.isArray(rootfs?.diff_ids))
    throw new Failure(`${name} is no image configuration: it lists no layers.`);
  return value as unknown as ImageConfig;
}

/** Every blob and manifest that a document names directly. */
export function namedBy(document: ImageDocument): readonly Descriptor[] {
  return document.kind === 'index'
    ? document.index.manifests
    : [document.manifest.config, ...document.manifest.layers];
}

/** Whether a layer lives outside of registries (foreign layers of old Windows images) and must not be copied. */
export function isForeign(layer: Descriptor): boolean {
  return (layer.urls?.length ?? 0) > 0 || /nondistributable|\.foreign\./.test(layer.mediaType);
}
