import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Failure, type Host, type Inputs } from '../../shared/host/index.ts';
import type { Delivery } from '../../shared/image/index.ts';
import {
  formatReference,
  type Layout,
  openLayout,
  parseReference,
  type Reference,
  type RegistryClient,
  registrySource,
  registryTarget,
} from '../../shared/oci/index.ts';
import type { definition } from './definition.ts';
import type { Output } from './outputs.ts';

/** Where the image goes. */
export interface Places {
  readonly deliveries: readonly Delivery[];
  /** All names of the image, as they were given. */
  readonly names: readonly string[];
  /** A layout that has the image on this machine, for what is exported from it; undefined when it only goes to registries. */
  readonly local: Layout | undefined;
  /** Absolute path of the layout that was asked for, or is the default. */
  readonly layout: string | undefined;
}

const DEFAULT_LAYOUT = '.slipway/images';

export async function openDeliveries(
  host: Host,
  client: RegistryClient,
  inputs: Inputs<typeof definition>,
  outputs: readonly Output[],
  spareLayout: boolean,
): Promise<Places> {
  const pushed = pushedNames(inputs, readNames(inputs.tags), outputs);
  const registries = byRepository(pushed, client);
  const local = inputs.load || outputs.some(({ type }) => type !== 'push');
  const asked = inputs.layout !== '' || (registries.length === 0 && !local);
  const directory = asked
    ? resolve(host.workspace, inputs.layout || DEFAULT_LAYOUT)
    : join(host.temporary, 'layout');
  const layout =
    asked || local
      ? await openLayout(directory, asked ? inputs.layout || DEFAULT_LAYOUT : 'a temporary layout')
      : undefined;
  const tags = inputs.tags.length === 0 ? ['latest'] : inputs.tags;
  const spare = spareLayout && !local;
  const first: Delivery[] = layout === undefined ? [] : [{ kind: 'layout', target: layout, tags, spare }];
  return {
    deliveries: [...first, ...registries],
    names: inputs.tags,
    local: layout,
    layout: asked ? directory : undefined,
  };
}

/** The places of delivery that may have the image already; none is made. */
export async function existingPlaces(
  host: Host,
  client: RegistryClient,
  inputs: Inputs<typeof definition>,
  outputs: readonly Output[],
): Promise<readonly Delivery[]> {
  const registries = byRepository(pushedNames(inputs, readNames(inputs.tags), outputs), client);
  const directory = resolve(host.workspace, inputs.layout || DEFAULT_LAYOUT);
  if ((inputs.layout === '' && registries.length > 0) || !existsSync(join(directory, 'index.json')))
    return registries;
  const layout = await openLayout(directory, inputs.layout || DEFAULT_LAYOUT);
  return [{ kind: 'layout', target: layout, tags: [] }, ...registries];
}

/** Reads the names that an image is to have; a wrong one is a Failure, best known before anything is built. */
export function readNames(tags: readonly string[]): Reference[] {
  return tags.map(checked);
}

function checked(tag: string): Reference {
  const reference = parseReference(tag);
  if (reference.digest !== undefined)
    throw new Failure(
      `Input "tags" has "${tag}"; a name to be given cannot hold a digest, which follows from the image.`,
    );
  return reference;
}

function pushedNames(
  inputs: Inputs<typeof definition>,
  names: readonly Reference[],
  outputs: readonly Output[],
): Reference[] {
  const pushes = outputs.filter((output) => output.type === 'push');
  if (!inputs.push && pushes.length === 0) return [];
  const own = pushes.flatMap((output) => output.names.map(checked));
  const all = inputs.push || own.length === 0 ? [...names, ...own] : own;
  if (all.length === 0)
    throw new Failure(
      'Input "push" is true and "tags" names no place; give at least one, such as ghcr.io/org/app:1.2.',
    );
  return all;
}

function byRepository(references: readonly Reference[], client: RegistryClient): Delivery[] {
  const groups = new Map<string, { reference: Reference; tags: string[] }>();
  for (const reference of references) {
    const { registry, repository, tag = 'latest' } = reference;
    const key = formatReference({ registry, repository });
    const group = groups.get(key) ?? { reference, tags: [] };
    groups.set(key, group);
    if (!group.tags.includes(tag)) group.tags.push(tag);
  }
  return [...groups.values()].map(({ reference, tags }) => ({
    kind: 'registry',
    target: registryTarget(client, reference),
    source: registrySource(client, reference),
    tags,
  }));
}
