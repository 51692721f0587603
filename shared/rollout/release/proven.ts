import { type Cluster, idOf, inOrder, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import { applyAll } from '../apply/apply.ts';
import type { AppliedObject } from '../apply/change.ts';
import { mayReplace } from '../apply/declared.ts';
import { restored } from './held.ts';
import type { Attempt } from './record.ts';

/**
 * Applies objects of a proven revision again, with their values. Fields that others took in the meantime are taken back: they serve
 * what failed. An object that the attempt was allowed to make anew is made anew again, where it cannot be changed back. Jobs stay as they
 * are: an old migration is not run again.
 */
export async function applyProven(
  cluster: Cluster,
  held: readonly KubeObject[],
  attempt: Pick<Attempt, 'revision'>,
): Promise<readonly AppliedObject[]> {
  const objects = await restored(
    cluster,
    held.filter(({ kind }) => kind !== 'Job'),
  );
  const manifests = objects.map((object) => ({ object, locate: () => undefined }));
  const replaced = new Set(attempt.revision.objects.filter(mayReplace).map((object) => keyOf(idOf(object))));
  return await applyAll(cluster, inOrder(manifests), {
    replace: (object) => replaced.has(keyOf(idOf(object))),
    force: [{ kind: undefined, name: undefined, path: '*' }],
    // Not the user's: to be cancelled may be why this is done.
    signal: new AbortController().signal,
  });
}
