import type { Digest } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { type ImageDocument, isIndexType, parseConfig, parseDocument } from './manifest.ts';
import { formatPlatform, offeredPlatforms, selectPlatform } from './platform.ts';
import type { Repository } from './reference.ts';
import type { Descriptor, ImageConfig, Index, Manifest, Platform } from './types.ts';
import { collect } from './verify.ts';

/** Where images come from: a repository of a registry, or a layout on disk. All bytes that it gives are verified. */
export interface ImageSource {
  /** How messages call it. */
  readonly name: string;
  /** Set when it is a repository of a registry, from which others of the same registry can mount. */
  readonly repository?: Repository;
  /** The manifest or index under a tag or digest. Throws a Failure when there is none. */
  manifest(tagOrDigest: string): Promise<{ readonly bytes: Buffer; readonly descriptor: Descriptor }>;
  /** As `manifest`, but undefined when there is none, and nothing is asked to say so well. A registry has it. */
  findManifest?(
    tagOrDigest: string,
  ): Promise<{ readonly bytes: Buffer; readonly descriptor: Descriptor } | undefined>;
  /** Manifests that name this one as their subject: signatures, attestations. Repositories and layouts have it. */
  referrers?(digest: Digest, artifactType?: string): Promise<readonly Descriptor[]>;
  /** The content of a blob, from its first byte. */
  blob(descriptor: Descriptor): AsyncIterable<Buffer>;
  /** Brings a blob into a file, faster than `blob` where it is large. A registry has it. */
  download?(descriptor: Descriptor, file: string): Promise<void>;
}

/** An image for one platform, without its layers' content. */
export interface ResolvedImage {
  readonly source: ImageSource;
  /** Of the manifest. */
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly manifestBytes: Buffer;
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  /** Of what the reference itself pointed to, which is an index for most public images: what a reference is pinned to. */
  readonly root: Descriptor;
  readonly index: Index | undefined;
}

/** A configuration is a few kilobytes; what is larger is not read into memory. */
const LARGEST_CONFIG = 8 * 2 ** 20;

/**
 * Finds the image for a platform under a tag or digest. Throws a Failure when an index has none for the platform, naming those
 * that it has. An image without an index is taken whatever it was made for, as BuildKit does: its configuration says what that is.
 */
export async function resolveFrom(
  source: ImageSource,
  tagOrDigest: string,
  platform: Platform,
): Promise<ResolvedImage> {
  const name = `${source.name}${tagOrDigest.includes(':') ? '@' : ':'}${tagOrDigest}`;
  const root = await documentOf(source, tagOrDigest, name);
  let found = root;
  for (let depth = 0; found.document.kind === 'index'; depth++) {
    if (depth > 3) throw new Failure(`${name} is an index of indexes without end.`);
    const chosen = choose(found.document.index, platform, name);
    found = await documentOf(source, chosen.digest, `${name} for ${formatPlatform(platform)}`);
  }
  const { manifest } = found.document;
  const configBytes = await configOf(source, manifest.config, name);
  return {
    source,
    descriptor: found.descriptor,
    manifest,
    manifestBytes: found.bytes,
    config: parseConfig(configBytes, `The configuration of ${name}`),
    configBytes,
    root: root.descriptor,
    index: root.document.kind === 'index' ? root.document.index : undefined,
  };
}

async function documentOf(
  source: ImageSource,
  tagOrDigest: string,
  name: string,
): Promise<{ bytes: Buffer; descriptor: Descriptor; document: ImageDocument }> {
  const { bytes, descriptor } = await source.manifest(tagOrDigest);
  return { bytes, descriptor, document: parseDocument(bytes, name, descriptor.mediaType) };
}

function choose(index: Index, platform: Platform, name: string): Descriptor {
  const chosen = selectPlatform(index, platform);
  if (chosen !== undefined) return chosen;
  // An index inside of an index carries no platform of its own.
  const nested = index.manifests.filter(
    ({ mediaType, platform: own }) => own === undefined && isIndexType(mediaType),
  );
  if (nested.length === 1) return nested[0]!;
  // A layout that was written for one platform alone may name none.
  if (index.manifests.length === 1 && index.manifests[0]!.platform === undefined) return index.manifests[0]!;
  const offered = offeredPlatforms(index);
  const list = offered.length === 0 ? 'no platform at all' : offered.join(', ');
  throw new Failure(`${name} has no image for ${formatPlatform(platform)}; it has ${list}.`);
}

async function configOf(source: ImageSource, config: Descriptor, name: string): Promise<Buffer> {
  if (config.size > LARGEST_CONFIG)
    throw new Failure(
      `The configuration of ${name} claims ${config.size} bytes, of at most ${LARGEST_CONFIG}.`,
    );
  return await collect(source.blob(config));
}
