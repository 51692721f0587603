import { missing, type Part } from '../part.ts';
import { freshRegistry } from '../registry.ts';
import { findCluster } from './cluster.ts';
import { type ProgramImage, type PublishedImage, publishProgram } from './images.ts';
import { reachableRegistry, startTwin } from './twin.ts';

/** A registry that the cluster's node pulls from. */
export interface KubernetesRegistry {
  /** As it stands in an image reference, for the node and for tests alike. */
  readonly host: string;
  /** Publishes an image of the pods' program: the quick way to a new version, and to one that fails. */
  publish(image: ProgramImage): Promise<PublishedImage>;
}

/** The session's registry, in the reach of the node; or the one of SLIPWAY_TEST_REGISTRY, which serves plain HTTP. */
export async function kubernetesRegistry(): Promise<Part<KubernetesRegistry>> {
  const found = await findCluster();
  if (!found.available) return found;
  const { network } = found;
  if (network === undefined) {
    const host = process.env.SLIPWAY_TEST_REGISTRY;
    if (!host) return missing('neither SLIPWAY_TEST_NODE_NETNS nor SLIPWAY_TEST_REGISTRY is set');
    return { available: true, ...registryAt(host) };
  }
  const own = await reachableRegistry(network);
  return own.available ? { available: true, ...registryAt(own.host) } : own;
}

/** A registry of the test's own that the node reaches, and that asks for the `account`. Call only where the network is there. */
export async function privateRegistry(): Promise<KubernetesRegistry & AsyncDisposable> {
  const found = await findCluster();
  if (!found.available || found.network === undefined)
    throw new Error('the network of the node is not known');
  const own = await freshRegistry({ account: true });
  const twin = await startTwin(found.network, own);
  return {
    ...registryAt(own.host),
    async [Symbol.asyncDispose]() {
      await Promise.all([own, twin].map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

function registryAt(host: string): KubernetesRegistry {
  return { host, publish: (image) => publishProgram(host, image) };
}
