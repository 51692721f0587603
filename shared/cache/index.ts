/** Content by key, kept between runs: one store interface, the GitHub Actions cache and a folder behind it, and its archive. */
export { actionsStore } from './actions-store.ts';
export { ArchiveError, type Member } from './archive.ts';
export { directoryStore } from './directory-store.ts';
export {
  describeRestored,
  describeSaved,
  type KeepOptions,
  type Restored,
  type RestoreRequest,
  restore,
  type Saved,
  type SaveRequest,
  save,
} from './keep.ts';
export { type KeptFile, pack } from './pack.ts';
export type { FetchedEntry, Store, StoreQuery } from './store.ts';
export { unpack } from './unpack.ts';
