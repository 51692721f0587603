import { text } from 'node:stream/consumers';
import type { Host } from '../../shared/host/index.ts';
import {
  type Cluster,
  digestIn,
  type Manifest,
  type PinnedManifests,
  pinImages,
  readManifests,
  withNamespace,
} from '../../shared/kubernetes/index.ts';
import { dockerCredentials, RegistryClient } from '../../shared/oci/index.ts';
import type { Request } from './request.ts';

/** Reads what the user wrote and pins its images. Where it goes does not matter yet. */
export async function readDesired(host: Host, request: Request): Promise<PinnedManifests> {
  const manifests = await readManifests(request.manifests, {
    workspace: host.workspace,
    stdin: () => text(process.stdin),
    env: process.env,
    signal: host.signal,
  });
  if (request.images.length === 0) return { manifests, pinned: [] };
  const secret = (value: string) => host.secret(value);
  const client = new RegistryClient({
    credentials: await dockerCredentials({ secret, signal: host.signal }),
    secret,
    insecure: request.insecureRegistries,
    signal: host.signal,
    temporary: host.temporary,
    log: (line) => host.log(line),
  });
  try {
    return await pinImages(manifests, request.images, digestIn(client));
  } finally {
    client.close();
  }
}

/** The manifests as this cluster gets them. */
export const placeIn = (
  cluster: Pick<Cluster, 'resource'>,
  namespace: string,
  manifests: readonly Manifest[],
): Promise<Manifest[]> =>
  withNamespace(
    manifests,
    namespace,
    async (apiVersion, kind) => (await cluster.resource(apiVersion, kind))?.namespaced,
  );
