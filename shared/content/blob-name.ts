import { createHash, type Hash, hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';

/** How a Git repository names objects: SHA-1, or SHA-256 in those that were made so. */
export type BlobAlgorithm = 'sha1' | 'sha256';

/** Git's id of a content, as a name in keys: `blob:` and 40 or 64 hexadecimal digits. */
export type BlobName = `blob:${string}`;

/** Files up to here are read and hashed in one piece. */
const ONE_PIECE = 2 ** 20;
/** `blob `, the size in decimal digits and a NUL fit in here. */
const LONGEST_HEADER = 32;

let memory: Buffer | undefined;

/** A hash that takes the bytes of a content of `size` bytes and ends in the digits of its name. */
export function startBlob(algorithm: BlobAlgorithm, size: number): Hash {
  return createHash(algorithm).update(`blob ${size}\0`);
}

/** The algorithm that a name was made with; undefined for what is no such name. */
export function blobAlgorithm(name: string): BlobAlgorithm | undefined {
  if (!name.startsWith('blob:')) return undefined;
  return name.length === 'blob:'.length + 40 ? 'sha1' : 'sha256';
}

/**
 * The name of a file, which is read without a stream: for thousands of small ones that is several times faster. Undefined when it is
 * gone, is not a file, or has not `size` bytes.
 */
export function blobNameOfFile(
  path: string | Buffer,
  size: number,
  algorithm: BlobAlgorithm,
): BlobName | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    memory ??= Buffer.allocUnsafeSlow(LONGEST_HEADER + ONE_PIECE + 1);
    return size <= ONE_PIECE
      ? inOnePiece(file, size, algorithm, memory)
      : inPieces(file, size, algorithm, memory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EISDIR') return undefined;
    throw error;
  } finally {
    closeSync(file);
  }
}

function inOnePiece(
  file: number,
  size: number,
  algorithm: BlobAlgorithm,
  into: Buffer,
): BlobName | undefined {
  const start = into.write(`blob ${size}\0`, 0, 'latin1');
  let read = 0;
  // One byte more than there should be: a file that has grown must not pass for what it was.
  for (let got = -1; got !== 0 && read <= size; read += got)
    got = readSync(file, into, start + read, size + 1 - read, null);
  return read === size ? `blob:${hash(algorithm, into.subarray(0, start + size), 'hex')}` : undefined;
}

function inPieces(file: number, size: number, algorithm: BlobAlgorithm, into: Buffer): BlobName | undefined {
  const digest = startBlob(algorithm, size);
  let read = 0;
  for (let got = -1; got !== 0 && read <= size; read += got) {
    got = readSync(file, into, 0, ONE_PIECE, null);
    digest.update(into.subarray(0, got));
  }
  return read === size ? `blob:${digest.digest('hex')}` : undefined;
}
