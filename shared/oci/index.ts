/**
 * OCI images: references, platforms, manifests, layers, layouts on disk and registries (OCI image-spec 1.1, distribution-spec 1.1).
 */
export { type ClientOptions, RegistryClient } from './client.ts';
export { type Compression, compress, decompress } from './compress.ts';
export { type CopyOptions, copyImage, type Provided, provideBlob } from './copy.ts';
export {
  type CredentialOptions,
  type Credentials,
  dockerCredentials,
  type Login,
  withLogins,
} from './credentials.ts';
export { isLoopback, type Traffic } from './http.ts';
export { type LayerOptions, layerType, readLayer, type WrittenLayer, writeLayer } from './layer.ts';
export { type Layout, openLayout, type TaggedDescriptor } from './layout.ts';
export { isLayoutReference, resolveLayoutImage } from './layout-reference.ts';
export { describe, type ImageDocument, parseConfig, parseDocument } from './manifest.ts';
export {
  formatPlatform,
  machinePlatform,
  normalizePlatform,
  offeredPlatforms,
  parsePlatform,
  platformMatches,
  selectPlatform,
} from './platform.ts';
export {
  formatReference,
  parseReference,
  type Reference,
  type Repository,
  tagOrDigest,
} from './reference.ts';
export { registrySource, registryTarget, resolveImage } from './remote.ts';
export type { Clock, RetryPolicy } from './retry.ts';
export { type ImageSource, type ResolvedImage, resolveFrom } from './source.ts';
export * from './types.ts';
