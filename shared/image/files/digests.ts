import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type Digest, FileDigests } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import { once } from '../once.ts';
import { diskPath } from './disk.ts';
import type { RegularFile } from './tree.ts';

/** Digests of the files of trees; those of this machine's files are remembered from run to run. */
export interface ContentDigests {
  of(file: RegularFile): Promise<Digest>;
  /** Names a file's bytes in keys: the same name for the same bytes on every machine, and cheaper than a digest where Git knows it. */
  name(file: RegularFile): Promise<string>;
  /** Writes down what this run learnt. */
  save(): void;
}

/** Files from this size on are read as a stream, for whole they would fill the memory. */
const LARGE = 256 * 2 ** 20;

/** `memory` is the file in which digests are remembered; without it they hold for this run alone. */
export function openDigests(memory?: string): ContentDigests {
  const remembered = FileDigests.open(memory);
  const large = new Map<string, Promise<Digest>>();
  const digests: ContentDigests = {
    name: (file) => digests.of(file),
    of: async ({ content, size }) => {
      if (content.kind === 'pending') throw new Error('A stage that was not built yet has no digests.');
      if (content.kind !== 'disk' || content.digest !== undefined) return content.digest;
      const path = diskPath(content.path);
      if (typeof path === 'string' && size < LARGE) {
        const digest = remembered.digest(path);
        if (digest === undefined) throw changed(content.path);
        return `sha256:${digest}`;
      }
      return once(large, content.path, () => hashStream(content.path, size));
    },
    save: () => {
      try {
        remembered.save();
      } catch {
        // A checkout that cannot be written to costs time at the next run, nothing else.
      }
    },
  };
  return digests;
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
