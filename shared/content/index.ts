export { nameFromBytes, nameToBytes } from './bytes.ts';
export { type Digest, digestOf, digestOfFile, isDigest } from './digest.ts';
export { FileDigests } from './file-digests.ts';
export { type GitState, gitState } from './git.ts';
export { Key, type KeyDifference, type KeyPart } from './key.ts';
export type { TarEntry } from './tar-entry.ts';
export { safeRelative } from './tar-name.ts';
export { readTar, type TarReading } from './tar-read.ts';
export { type TarMember, writeTar } from './tar-write.ts';
