import type { KubeObject, ObjectId } from '../../kubernetes/index.ts';

/**
 * What a cluster knows of a release, kept in the ConfigMap `slipway.<release>` of its namespace. Everything is recomputed from it
 * and from the live objects by every run, so a run can be cut off anywhere. It is changed by compare-and-swap (resourceVersion)
 * alone, and only under the Lease of the same name. Data of Secrets is never in it: a Secret is held by the name of its generation.
 */
export interface ReleaseRecord {
  readonly release: string;
  readonly namespace: string;
  /** The last revision that was proven; undefined before the first. */
  readonly proven: Revision | undefined;
  /** What is being rolled out, or undone, or was when a run was cut off; undefined when nothing is. */
  readonly attempt: Attempt | undefined;
  /** Earlier proven revisions, newest first, without their objects. */
  readonly history: readonly Omit<Revision, 'objects'>[];
}

/** A set of objects that was applied as a whole. */
export interface Revision {
  /** Counts up from 1 in a release. */
  readonly number: number;
  /** sha256 over the objects: equal for equal intent. */
  readonly digest: string;
  /** The run that made it: its address, or user@host. */
  readonly run: string;
  /** RFC 3339. */
  readonly at: string;
  readonly images: readonly string[];
  /** What was applied, as it was sent; `adopted` where it was read from the cluster before the first run. */
  readonly objects: readonly KubeObject[];
  readonly adopted?: boolean | undefined;
}

export interface Attempt {
  readonly phase: 'applying' | 'watching' | 'checking' | 'undoing';
  readonly revision: Revision;
  /** Objects that were not there before it: an undo removes them. */
  readonly created: readonly ObjectId[];
  /** Why it is being undone. */
  readonly because?: string | undefined;
}
