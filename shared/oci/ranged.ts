import { createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { digestOfFile } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { downloadBlob } from './download.ts';
import { type Ask, type Registry, smallBody } from './registry.ts';
import { Passing } from './retry.ts';
import type { Expected } from './verify.ts';

/** Bytes of one request; a blob that is not larger than two of them comes in one. */
const PART = 8 * 2 ** 20;

type BlobAsk = Omit<Ask, 'headers' | 'accept'>;

/**
 * Brings a blob into a file, verified at its end. A large one comes in ranges side by side (RFC 9110, 14): storage behind registries
 * gives every connection a share of its speed. A registry that does not know ranges sends all with the first.
 */
export async function downloadToFile(
  registry: Registry,
  ask: BlobAsk,
  blob: Expected,
  file: string,
): Promise<void> {
  const ranged = blob.size > 2 * PART && (await downloadRanges(registry, ask, blob, file));
  if (!ranged) await registry.reading.run(() => whole(registry, ask, blob, file));
}

async function whole(registry: Registry, ask: BlobAsk, blob: Expected, file: string): Promise<void> {
  await pipeline(Readable.from(downloadBlob(registry, ask, blob)), createWriteStream(file));
}

/** False where the registry does not know ranges. */
async function downloadRanges(
  registry: Registry,
  ask: BlobAsk,
  blob: Expected,
  file: string,
): Promise<boolean> {
  const handle = await open(file, 'w');
  try {
    if (!(await part(registry, ask, blob, 0, handle))) return false;
    const starts: number[] = [];
    for (let start = PART; start < blob.size; start += PART) starts.push(start);
    const parts = starts.map(async (start) => {
      if (await part(registry, ask, blob, start, handle)) return;
      throw new Failure(
        `Cannot ${ask.deed.what}: the registry ${registry.name} gave one range and no other.`,
      );
    });
    await Promise.allSettled(parts);
    await Promise.all(parts);
  } finally {
    await handle.close();
  }
  const { digest } = await digestOfFile(file);
  if (digest !== blob.digest)
    throw new Failure(
      `Cannot ${ask.deed.what}: the registry ${registry.name} gave ${digest} for the blob ${blob.digest}.`,
    );
  return true;
}

/** One range, in its place in the file; false where all comes in place of it. */
async function part(
  registry: Registry,
  ask: BlobAsk,
  blob: Expected,
  start: number,
  handle: FileHandle,
): Promise<boolean> {
  const end = Math.min(start + PART, blob.size) - 1;
  return await registry.reading.run(() =>
    registry.repeat(ask.deed, ask.signal, async () => {
      const own: Ask = { ...ask, headers: { range: `bytes=${start}-${end}` }, accept: [200, 206] };
      const response = await registry.askOnce(own);
      if (response.status === 200) {
        response.discard();
        return false;
      }
      const bytes = await smallBody(response, PART, own);
      if (bytes.length !== end - start + 1 || !startsAt(response.headers['content-range'], start))
        throw new Passing(
          new Failure(
            `Cannot ${ask.deed.what}: the registry ${registry.name} gave ${bytes.length} bytes for the range ${start}-${end}.`,
          ),
        );
      for (let done = 0; done < bytes.length; )
        done += (await handle.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
      return true;
    }),
  );
}

function startsAt(range: string | undefined, start: number): boolean {
  return range === undefined || new RegExp(`^bytes ${start}-`).test(range);
}
