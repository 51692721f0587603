import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { BlobNames, blobAlgorithmIn, type Digest, FileDigests } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import { once } from '../once.ts';
import { diskPath } from './disk.ts';
import type { RegularFile } from './tree.ts';

/** What names the bytes of files in keys, and what their digests are; what was found out is remembered from run to run. */
export interface ContentDigests {
  of(file: RegularFile): Promise<Digest>;
  /**
   * Names a file's bytes in keys: the same name for the same bytes on every machine, and cheaper than a digest where Git knows it.
   * `blob:` and Git's id for files of this machine, a digest for files that came out of
   * archives, stores and Dockerfiles.
   */
  name(file: RegularFile): string;
  /** Names the files of trees while these are read. */
  readonly blobs: BlobNames;
  /** Writes down what this run learnt. */
  save(): void;
}

/** Files from this size on are read as a stream, for whole they would fill the memory. */
const LARGE = 64 * 2 ** 20;

/** `memory` is the file in which digests are remembered; without it they hold for this run alone. */
export function openDigests(memory?: string): ContentDigests {
  let opened: FileDigests | undefined;
  const blobs = BlobNames.open(memory?.replace(/(\.json)?$/, '-names.json'));
  const large = new Map<string, Promise<Digest>>();
  return {
    blobs,
    name: ({ content, size }) => {
      if (content.kind === 'pending') throw new Error('A stage that was not built yet has no names.');
      if (content.kind !== 'disk') return content.digest;
      if (content.digest !== undefined) return content.digest;
      if (content.blob !== undefined) return content.blob;
      const { path, folder } = content;
      const name = blobs.read(path, size, folder === undefined ? 'sha1' : blobAlgorithmIn(folder));
      if (name === undefined) throw changed(path);
      return name;
    },
    of: async ({ content, size }) => {
      if (content.kind === 'pending') throw new Error('A stage that was not built yet has no digests.');
      if (content.kind !== 'disk') return content.digest;
      if (content.digest !== undefined) return content.digest;
      const path = diskPath(content.path);
      if (typeof path === 'string' && size < LARGE) {
        opened ??= FileDigests.open(memory);
        const digest = opened.digest(path);
        if (digest === undefined) throw changed(content.path);
        return `sha256:${digest}`;
      }
      return await once(large, content.path, () => hashStream(content.path, size));
    },
    save: () => {
      try {
        opened?.save();
        blobs.save();
      } catch {
        // A checkout that cannot be written to costs time at the next run, nothing else.
      }
    },
  };
}

async function hashStream(path: string, size: number): Promise<Digest> {
  const hash = createHash('sha256');
  let read = 0;
  for await (const chunk of createReadStream(diskPath(path), { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    read += (chunk as Buffer).length;
  }
  if (read !== size) throw changed(path);
  return `sha256:${hash.digest('hex')}`;
}

export function changed(path: string): Failure {
  return new Failure(`${path} changed while the image was being made; run again when nothing writes to it.`);
}
