import type { Digest } from '../../content/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import type { Descriptor } from '../../oci/index.ts';
import type { Delivery } from '../deliver.ts';
import { once } from '../once.ts';
import type { FoundManifest } from './recognize.ts';

/** What is done with the tags by which registries find images by their keys. */
export interface KeyTagUse {
  readonly read: boolean;
  /** Only for runs that others may rely on: whoever reads the tag takes what is under it. */
  readonly write: boolean;
}

/** A registry as a place of delivery. */
export type RegistryDelivery = Extract<Delivery, { readonly kind: 'registry' }>;

/** The tags `slipway-<key>` of a run. They save time and no more: whatever goes wrong with one is told in the log. */
export interface KeyTags {
  /** What is under the key's tag in a repository; it is asked for once. */
  find(delivery: RegistryDelivery): Promise<FoundManifest | undefined>;
  /** Names an image by its key in each repository that does not know it so. Comes after everything else. */
  write(bytes: Buffer, root: Descriptor, deliveries: readonly Delivery[]): Promise<void>;
}

/** The first 128 bits name a key: tags may have 128 characters, and people look at them in lists. */
export function keyTag(key: Digest): string {
  return `slipway-${key.slice('sha256:'.length, 'sha256:'.length + 32)}`;
}

/** The tags of a key, as far as they may be used; without a key there are none. */
export function openKeyTags(
  key: Digest | undefined,
  use: KeyTagUse,
  signal: AbortSignal | undefined,
  task: Task,
): KeyTags {
  const tag = key === undefined ? undefined : keyTag(key);
  const asked = new Map<RegistryDelivery, Promise<FoundManifest | undefined>>();
  const find = async (delivery: RegistryDelivery) => {
    if (tag === undefined || !use.read) return undefined;
    const what = `No image to reuse in ${delivery.target.name}`;
    const { source } = delivery;
    const ask = async () => await (source.findManifest?.(tag) ?? source.manifest(tag));
    return await once(asked, delivery, () => attempt(ask, what, signal, task));
  };
  const write = async (bytes: Buffer, root: Descriptor, delivery: Delivery) => {
    if (tag === undefined || !use.write || delivery.kind !== 'registry') return;
    if ((await find(delivery))?.descriptor.digest === root.digest) return;
    const what = `The tag for reuse was not written to ${delivery.target.name}`;
    await attempt(() => delivery.target.putManifest(bytes, root.mediaType, [tag]), what, signal, task);
  };
  return {
    find,
    write: async (bytes, root, deliveries) => {
      await Promise.all(deliveries.map((delivery) => write(bytes, root, delivery)));
    },
  };
}

/** What a registry refuses is told and gone without; a run that was cancelled ends. */
async function attempt<T>(
  work: () => Promise<T>,
  what: string,
  signal: AbortSignal | undefined,
  task: Task,
): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Failure) || signal?.aborted) throw error;
    task.log(`${what}: ${error.message}`);
    return undefined;
  }
}
