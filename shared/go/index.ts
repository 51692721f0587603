/** Go programs: the toolchain, targets, keys and plans of builds, the builds themselves, what they say of themselves, their caches. */
export { runGoBuild } from './build.ts';
export { type BuildInfo, type ModuleInfo, parseBuildInfo } from './build-info.ts';
export {
  type CacheRun,
  type GoCache,
  modulesCache,
  objectsCache,
  objectsCacheOf,
  programsCache,
  type RestoredCache,
} from './caches.ts';
export { CompileFailure, type Diagnostic } from './diagnostics.ts';
export type { GoFlags } from './flags.ts';
export { type GivenBuild, runGivenBuild } from './given-build.ts';
export { Pool } from './jobs.ts';
export { restoreGoCaches, type SavedCache, saveGoCaches } from './keep.ts';
export { isAboveModules } from './module.ts';
export type { OutputNaming } from './output.ts';
export type { MainPackage } from './packages.ts';
export {
  type BeforeDownloads,
  type GoContext,
  type GoDecision,
  type GoIdentity,
  type GoPlan,
  goContext,
  identifyGoBuild,
  type PlannedProgram,
  planGoBuild,
} from './plan.ts';
export type { BeforeBuild } from './prepare.ts';
export type { ProgramRecord } from './record.ts';
export type { GoBuildRequest } from './request.ts';
export type { BuiltProgram, GoBuildResult } from './result.ts';
export type { Sbom } from './sbom.ts';
export { isBuildInput } from './source-files.ts';
export { parseTarget, type Target } from './target.ts';
export { type Go, type GoEnvironment, go } from './toolchain.ts';
export { fetchToolchain, type MachineGo, machineGo, type ToolchainOf, toolchainOf } from './toolchain-of.ts';
export type { Reproduction } from './verify.ts';
