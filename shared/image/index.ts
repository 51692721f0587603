/**
 * Images from Dockerfiles: planned before anything is made, assembled in this process where that gives exactly what BuildKit would
 * make, and given to BuildKit where it does not.
 */
export { annotationsFor, type ImageAnnotation, parseAnnotations } from './annotations.ts';
export type { ImageResult, LayerResult, PlatformResult } from './build.ts';
export { type BuilderSecret, type BuilderSettings, noSettings } from './builder.ts';
export { type Delivered, type Delivery, KEY_ANNOTATION } from './deliver.ts';
export { describePlan, type PlanDescription, type StageDescription } from './describe.ts';
export { type LoadOptions, loadIntoEngine } from './engine.ts';
export { type ExportFolders, exportDocker, exportFolder, exportTar } from './export.ts';
export { exportOci } from './layout-archive.ts';
export { buildImage, type MakeOptions } from './make.ts';
export type { MediaTypes } from './manifest.ts';
export { buildxMetadata, imageId } from './metadata.ts';
export { type StageMethod, type StagePlan, stageName } from './method.ts';
export {
  type Because,
  builderStages,
  type ImagePlan,
  type PlanWarning,
  type PlatformPlan,
  planImage,
} from './plan.ts';
export type { ImageRequest, ResolveImage } from './request.ts';
