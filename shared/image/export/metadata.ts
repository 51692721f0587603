import type { ImageResult } from '../result.ts';

/** What buildx writes with `--metadata-file`, and what docker/build-push-action gives as `metadata`. */
export function buildxMetadata(
  result: ImageResult,
  names: readonly string[],
): Readonly<Record<string, unknown>> {
  const [only] = result.platforms;
  return {
    ...(result.platforms.length === 1 && { 'containerimage.config.digest': only!.config.digest }),
    'containerimage.descriptor': result.descriptor,
    'containerimage.digest': result.descriptor.digest,
    ...(names.length > 0 && { 'image.name': names.join(',') }),
  };
}

/** The id by which an engine calls the image: the digest of its configuration, or of the index of several platforms. */
export function imageId(result: ImageResult): string {
  return result.platforms.length === 1 ? result.platforms[0]!.config.digest : result.descriptor.digest;
}
