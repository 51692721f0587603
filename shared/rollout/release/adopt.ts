import { idOf, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import { intentOf } from '../apply/intent.ts';
import type { Live } from '../apply/live.ts';
import { isWorkload, withRelease } from './name.ts';
import { without } from './objects.ts';
import type { ReleaseRecord } from './record.ts';

/**
 * What an attempt will touch for the first time, as it is now: the objects that are in the cluster and in no revision of the
 * release, with what people and their tools want of them. With these an undo goes back to exactly what served before, whoever
 * applied it. Workloads of which none runs already are nothing to go back to.
 */
export function adopted(
  objects: readonly KubeObject[],
  live: Live,
  { proven, attempt, release }: ReleaseRecord,
): readonly KubeObject[] {
  const known = [...(proven?.objects ?? []).map(idOf), ...(attempt?.created ?? [])].map(keyOf);
  const found = without(objects, known, (object) => keyOf(idOf(object))).flatMap(
    (object) => live.get(keyOf(idOf(object))) ?? [],
  );
  if (proven === undefined && objects.some(isWorkload) && !found.some(isWorkload)) return [];
  return withRelease(found.map(intentOf), release);
}
