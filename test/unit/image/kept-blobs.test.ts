import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { digestOf } from '../../../shared/content/index.ts';
import { keepBlobs } from '../../../shared/image/kept-blobs.ts';
import type { ImageSource, ResolvedImage } from '../../../shared/oci/index.ts';

const root = mkdtempSync(join(tmpdir(), 'slipway-kept-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const content = Buffer.from('twice as long'.repeat(1000));
const descriptor = { mediaType: 'x/y', digest: digestOf(content), size: content.length };
const platform = { os: 'linux', architecture: 'amd64' };

/** An image whose blobs come in two chunks; `breaks` says which of its readings break off between them. */
function imageOf(breaks: readonly number[] = []) {
  const read = { count: 0 };
  const source: ImageSource = {
    name: 'test',
    manifest: () => Promise.reject(new Error('no manifest is asked for')),
    async *blob() {
      const number = ++read.count;
      yield content.subarray(0, 100);
      if (breaks.includes(number)) throw new Error('broke off');
      yield content.subarray(100);
    },
  };
  return { read, images: async () => ({ source }) as ResolvedImage };
}

async function collect(blob: AsyncIterable<Buffer>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(blob));
}

describe('blobs that are kept for a run', () => {
  it('are fetched once, whichever reference leads to them', async () => {
    const { read, images } = imageOf();
    const folder = join(root, 'once');
    const kept = keepBlobs(images, folder);
    const [one, two] = [await kept('a', platform), await kept('b', platform)];
    expect(await collect(one.source.blob(descriptor))).toEqual(content);
    expect(await collect(two.source.blob(descriptor))).toEqual(content);
    expect(read.count).toBe(1);
  });

  it('are fetched again after they broke off or were left lying', async () => {
    const { read, images } = imageOf([1]);
    const folder = join(root, 'broken');
    const { source } = await keepBlobs(images, folder)('a', platform);
    await expect(collect(source.blob(descriptor))).rejects.toThrow('broke off');
    expect(readdirSync(folder)).toEqual([]);
    for await (const _ of source.blob(descriptor)) break;
    expect(readdirSync(folder)).toEqual([]);
    expect(await collect(source.blob(descriptor))).toEqual(content);
    expect(await collect(source.blob(descriptor))).toEqual(content);
    expect(read.count).toBe(3);
  });

  it('do not wait for one another', async () => {
    const { read, images } = imageOf();
    const { source } = await keepBlobs(images, join(root, 'side'))('a', platform);
    const first = source.blob(descriptor)[Symbol.asyncIterator]();
    await first.next();
    expect(await collect(source.blob(descriptor))).toEqual(content);
    expect(read.count).toBe(2);
  });

  it('come all the same when there is no place for them', async () => {
    const { read, images } = imageOf();
    writeFileSync(join(root, 'file'), '');
    const { source } = await keepBlobs(images, join(root, 'file/below'))('a', platform);
    expect(await collect(source.blob(descriptor))).toEqual(content);
    expect(await collect(source.blob(descriptor))).toEqual(content);
    expect(read.count).toBe(2);
  });
});
