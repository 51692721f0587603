/** Content and its identity: digests, keys that remember their parts, tar archives, files' digests, the state of a git checkout. */
export { type BlobAlgorithm, type BlobName, blobAlgorithm, startBlob } from './blob-name.ts';
export { BlobNames, blobAlgorithmIn, indexedBlob, type NamedFolder } from './blob-names.ts';
export { nameFromBytes, nameToBytes } from './bytes.ts';
export { type Digest, digestOf, digestOfFile, isDigest } from './digest.ts';
export { FileDigests } from './file-digests.ts';
export { type GitState, gitOrigin, gitState } from './git.ts';
export {
  type Author,
  type BranchCommit,
  type BranchFolder,
  type CommitResult,
  commitToBranch,
  readBranchFolder,
} from './git-branch.ts';
export { Key, type KeyDifference, type KeyListing, type KeyPart, ListingWriter } from './key.ts';
export { isOwn, makeOwnFolder, OWN_FOLDER } from './own-folder.ts';
export type { TarEntry } from './tar-entry.ts';
export { safeRelative } from './tar-name.ts';
export { readTar, type TarReading } from './tar-read.ts';
export { type TarMember, writeTar } from './tar-write.ts';
