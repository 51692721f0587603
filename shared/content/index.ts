export { nameFromBytes, nameToBytes } from './bytes.ts';
export { type Digest, digestOf, digestOfFile, isDigest } from './digest.ts';
export { Key, type KeyDifference, type KeyPart } from './key.ts';
export type { TarEntry } from './tar-entry.ts';
