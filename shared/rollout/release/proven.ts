import { type Cluster, inOrder, type KubeObject } from '../../kubernetes/index.ts';
import { applyAll } from '../apply/apply.ts';
import type { AppliedObject } from '../apply/change.ts';
import { restored } from './held.ts';

/**
 * Applies objects of a proven revision again, with their values. Fields that others took in the meantime are taken back: they serve
 * what failed. Jobs stay as they are: an old migration is not run again.
 */
export async function applyProven(
  cluster: Cluster,
  held: readonly KubeObject[],
): Promise<readonly AppliedObject[]> {
  const objects = await restored(
    cluster,
    held.filter(({ kind }) => kind !== 'Job'),
  );
  const manifests = objects.map((object) => ({ object, locate: () => undefined }));
  return await applyAll(cluster, inOrder(manifests), {
    force: [{ kind: undefined, name: undefined, path: '*' }],
    // Not the user's: to be cancelled may be why this is done.
    signal: new AbortController().signal,
  });
}
