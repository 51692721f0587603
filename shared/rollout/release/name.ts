import { Failure } from '../../host/index.ts';
import { formatId, idOf, type KubeObject, keyOf } from '../../kubernetes/index.ts';
import { WORKLOADS } from '../watch/target.ts';
import { RELEASE } from './record.ts';

/** Whether it is of a kind that is rolled out and watched to its end. */
export const isWorkload = ({ kind }: { readonly kind: string }): boolean =>
  (WORKLOADS as readonly string[]).includes(kind);

/**
 * The name under which the cluster remembers these objects: the one that was given, else the one that the live workloads carry,
 * else the name of the first workload. A workload that carries another release's name is refused: two releases that share one
 * would undo each other.
 */
export function releaseName(
  objects: readonly KubeObject[],
  live: ReadonlyMap<string, KubeObject>,
  given: string | undefined,
): string {
  const workloads = objects.filter(isWorkload);
  const carried = workloads.flatMap((object) => {
    const release = live.get(keyOf(idOf(object)))?.metadata.annotations?.[RELEASE];
    return release === undefined ? [] : [{ release, who: formatId(idOf(object)) }];
  });
  const release = given ?? carried[0]?.release ?? workloads[0]?.metadata.name;
  if (release === undefined)
    throw new Failure(
      'No Deployment, StatefulSet, DaemonSet or Job is among the manifests to name the release after; give it a name with release.',
    );
  const other = carried.find((one) => one.release !== release);
  if (other !== undefined) throw refused(release, other, given !== undefined);
  return checked(release);
}

/** The objects with the release's name on every workload (on itself, not on its pods: nothing rolls for it). */
export const withRelease = (objects: readonly KubeObject[], release: string): readonly KubeObject[] =>
  objects.map((object) =>
    isWorkload(object)
      ? {
          ...object,
          metadata: {
            ...object.metadata,
            annotations: { ...object.metadata.annotations, [RELEASE]: release },
          },
        }
      : object,
  );

function refused(
  release: string,
  { release: theirs, who }: { release: string; who: string },
  given: boolean,
): Failure {
  const mend = given
    ? `give release: ${theirs}`
    : 'roll the objects of each release out by themselves, or name the one that all of them belong to with release';
  return new Failure(
    `${who} belongs to release ${theirs} and not to ${release}; ${mend}, or remove its annotation ${RELEASE} to move it.`,
  );
}

/** It is part of names of objects and the value of a label. */
function checked(release: string): string {
  if (release.length <= 63 && /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(release) && !release.includes('..'))
    return release;
  throw new Failure(
    `release "${release}" is not accepted: at most 63 lower-case letters, digits, - and ., with a letter or digit at both ends.`,
  );
}
