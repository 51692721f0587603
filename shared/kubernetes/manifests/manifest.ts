import type { Location } from '../../host/index.ts';
import type { KubeObject } from '../objects.ts';

/** Steps into an object: field names and indexes. */
export type FieldPath = readonly (string | number)[];

/** A key that stands more than once in one mapping, and where it stands again. */
export interface RepeatedKey {
  readonly key: string;
  readonly location: Location;
}

/** An object that the user wrote, and where each of its fields is written. */
export interface Manifest {
  readonly object: KubeObject;
  /**
   * The place of a field, or of the nearest field around it that is written. For objects that a kustomization rendered: of the
   * object's own name in the kustomization's files where it can be found, else undefined.
   */
  readonly locate: (path: FieldPath) => Location | undefined;
  /** Keys of which only the last one counts; none where it was not read from a file. */
  readonly repeated?: readonly RepeatedKey[] | undefined;
}

/** `spec.template.spec.containers[0].image`, as kubectl writes paths. */
export const formatPath = (path: FieldPath): string =>
  path.reduce<string>((text, step) => {
    if (typeof step === 'number') return `${text}[${step}]`;
    if (/^[\w-]+$/.test(step)) return text === '' ? step : `${text}.${step}`;
    return `${text}[${JSON.stringify(step)}]`;
  }, '');
