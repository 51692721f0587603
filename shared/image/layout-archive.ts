import { type TarMember, writeTar } from '../content/index.ts';
import { type Descriptor, type ImageSource, parseDocument } from '../oci/index.ts';
import { writeFileFrom } from './export.ts';

/** The image as an OCI image layout in one archive (`type=oci,dest=FILE` of buildx), with nothing else in it. */
export async function exportOci(
  source: ImageSource,
  root: Descriptor,
  tags: readonly string[],
  file: string,
): Promise<void> {
  const blobs = new Map<string, TarMember>();
  await collect(source, root, blobs);
  const names = tags.length === 0 ? [undefined] : tags;
  const manifests = names.map((tag) => ({
    ...root,
    ...(tag !== undefined && {
      annotations: { ...root.annotations, 'org.opencontainers.image.ref.name': tag },
    }),
  }));
  const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests };
  await writeFileFrom(
    file,
    writeTar([
      ...[...blobs].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, member]) => member),
      document('index.json', Buffer.from(JSON.stringify(index))),
      document('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
    ]),
  );
}

async function collect(source: ImageSource, of: Descriptor, blobs: Map<string, TarMember>): Promise<void> {
  const { bytes } = await source.manifest(of.digest);
  blobs.set(of.digest, document(blobName(of), bytes));
  const parsed = parseDocument(bytes, source.name, of.mediaType);
  if (parsed.kind === 'index') {
    for (const manifest of parsed.index.manifests) await collect(source, manifest, blobs);
    return;
  }
  for (const blob of [parsed.manifest.config, ...parsed.manifest.layers])
    blobs.set(blob.digest, { entry: entryOf(blobName(blob), blob.size), content: () => source.blob(blob) });
}

function blobName({ digest }: Descriptor): string {
  return `blobs/${digest.replace(':', '/')}`;
}

function document(name: string, bytes: Buffer): TarMember {
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
