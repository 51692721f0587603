import { createHash } from 'node:crypto';
import { type Digest, readTar, type TarMember, type TarReading, writeTar } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { type Compression, compress, decompress } from './compress.ts';
import type { ImageSource } from './source.ts';
import { type Descriptor, type ImageTarget, MediaType } from './types.ts';

/** How a layer is written, and where to. */
export interface LayerOptions {
  readonly compression: Compression;
  /** gzip 1 to 9, zstd 1 to 22; default: 6 and 3. */
  readonly level?: number;
  /** Docker's media types in place of OCI's. Docker has none for zstd. */
  readonly docker?: boolean;
  readonly target: ImageTarget;
  readonly signal?: AbortSignal;
}

/** A layer that is stored at its target. */
export interface WrittenLayer {
  readonly descriptor: Descriptor;
  /** Of the uncompressed archive: what the configuration lists (OCI image-spec, config.md, rootfs). */
  readonly diffId: Digest;
  /** Bytes of the uncompressed archive. */
  readonly uncompressedSize: number;
}

/**
 * Writes a layer: archive, its digest, compression on all cores, and transfer run at the same time over one stream, whose memory
 * does not grow with the layer. The same members give the same bytes, whatever the number of cores.
 */
export async function writeLayer(
  members: AsyncIterable<TarMember> | Iterable<TarMember>,
  options: LayerOptions,
): Promise<WrittenLayer> {
  const hash = createHash('sha256');
  let uncompressedSize = 0;
  async function* hashed(): AsyncGenerator<Buffer> {
    for await (const chunk of writeTar(members)) {
      options.signal?.throwIfAborted();
      hash.update(chunk);
      uncompressedSize += chunk.length;
      yield chunk;
    }
  }
  const stored = await options.target.stream(compress(hashed(), options.compression, options.level));
  return {
    descriptor: {
      mediaType: layerType(options.compression, options.docker ?? false),
      digest: stored.digest,
      size: stored.size,
    },
    diffId: `sha256:${hash.digest('hex')}`,
    uncompressedSize,
  };
}

/** The media type of a layer, of OCI or of Docker. Throws a Failure for zstd in Docker's, which have none. */
export function layerType(compression: Compression, docker: boolean): string {
  if (docker && compression === 'gzip') return MediaType.dockerLayerGzip;
  if (docker && compression === 'none') return 'application/vnd.docker.image.rootfs.diff.tar';
  if (docker) throw new Failure('Docker media types have none for zstd; take OCI media types, or gzip.');
  return { gzip: MediaType.ociLayerGzip, zstd: MediaType.ociLayerZstd, none: MediaType.ociLayer }[
    compression
  ];
}

/**
 * The members of a layer, in order, decompressed as its first bytes say. The compressed bytes are read to their end and verified:
 * a Failure at the end means that what was read before is not to be trusted.
 */
export async function* readLayer(descriptor: Descriptor, source: ImageSource): AsyncGenerator<TarReading> {
  try {
    yield* readTar(decompress(source.blob(descriptor)));
  } catch (error) {
    if (!isZlibError(error)) throw error;
    throw new Failure(
      `The layer ${descriptor.digest} of ${source.name} cannot be decompressed: ${error.message}.`,
      {
        cause: error,
      },
    );
  }
}

function isZlibError(error: unknown): error is Error {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return error instanceof Error && /^(Z_|ZSTD_|ERR_ZSTD|ERR_ZLIB)/.test(code);
}
