import { availableParallelism } from 'node:os';
import { pipeline, Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

/** How a layer is compressed. */
export type Compression = 'gzip' | 'zstd' | 'none';

const zstdFrame = promisify<zlib.InputType, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
const deflateRaw = promisify<zlib.InputType, zlib.ZlibOptions, Buffer>(zlib.deflateRaw);

/** With eight cores and zstd the memory of a layer is near 200 MB. */
const MOST_CORES = 8;
/**
 * Blocks in work at one time: one a core, and one that waits for the next core to be free. More than libuv has threads for such work
 * (useAllCores) would only take memory.
 */
function jobs(): number {
  return Math.min(availableParallelism(), Number(process.env.UV_THREADPOOL_SIZE) || 4, MOST_CORES) + 1;
}

/**
 * Bytes of input that one job takes. Fixed, for the output depends on them: smaller ones cost ratio and set-up, larger ones leave
 * cores idle on small layers.
 */
const GZIP_BLOCK = 2 ** 20;
const ZSTD_FRAME = 2 * 2 ** 20;
/** How far deflate looks back, and so how much of the block before serves as dictionary. */
const DEFLATE_WINDOW = 32 * 1024;

/** RFC 1952, 2.3: deflate, no flags, no time, no extra flags, system unknown; nothing in it tells where it was made. */
const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);

/**
 * Compresses a stream on all cores, in blocks of fixed size, so that the bytes are the same whatever the number of cores and
 * however the input was cut. gzip is one member whose blocks each know the 32 KiB before them (as pigz does it), zstd a sequence
 * of frames (RFC 8878, 3). Memory is bound by the blocks in flight, and zstd's tables are shared by all layers that are written at
 * one time: it does not grow with the size of a layer.
 */
export function compress(
  content: AsyncIterable<Uint8Array>,
  compression: Compression,
  level?: number,
): AsyncIterable<Uint8Array> {
  if (compression === 'none') return content;
  return compression === 'gzip' ? gzip(content, level ?? 6) : zstd(content, level ?? 3);
}

async function* gzip(content: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Buffer> {
  let crc = 0;
  let size = 0;
  let dictionary: Buffer | undefined;
  yield GZIP_HEADER;
  yield* inParallel(content, GZIP_BLOCK, async (block, last) => {
    crc = zlib.crc32(block, crc);
    size += block.length;
    const before = dictionary;
    dictionary = Buffer.from(block.subarray(-DEFLATE_WINDOW));
    const deflated = await deflateRaw(block, {
      level,
      // What a block may grow to when it cannot be compressed, so that the output is one piece and not sixty.
      chunkSize: block.length + (block.length >> 9) + 256,
      finishFlush: last ? zlib.constants.Z_FINISH : zlib.constants.Z_SYNC_FLUSH,
      ...(before !== undefined && { dictionary: before }),
    });
    return [deflated];
  });
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  yield trailer;
}

async function* zstd(content: AsyncIterable<Uint8Array>, level: number): AsyncGenerator<Buffer> {
  const crew = crews.get(level) ?? new Crew(level);
  crews.set(level, crew);
  crew.users++;
  try {
    yield* inParallel(content, ZSTD_FRAME, async (frame) =>
      frame.length === ZSTD_FRAME ? await crew.compress(frame) : [await shortFrame(frame, level)],
    );
  } finally {
    crew.users--;
    crew.rest();
  }
}

/** What is left for each piece of output: less than a whole frame may take, see FrameCompressor. */
const ZSTD_OUTPUT = ZSTD_FRAME >> 2;

function zstdParameters(level: number): Record<number, number> {
  const { ZSTD_c_compressionLevel, ZSTD_c_contentSizeFlag } = zlib.constants;
  // Not ZSTD_c_nbWorkers: with it, Node 24 ends with no output at all.
  return { [ZSTD_c_compressionLevel]: level, [ZSTD_c_contentSizeFlag]: 1 };
}

function shortFrame(frame: Buffer, level: number): Promise<Buffer> {
  const params = zstdParameters(level);
  return zstdFrame(frame, { chunkSize: ZSTD_OUTPUT, params, pledgedSrcSize: frame.length });
}

/** Compressors that all layers of the same level share, so that many layers at once take no more memory than one. */
class Crew {
  users = 0;
  readonly #level: number;
  readonly #idle: FrameCompressor[] = [];
  readonly #waiting: ((compressor: FrameCompressor) => void)[] = [];
  #members = 0;

  constructor(level: number) {
    this.#level = level;
  }

  async compress(frame: Buffer): Promise<readonly Buffer[]> {
    const compressor = await this.#take();
    try {
      return await compressor.compress(frame);
    } finally {
      this.#giveBack(compressor);
    }
  }

  async #take(): Promise<FrameCompressor> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#members === jobs()) return await new Promise((resolve) => this.#waiting.push(resolve));
    this.#members++;
    return new FrameCompressor(this.#level);
  }

  #giveBack(compressor: FrameCompressor): void {
    const next = this.#waiting.shift();
    if (next !== undefined) next(compressor);
    else this.#idle.push(compressor);
    this.rest();
  }

  /** Lets go of all memory once nobody has anything to compress. */
  rest(): void {
    if (this.users > 0) return;
    this.#members -= this.#idle.length;
    for (const compressor of this.#idle.splice(0)) compressor.close();
  }
}

const crews = new Map<number, Crew>();

/**
 * Makes one full frame after the other. A compressor has some megabytes of tables: one for each frame would make the memory of this
 * process several times as large, for what is freed by other threads is not given back. zstd goes another way, with other bytes,
 * where all of its output fits what it is given, and what it is given here is what is left of a piece: so only frames of which that
 * is never true may be made so.
 */
class FrameCompressor {
  readonly #stream: zlib.ZstdCompress;
  #pieces: Buffer[] = [];

  constructor(level: number) {
    // Each write is a frame.
    const flush = zlib.constants.ZSTD_e_end;
    this.#stream = zlib.createZstdCompress({ flush, chunkSize: ZSTD_OUTPUT, params: zstdParameters(level) });
    this.#stream.on('data', (piece: Buffer) => this.#pieces.push(piece));
  }

  async compress(frame: Buffer): Promise<Buffer[]> {
    await new Promise<void>((resolve, reject) => {
      this.#stream.once('error', reject);
      this.#stream.write(frame, () => {
        this.#stream.off('error', reject);
        resolve();
      });
    });
    // What is not told yet is told now.
    while (this.#stream.read() !== null);
    const pieces = this.#pieces;
    this.#pieces = [];
    return pieces;
  }

  close(): void {
    this.#stream.destroy();
  }
}

/**
 * Cuts the content into blocks of exactly `size` bytes and a last one of up to that, which may be empty, runs one job a core on
 * libuv's threads, and gives their results in order. The blocks' memory is used again and again: a job must not keep it.
 */
async function* inParallel(
  content: AsyncIterable<Uint8Array>,
  size: number,
  job: (block: Buffer, last: boolean) => Promise<readonly Buffer[]>,
): AsyncGenerator<Buffer> {
  const free: Buffer[] = [];
  const running: Promise<readonly Buffer[]>[] = [];
  const start = (memory: Buffer, filled: number, last: boolean) => {
    const result = job(memory.subarray(0, filled), last);
    result.then(
      () => free.push(memory),
      () => {}, // told to whoever awaits the result
    );
    running.push(result);
  };
  let memory: Buffer = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const chunk of content)
    for (let at = 0; at < chunk.length; ) {
      if (filled === size) {
        start(memory, filled, false);
        if (running.length >= jobs()) yield* await running.shift()!;
        memory = free.pop() ?? Buffer.allocUnsafe(size);
        filled = 0;
      }
      const part = chunk.subarray(at, at + size - filled);
      memory.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  start(memory, filled, true);
  while (running.length > 0) yield* await running.shift()!;
}

/** What the first bytes of a compressed layer look like; media types lie. */
function compressionOf(first: Uint8Array): Compression {
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  if (first[0] === 0x28 && first[1] === 0xb5 && first[2] === 0x2f && first[3] === 0xfd) return 'zstd';
  // A skippable frame (RFC 8878, 3.1.2), with which seekable layers begin.
  if ((first[0]! & 0xf0) === 0x50 && first[1] === 0x2a && first[2] === 0x4d && first[3] === 0x18)
    return 'zstd';
  return 'none';
}

/**
 * The decompressed bytes of a gzip stream (of any number of members), a zstd stream (of any number of frames) or a plain one, told
 * apart by their first bytes as container engines do. Throws zlib's error for damaged content.
 */
export async function* decompress(content: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer> {
  const iterator = content[Symbol.asyncIterator]();
  const held: Uint8Array[] = [];
  let first = Buffer.alloc(0);
  try {
    while (first.length < 4) {
      const { done, value } = await iterator.next();
      if (done === true) break;
      held.push(value);
      first = Buffer.concat(held);
    }
    const whole = resumed(first, iterator);
    const compression = compressionOf(first);
    if (compression === 'none') yield* whole;
    else
      yield* through(
        whole,
        compression === 'gzip'
          ? zlib.createGunzip({ chunkSize: 256 * 1024 })
          : zlib.createZstdDecompress({ chunkSize: 256 * 1024 }),
      );
  } finally {
    await iterator.return?.();
  }
}

async function* resumed(first: Buffer, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer> {
  if (first.length > 0) yield first;
  for (;;) {
    const { done, value } = await iterator.next();
    if (done === true) return;
    yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}

async function* through(content: AsyncIterable<Buffer>, transform: Transform): AsyncGenerator<Buffer> {
  // The error reaches us through the transform, which pipeline destroys with it.
  pipeline(Readable.from(content, { objectMode: false, highWaterMark: 2 ** 20 }), transform, () => {});
  for await (const chunk of transform) yield chunk as Buffer;
}
