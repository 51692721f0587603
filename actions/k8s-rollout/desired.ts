import { text } from 'node:stream/consumers';
import type { Host } from '../../shared/host/index.ts';
import {
  type Cluster,
  digestIn,
  type KubeObject,
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
  for (const { object } of manifests) maskSecret(host, object);
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

/** Shorter values are parts of ordinary words: masking them would garble the report and hide nothing. */
const SHORTEST_SECRET = 8;

/** The values of a Secret, as they are and in Base64, are in no log and no report from now on, whoever prints them. */
function maskSecret(host: Host, { apiVersion, kind, data, stringData }: KubeObject): void {
  if (apiVersion !== 'v1' || kind !== 'Secret') return;
  const textsIn = (fields: unknown) =>
    Object.values((fields ?? {}) as Record<string, unknown>).filter((value) => typeof value === 'string');
  const values = [
    ...textsIn(stringData),
    ...textsIn(data).map((value) => Buffer.from(value, 'base64').toString()),
  ];
  for (const value of values) if (value.length >= SHORTEST_SECRET) host.secret(value);
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
