import { Key, type KeyPart, nameToBytes } from '../../content/index.ts';
import type { ImageConfig } from '../../oci/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { LayerMember } from '../files/layer.ts';
import { instructionOf } from '../names.ts';
import type { ImageRequest } from '../request.ts';
import type { AssembledStage } from '../workbench.ts';

/** Raised whenever the same plan would make other bytes than before. */
const EXECUTOR = 2;

/** What an image for one platform is made of: its base, the members of each layer of its own, and its configuration. */
export async function platformKeyParts(
  stage: AssembledStage,
  config: ImageConfig,
  digests: ContentDigests,
): Promise<KeyPart> {
  const layers: Record<string, KeyPart> = {};
  for (const [index, { step, members }] of stage.layers.entries()) {
    const instruction = instructionOf(step);
    layers[`${index + 1} ${instruction}`] = await layerKeyPart(members, digests);
  }
  return {
    base: stage.base?.descriptor.digest ?? 'scratch',
    layers,
    configuration: plain(config),
  };
}

/** The members of a layer by path: everything about them that ends up in the archive, but not the time, which the request says. */
export async function layerKeyPart(
  members: readonly LayerMember[],
  digests: ContentDigests,
): Promise<KeyPart> {
  const parts: Record<string, KeyPart> = {};
  for (const { entry, file } of members) {
    const { type, mode, uid, gid, linkname, xattrs } = entry;
    const own = [type, mode.toString(8), `${uid}:${gid}`];
    if (linkname !== undefined) own.push(linkname);
    if (file !== undefined) own.push(digests.name(file));
    for (const [name, value] of Object.entries(xattrs ?? {}).sort())
      own.push(name, Buffer.from(value).toString('base64'));
    parts[printable(entry.name)] = own.join(' ');
  }
  return parts;
}

/** Names that are not UTF-8 must not fall together when they are encoded. */
function printable(name: string): string {
  return /[\udc80-\udcff]/.test(name) ? `base64:${nameToBytes(name).toString('base64')}` : name;
}

function plain(config: ImageConfig): KeyPart {
  return JSON.parse(JSON.stringify(config)) as KeyPart;
}

export function imageKey(request: ImageRequest, platforms: Readonly<Record<string, KeyPart>>): Key {
  return Key.of({
    executor: EXECUTOR,
    platforms,
    annotations: request.annotations.map(({ kind, platform, key, value }) =>
      plainAnnotation(kind, platform, key, value),
    ),
    epoch: request.epoch,
    compression: request.compression,
    level: request.level ?? null,
    mediaTypes: request.mediaTypes,
  });
}

function plainAnnotation(kind: string, platform: object | undefined, key: string, value: string): KeyPart {
  return { kind, platform: platform === undefined ? null : { ...platform }, key, value };
}
