import { Limit } from './limit.ts';
import { isForeign, isManifestType, namedBy, parseDocument } from './manifest.ts';
import type { ImageSource } from './source.ts';
import type { Descriptor, ImageTarget } from './types.ts';

/** How a blob came to be where it was wanted. */
export type Provided = 'present' | 'mounted' | 'copied';

/** How an image is copied. */
export interface CopyOptions {
  /** Names that the copy gets; none: it can be reached by its digest alone. */
  readonly tags?: readonly string[];
  /** Blobs under way at once; default: 4. */
  readonly parallel?: number;
  readonly onBlob?: (blob: Descriptor, how: Provided) => void;
}

/**
 * Makes sure that a target has a blob: it may have it already, take it over within its registry without moving bytes, or be given
 * a verified copy.
 */
export async function provideBlob(
  source: ImageSource,
  target: ImageTarget,
  blob: Descriptor,
): Promise<Provided> {
  if (await target.has(blob)) return 'present';
  if (source.repository !== undefined && (await target.mount(blob, source.repository))) return 'mounted';
  await target.put(blob, () => source.blob(blob));
  return 'copied';
}

/**
 * Copies what is under a tag or digest, an index with all that it names or a single image, and gives it its tags last of all.
 * Foreign layers stay where they are. The bytes of manifests are kept, and so are all digests. After a failure nothing new is
 * begun, and nothing is tagged.
 */
export async function copyImage(
  source: ImageSource,
  tagOrDigest: string,
  target: ImageTarget,
  options: CopyOptions = {},
): Promise<Descriptor> {
  const limit = new Limit(options.parallel ?? 4);
  let failed = false;
  const provide = (blob: Descriptor) =>
    limit.run(async () => {
      if (failed) return;
      try {
        const how = await provideBlob(source, target, blob);
        options.onBlob?.(blob, how);
      } catch (error) {
        failed = true;
        throw error;
      }
    });
  const copy = async (name: string, tags: readonly string[]): Promise<Descriptor> => {
    const { bytes, descriptor } = await source.manifest(name);
    const document = parseDocument(bytes, `${source.name} ${name}`, descriptor.mediaType);
    if (document.kind === 'index') for (const member of document.index.manifests) await copyMember(member);
    else
      await allDone(
        namedBy(document)
          .filter((blob) => !isForeign(blob))
          .map(provide),
      );
    return await target.putManifest(bytes, descriptor.mediaType, tags);
  };
  const copyMember = async (member: Descriptor) => {
    if (isManifestType(member.mediaType)) await copy(member.digest, []);
    else await provide(member);
  };
  return await copy(tagOrDigest, options.tags ?? []);
}

/** Waits for all of them, so that nothing is left running behind a failure, and throws what failed first. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  let first: { readonly error: unknown } | undefined;
  await Promise.all(
    work.map((one) =>
      one.catch((error: unknown) => {
        first ??= { error };
      }),
    ),
  );
  if (first !== undefined) throw first.error;
}
