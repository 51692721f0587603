import { type KeyPart, nameToBytes } from '../../content/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { LayerMember } from '../files/layer.ts';

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
