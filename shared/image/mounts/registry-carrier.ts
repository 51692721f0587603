import type { ImageSource, ImageTarget } from '../../oci/index.ts';
import { type Manifest, parseDocument, type Repository } from '../../oci/index.ts';
import { type SeedCarrier, savedAt } from './carrier.ts';

/** A repository that takes seeds as ordinary images, each under a tag of its own. */
export function registryCarrier(place: {
  readonly repository: Repository;
  readonly source: ImageSource;
  readonly target: ImageTarget;
}): SeedCarrier {
  const { source, target } = place;
  const repository = `${place.repository.registry}/${place.repository.repository}`;
  const manifest = async (name: string) => {
    const found = await (source.findManifest ?? source.manifest).call(source, name);
    if (found === undefined) return undefined;
    const document = parseDocument(found.bytes, `${source.name}:${name}`, found.descriptor.mediaType);
    if (document.kind !== 'image') return undefined;
    return { digest: found.descriptor.digest, manifest: document.manifest };
  };
  return {
    name: repository,
    async find(names) {
      const all = await Promise.all(names.map(manifest));
      const found = all.find((one) => one !== undefined);
      if (found === undefined) return undefined;
      const context = `docker-image://${repository}@${found.digest}`;
      return { ...found, context, saved: savedAt(found.manifest), source };
    },
    reference: (name) => `${repository}:${name}`,
    pushed: async (name): Promise<Manifest | undefined> => (await manifest(name))?.manifest,
    open: async (name) => ({
      target: { ...target, putManifest: (bytes, type) => target.putManifest(bytes, type, [name]) },
      finish: async () => 0,
    }),
  };
}
