import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readTar, type TarEntry, type TarMember } from '../../../shared/content/index.ts';
import { Failure } from '../../../shared/host/index.ts';
import {
  type Compression,
  compress,
  decompress,
  type Layout,
  MediaType,
  openLayout,
  readLayer,
  writeLayer,
} from '../../../shared/oci/index.ts';

async function* cut(bytes: Uint8Array, step: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** Text that compresses and noise that does not, of a size that ends inside, at and behind the edges of blocks. */
function mixed(size: number): Buffer {
  const bytes = Buffer.alloc(size, 'all work and no play makes jack a dull boy\n');
  for (let at = 0; at + 50_000 <= size; at += 150_000) randomBytes(50_000).copy(bytes, at);
  return bytes;
}

const MIB = 2 ** 20;
const sizes = [0, 1, 1000, MIB - 1, MIB, MIB + 1, 3 * MIB, 4 * MIB, 4 * MIB + 1, 9 * MIB + 123];

describe.each(['gzip', 'zstd'] as const)('%s', (compression) => {
  const peer = { gzip: zlib.gunzipSync, zstd: zlib.zstdDecompressSync }[compression];

  it.each(sizes)('gives back %i bytes', async (size) => {
    const content = mixed(size);
    const compressed = await bytesOf(compress(cut(content, 65_536), compression));
    expect(peer(compressed).equals(content)).toBe(true);
    expect((await bytesOf(decompress(cut(compressed, 10_000)))).equals(content)).toBe(true);
  });

  it('is the same bytes however the input was cut', async () => {
    const content = mixed(5 * MIB + 7);
    const digests = await Promise.all(
      [1_000_003, 4096, content.length].map(async (step) =>
        createHash('sha256')
          .update(await bytesOf(compress(cut(content, step), compression)))
          .digest('hex'),
      ),
    );
    expect(new Set(digests).size).toBe(1);
  });

  it('is the same bytes when the input comes slowly, and memory is used again', async () => {
    const content = mixed(6 * MIB + 5);
    async function* slow() {
      for await (const part of cut(content, MIB / 2)) {
        yield part;
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
    }
    const compressed = await bytesOf(compress(slow(), compression));
    expect(peer(compressed).equals(content)).toBe(true);
    expect(compressed.equals(await bytesOf(compress(cut(content, 65_536), compression)))).toBe(true);
  });

  it('is the same bytes whatever is and was compressed beside it', async () => {
    const inputs = sizes.filter((size) => size > 0).map((size) => mixed(size + 150_000));
    const digest = async (input: Buffer, level: number) =>
      createHash('sha256')
        .update(await bytesOf(compress(cut(input, 65_536), compression, level)))
        .digest('hex');
    for (const level of compression === 'gzip' ? [6] : [3, 6, 12]) {
      const alone: string[] = [];
      for (const input of inputs) alone.push(await digest(input, level));
      expect(await Promise.all(inputs.map((input) => digest(input, level)))).toEqual(alone);
      expect(await Promise.all(inputs.toReversed().map((input) => digest(input, level)))).toEqual(
        alone.toReversed(),
      );
    }
  });

  it('passes on the error of its input', async () => {
    async function* broken() {
      yield mixed(2 * MIB);
      throw new Error('the file is gone');
    }
    await expect(bytesOf(compress(broken(), compression))).rejects.toThrow('the file is gone');
  });

  it('does not run ahead of its reader', async () => {
    let read = 0;
    async function* endless() {
      for (;;) {
        read += MIB;
        yield mixed(MIB);
      }
    }
    for await (const _ of compress(endless(), compression)) break;
    expect(read).toBeLessThan(64 * MIB);
  });
});

describe('gzip', () => {
  it('tells nothing of where and when it was made', async () => {
    const compressed = await bytesOf(compress(cut(mixed(10), 10), 'gzip'));
    expect([...compressed.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
  });

  it('costs little for being cut into blocks', async () => {
    const content = Buffer.alloc(6 * MIB);
    for (let i = 0; i < content.length; i += 4) content.writeUInt32LE((i * 2654435761) >>> 20, i);
    const ours = (await bytesOf(compress(cut(content, 65_536), 'gzip'))).length;
    expect(ours).toBeLessThan(zlib.gzipSync(content, { level: 6 }).length * 1.02);
  });

  it('reads several members', async () => {
    const two = Buffer.concat([zlib.gzipSync('one '), zlib.gzipSync('two')]);
    expect((await bytesOf(decompress(cut(two, 3)))).toString()).toBe('one two');
  });
});

/** Bytes that nobody would call random, nor regular. */
function recorded(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0, x = 1; i < size; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0;
    bytes[i] = (x >>> 16) % (((i >> 12) % 60) + 4);
  }
  return bytes;
}

// A digest that changes without a new library means that every layer in every registry is made again.
describe.each([
  [
    'gzip',
    'zlib',
    '1.3.2.1-motley-8002e91',
    'ef52a255ddc71991e854799e094ed4373c4d5a89204c6a0c64a8cac89d319034',
  ],
  ['zstd', 'zstd', '1.5.7', '446264916d0980d4aeeb52ee040da2c5e5ab5c256e921c04bc73f5409ea5b38c'],
] as const)('the bytes of %s', (compression, library, version, digest) => {
  const here = process.versions[library] ?? 'none';
  it.skipIf(here !== version)(
    `are those recorded for ${library} ${version}${here === version ? '' : ` [needs that version, this is ${here}]`}`,
    async () => {
      const content = recorded(3 * MIB + 7);
      const compressed = await bytesOf(compress(cut(content, 100_000), compression));
      expect(createHash('sha256').update(compressed).digest('hex')).toBe(digest);
    },
  );
});

const file = (name: string, size: number): TarEntry => ({
  name,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size,
  mtime: 0,
});

function members(...files: [string, Buffer][]): TarMember[] {
  return files.map(([name, bytes]) => ({
    entry: file(name, bytes.length),
    content: () => cut(bytes, 60_000),
  }));
}

describe('a layer', () => {
  let directory: string;
  let layout: Layout;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'slipway-layer-'));
    layout = await openLayout(directory, 'the layout');
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  it.each([
    ['gzip', false, MediaType.ociLayerGzip],
    ['zstd', false, MediaType.ociLayerZstd],
    ['none', false, MediaType.ociLayer],
    ['gzip', true, MediaType.dockerLayerGzip],
  ] as [Compression, boolean, string][])(
    'with %s (Docker: %s) is read as it was written',
    async (compression, docker, type) => {
      const content = mixed(2 * MIB);
      const layer = await writeLayer(members(['a', content], ['b', Buffer.from('b')]), {
        compression,
        docker,
        target: layout,
      });
      expect(layer.descriptor.mediaType).toBe(type);
      expect(await layout.has(layer.descriptor)).toBe(true);
      const found: [string, Buffer][] = [];
      for await (const { entry, content: bytes } of readLayer(layer.descriptor, layout))
        found.push([entry.name, await bytesOf(bytes)]);
      expect(found.map(([name]) => name)).toEqual(['a', 'b']);
      expect(found[0]![1].equals(content)).toBe(true);
      const plain = await bytesOf(decompress(layout.blob(layer.descriptor)));
      expect(layer.diffId).toBe(`sha256:${createHash('sha256').update(plain).digest('hex')}`);
      expect(layer.uncompressedSize).toBe(plain.length);
    },
  );

  it('has no media type of Docker for zstd', async () => {
    const write = writeLayer(members(), { compression: 'zstd', docker: true, target: layout });
    await expect(write).rejects.toThrow('Docker media types have none for zstd');
  });

  it('stops when it is cancelled, and stores nothing', async () => {
    const stop = new AbortController();
    async function* endless() {
      for (;;) {
        stop.abort(new Error('enough'));
        yield mixed(MIB);
      }
    }
    const write = writeLayer([{ entry: file('a', 1e12), content: endless }], {
      compression: 'gzip',
      target: layout,
      signal: stop.signal,
    });
    await expect(write).rejects.toThrow('enough');
  });

  it('that is damaged inside its compression is named', async () => {
    const good = zlib.gzipSync(randomBytes(100_000));
    good.fill(0xff, 50_000, 60_000);
    const { digest, size } = await layout.stream(cut(good, 1 << 16));
    const read = async () => {
      for await (const _ of readLayer({ mediaType: MediaType.ociLayerGzip, digest, size }, layout));
    };
    const error = await read().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).message).toMatch(
      /^(The layer sha256:\w+ of the layout cannot be decompressed|The tar archive is damaged)/,
    );
  });

  it('may be anything that readTar reads', async () => {
    const names: string[] = [];
    for await (const { entry } of readTar(decompress(cut(Buffer.alloc(1024), 100)))) names.push(entry.name);
    expect(names).toEqual([]);
  });
});
