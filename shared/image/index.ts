/**
 * Images from Dockerfiles: planned before anything is made, assembled in this process where that gives exactly what BuildKit would
 * make, and given to BuildKit where it does not.
 */
export { parseAnnotations } from './annotations.ts';
export { type BuilderSecret, type BuilderSettings, noSettings } from './builder.ts';
export type { Delivery } from './deliver.ts';
export { describePlan } from './describe.ts';
export { loadIntoEngine } from './engine.ts';
export { exportDocker, exportFolder, exportOci, exportTar } from './export.ts';
export { keepBlobs } from './kept-blobs.ts';
export { buildImage } from './make.ts';
export { buildxMetadata, imageId } from './metadata.ts';
export { type ImagePlan, planImage, readDockerfile, readIgnore } from './plan.ts';
export type { ImageRequest, ResolveImage } from './request.ts';
export type { ImageResult, PlatformResult } from './result.ts';
