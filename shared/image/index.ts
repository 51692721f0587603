/**
 * Images from Dockerfiles: planned before anything is made, assembled in this process where that gives exactly what BuildKit would
 * make, and given to BuildKit where it does not.
 */
export { parseAnnotations } from './annotations.ts';
export { type BuiltImage, buildImage, type MakeOptions } from './build.ts';
export { type BuilderSecret, type BuilderSettings, noSettings } from './builder/arguments.ts';
export type { Delivery, UnnamedImage } from './deliver.ts';
export { describePlan, type StageDescription, type Story } from './describe.ts';
export { loadIntoEngine } from './export/engine.ts';
export { exportDocker, exportFolder, exportOci, exportTar } from './export/files.ts';
export { buildxMetadata, imageId } from './export/metadata.ts';
export { type Directory, lookup, type Node, walk } from './files/tree.ts';
export { keepBlobs } from './kept-blobs.ts';
export { lookAhead } from './look-ahead.ts';
export type { SeedCarrier } from './mounts/carrier.ts';
export type { MountSeeds } from './mounts/mounts.ts';
export { registryCarrier } from './mounts/registry-carrier.ts';
export { type MountSeedOptions, openMountSeeds } from './mounts/seeds.ts';
export { storeCarrier } from './mounts/store-carrier.ts';
export { type Because, type ImagePlan, needsBuilder, planImage } from './plan.ts';
export type { ImageRequest, LiftedStage, ResolveImage, RunSurroundings } from './request.ts';
export type { ImageResult, PlatformResult } from './result.ts';
export type { ResultsRun } from './results/record.ts';
export { type ResultsPlace, registryResults } from './results/registry.ts';
export type { StageResults } from './results/results.ts';
export { storedResults } from './results/store.ts';
export { readDockerfile, readIgnore } from './sources.ts';
export { type StageFiles, stageFiles } from './stage-files.ts';
