import { type Digest, digestOf } from '../content/index.ts';
import type { RegistryClient } from './client.ts';
import { parseReference, type Reference, type Repository, tagOrDigest } from './reference.ts';
import { type ImageSource, type ResolvedImage, resolveFrom } from './source.ts';
import type { Descriptor, ImageTarget, Platform } from './types.ts';

/** A repository of a registry as a source of images. */
export function registrySource(client: RegistryClient, { registry, repository }: Repository): ImageSource {
  const place = { registry, repository };
  const named = (name: string) => ({
    ...place,
    ...(name.includes(':') ? { digest: name as Digest } : { tag: name }),
  });
  return {
    name: `${registry}/${repository}`,
    repository: place,
    manifest: (name) => client.manifest(named(name)),
    findManifest: (name) => client.findManifest(named(name)),
    referrers: (digest, artifactType) => client.referrers(place, digest, artifactType),
    blob: (descriptor) => client.blob(place, descriptor),
    download: (descriptor, file) => client.download(place, descriptor, file),
  };
}

/** A repository of a registry as a target of images. Tags are written last, one after the other. */
export function registryTarget(client: RegistryClient, { registry, repository }: Repository): ImageTarget {
  const place = { registry, repository };
  // A registry that cannot mount opens an upload in its place, which the upload that follows goes on with.
  const sessions = new Map<Digest, URL>();
  return {
    name: `${registry}/${repository}`,
    has: (blob) => client.has(place, blob),
    mount: async (blob, from) => {
      const { mounted, session } = await client.mount(place, blob, from);
      if (session !== undefined) sessions.set(blob.digest, session);
      return mounted;
    },
    put: async (blob, open) => {
      const session = sessions.get(blob.digest);
      sessions.delete(blob.digest);
      await client.put(place, blob, open, session);
    },
    stream: (content) => client.stream(place, content),
    putManifest: (bytes, mediaType, tags) => putUnder(client, place, bytes, mediaType, tags),
    putReferrer: (bytes, mediaType) => putUnder(client, place, bytes, mediaType, []),
  };
}

async function putUnder(
  client: RegistryClient,
  place: Repository,
  bytes: Uint8Array,
  mediaType: string,
  tags: readonly string[],
): Promise<Descriptor> {
  const names: Reference[] =
    tags.length > 0 ? tags.map((tag) => ({ ...place, tag })) : [{ ...place, digest: digestOf(bytes) }];
  let stored: Descriptor | undefined;
  for (const name of names) stored = await client.putManifest(name, bytes, mediaType);
  return stored!;
}

/** Finds the image for a platform under a reference, such as `alpine:3` or `gcr.io/distroless/static@sha256:…`. */
export async function resolveImage(
  client: RegistryClient,
  reference: Reference | string,
  platform: Platform,
): Promise<ResolvedImage> {
  const parsed = typeof reference === 'string' ? parseReference(reference) : reference;
  return await resolveFrom(registrySource(client, parsed), tagOrDigest(parsed), platform);
}
