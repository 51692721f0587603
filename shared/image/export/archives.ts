import { type TarMember, writeTar } from '../../content/index.ts';
import { type Descriptor, type ImageSource, MediaType, parseDocument } from '../../oci/index.ts';

/** An image for one platform, in the form of `docker save` (docker/docker image/spec v1.2): every engine reads it. */
export async function* dockerArchive(
  source: ImageSource,
  manifest: Descriptor,
  tags: readonly string[],
): AsyncGenerator<Buffer> {
  const { bytes } = await source.manifest(manifest.digest);
  const document = parseDocument(bytes, source.name, manifest.mediaType);
  if (document.kind !== 'image') throw new Error('An archive for an engine holds an image for one platform.');
  const { config, layers } = document.manifest;
  const hex = (descriptor: Descriptor) => descriptor.digest.slice('sha256:'.length);
  const unique = [...new Map(layers.map((layer) => [layer.digest, layer])).values()];
  const list = [
    {
      Config: `${hex(config)}.json`,
      RepoTags: tags.length === 0 ? null : tags,
      Layers: layers.map((layer) => `${hex(layer)}.tar`),
    },
  ];
  yield* writeTar([
    blobMember(`${hex(config)}.json`, config, source),
    ...unique.map((layer) => blobMember(`${hex(layer)}.tar`, layer, source)),
    documentMember('manifest.json', Buffer.from(JSON.stringify(list))),
  ]);
}

/**
 * An image with all that it names as an OCI image layout in one archive (OCI image-spec, image-layout.md), an entry of index.json for each
 * name.
 */
export async function* ociArchive(
  source: ImageSource,
  root: Descriptor,
  tags: readonly string[],
): AsyncGenerator<Buffer> {
  const blobs = new Map<string, TarMember>();
  await collect(source, root, blobs);
  const names = tags.length === 0 ? [undefined] : tags;
  const manifests = names.map((tag) => ({
    ...root,
    ...(tag !== undefined && {
      annotations: { ...root.annotations, 'org.opencontainers.image.ref.name': tag },
    }),
  }));
  const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests };
  yield* writeTar([
    ...[...blobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member),
    documentMember('index.json', Buffer.from(JSON.stringify(index))),
    documentMember('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
  ]);
}

async function collect(source: ImageSource, of: Descriptor, blobs: Map<string, TarMember>): Promise<void> {
  const { bytes } = await source.manifest(of.digest);
  blobs.set(of.digest, documentMember(blobName(of), bytes));
  const parsed = parseDocument(bytes, source.name, of.mediaType);
  if (parsed.kind === 'index') {
    for (const manifest of parsed.index.manifests) await collect(source, manifest, blobs);
    return;
  }
  for (const blob of [parsed.manifest.config, ...parsed.manifest.layers])
    blobs.set(blob.digest, blobMember(blobName(blob), blob, source));
}

function blobName({ digest }: Descriptor): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function blobMember(name: string, blob: Descriptor, source: ImageSource): TarMember {
  return { entry: entryOf(name, blob.size), content: () => source.blob(blob) };
}

function documentMember(name: string, bytes: Buffer): TarMember {
  return {
    entry: entryOf(name, bytes.length),
    content: async function* () {
      yield bytes;
    },
  };
}

function entryOf(name: string, size: number): TarMember['entry'] {
  return { name, type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 0 };
}
