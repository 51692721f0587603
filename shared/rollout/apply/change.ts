import type { Location } from '../../host/index.ts';
import type { KubeObject, ObjectId } from '../../kubernetes/index.ts';

/** A field that an apply would change. Values of Secrets are never here: `secret` says equal or different. */
export interface FieldChange {
  /** `spec.template.spec.containers[name=app].image`. */
  readonly path: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly secret?: boolean | undefined;
  /** Of a text of several lines that changed: its unified diff, without file headers. */
  readonly lines?: readonly string[] | undefined;
}

/** What an apply would do to an object. */
export interface ObjectChange {
  readonly id: ObjectId;
  /** `unknown`: the token may not read the object. */
  readonly kind: 'create' | 'update' | 'same' | 'remove' | 'replace' | 'unknown';
  readonly fields: readonly FieldChange[];
  /** Whether the API server worked it out (`dry-run`, with defaults and admission) or we did from what can be read (`compared`). */
  readonly basis: 'dry-run' | 'compared';
  /** Fields that others own and that the apply would have to take. */
  readonly conflicts: readonly Conflict[];
}

/** A field that another field manager owns (server-side apply). */
export interface Conflict {
  readonly id: ObjectId;
  /** As the API names it: `.spec.replicas`, `.spec.template.spec.containers[name="app"].image`. */
  readonly field: string;
  /** `kubectl-client-side-apply`, `helm`, … */
  readonly manager: string;
  /** Where the user's files set the field. */
  readonly location?: Location | undefined;
}

/** An object after its apply. */
export interface AppliedObject {
  readonly id: ObjectId;
  /** `replaced`: deleted and made anew, because a field that cannot change did and `slipway.dev/replace` allows it. */
  readonly result: 'created' | 'changed' | 'unchanged' | 'replaced' | 'removed';
  /** As the API answered; undefined for `removed`. */
  readonly object: KubeObject | undefined;
}
