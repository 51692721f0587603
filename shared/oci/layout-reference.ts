import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../host/index.ts';
import { openLayout } from './layout.ts';
import { type ResolvedImage, resolveFrom } from './source.ts';
import type { Platform } from './types.ts';

const SCHEME = 'oci-layout://';

/** Whether a reference names an image in a layout on disk, as buildx writes it: `oci-layout://PATH[:TAG][@DIGEST]`. */
export function isLayoutReference(reference: string): boolean {
  return reference.startsWith(SCHEME);
}

/** Finds the image for a platform in the layout that a reference names; without tag and digest, the one tagged `latest`. */
export async function resolveLayoutImage(reference: string, platform: Platform): Promise<ResolvedImage> {
  const match = /^(.+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(
    reference.slice(SCHEME.length),
  );
  const [, path, tag = 'latest', digest] = match ?? [];
  if (path === undefined || !existsSync(join(path, 'oci-layout')))
    throw new Failure(
      `"${reference}" names no OCI image layout; accepted is oci-layout://FOLDER[:TAG][@DIGEST], with a folder that has the file oci-layout.`,
    );
  return await resolveFrom(await openLayout(path), digest ?? tag, platform);
}
