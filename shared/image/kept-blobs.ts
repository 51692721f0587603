import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../content/index.ts';
import type { Descriptor, ImageSource } from '../oci/index.ts';
import type { ResolveImage } from './request.ts';

/** Where blobs lie that came whole; undefined while one is on its way. */
type Kept = Map<Digest, string | undefined>;

/**
 * Images whose blobs are fetched once in a run: a layer of a base is read for its index, for files that are copied out of it, and to
 * be taken along to a layout. What is read first goes to a file in `folder` as it passes by, and comes from there from then on. A
 * disk that is full costs another fetch.
 */
export function keepBlobs(images: ResolveImage, folder: string): ResolveImage {
  const kept: Kept = new Map();
  return async (reference, platform) => {
    const image = await images(reference, platform);
    const { name, repository } = image.source;
    const source: ImageSource = {
      name,
      ...(repository !== undefined && { repository }),
      manifest: (tagOrDigest) => image.source.manifest(tagOrDigest),
      blob: (descriptor) => readKept(descriptor, image.source, folder, kept),
    };
    return { ...image, source };
  };
}

async function* readKept(
  descriptor: Descriptor,
  source: ImageSource,
  folder: string,
  kept: Kept,
): AsyncGenerator<Buffer> {
  const { digest } = descriptor;
  const path = kept.get(digest);
  if (path !== undefined) yield* createReadStream(path, { highWaterMark: 256 * 1024 });
  // Nobody waits for another's reading, which may be left lying half-way.
  else if (kept.has(digest)) yield* source.blob(descriptor);
  else yield* fetchAndKeep(descriptor, source, folder, kept);
}

async function* fetchAndKeep(
  descriptor: Descriptor,
  source: ImageSource,
  folder: string,
  kept: Kept,
): AsyncGenerator<Buffer> {
  const { digest } = descriptor;
  kept.set(digest, undefined);
  const path = join(folder, digest.slice('sha256:'.length));
  let copy = await openCopy(folder, path);
  let whole = false;
  try {
    for await (const chunk of source.blob(descriptor)) {
      copy = await append(copy, chunk);
      yield chunk;
    }
    whole = true;
  } finally {
    if ((await closed(copy)) && whole) kept.set(digest, path);
    else {
      kept.delete(digest);
      await rm(path, { force: true }).catch(() => {});
    }
  }
}

async function openCopy(folder: string, path: string): Promise<FileHandle | undefined> {
  try {
    await mkdir(folder, { recursive: true });
    return await open(path, 'w');
  } catch {
    return undefined; // Then it is fetched again when it is needed again.
  }
}

async function append(copy: FileHandle | undefined, chunk: Buffer): Promise<FileHandle | undefined> {
  try {
    await copy?.writeFile(chunk);
    return copy;
  } catch {
    await closed(copy);
    return undefined;
  }
}

/** Some file systems tell only now that they are full. */
async function closed(copy: FileHandle | undefined): Promise<boolean> {
  try {
    await copy?.close();
    return copy !== undefined;
  } catch {
    return false;
  }
}
