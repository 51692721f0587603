import {
  type ApiError,
  idOf,
  type KubeObject,
  type Manifest,
  ownedFields,
  pathOfSteps,
} from '../../kubernetes/index.ts';
import type { Conflict } from './change.ts';
import { type ForcePattern, isForced, stepsOf } from './force.ts';

/** A conflict, with the subresource through which its owner wrote. */
export interface OwnedConflict extends Conflict {
  readonly subresource: string | undefined;
}

/** The fields that others own, of the API server's answer to an apply; empty for an answer of another kind. */
export function conflictsOf(object: KubeObject, error: ApiError): readonly OwnedConflict[] {
  if (error.status !== 409) return [];
  return error.causes.flatMap(({ reason, field, message = '' }) => {
    if (reason !== 'FieldManagerConflict' || field === undefined) return [];
    const owner = /^conflict with ("(?:[^"\\]|\\.)*")(?: with subresource "([^"]*)")?/.exec(message);
    const manager = owner === null ? message : (JSON.parse(owner[1]!) as string);
    return [{ id: idOf(object), field, manager, subresource: owner?.[2] }];
  });
}

/**
 * The conflicts that nobody allowed to be taken. Replicas that an autoscaler wrote are free once it no longer scales the workload,
 * and so is what was there before the API server knew owners.
 */
export function unforced(
  conflicts: readonly OwnedConflict[],
  given: {
    readonly manifest: Manifest;
    readonly live: KubeObject | undefined;
    readonly force: readonly ForcePattern[];
    readonly scaled: boolean;
  },
): readonly Conflict[] {
  const fields = ownedFields(given.live ?? NOTHING);
  const steps = ({ field }: Conflict) => stepsOf(field, fields);
  const leftByAutoscaler = ({ field, manager, subresource }: OwnedConflict): boolean =>
    !given.scaled &&
    field === '.spec.replicas' &&
    manager === 'kube-controller-manager' &&
    subresource === 'scale';
  return conflicts
    .filter((conflict) => conflict.manager !== 'before-first-apply' && !leftByAutoscaler(conflict))
    .filter((conflict) => !isForced(given.force, conflict, steps(conflict)))
    .map((conflict) => ({
      id: conflict.id,
      field: conflict.field,
      manager: conflict.manager,
      location: given.manifest.locate(pathOfSteps(given.manifest.object, steps(conflict) ?? [])),
    }));
}

const NOTHING: KubeObject = { apiVersion: '', kind: '', metadata: { name: '' } };
