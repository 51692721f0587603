import type { KubeObject, ObjectId } from '../../kubernetes/index.ts';

/**
 * What a cluster knows of a release, kept in the ConfigMap `slipway.<release>` of its namespace. Everything is recomputed from it
 * and from the live objects by every run, so a run can be cut off anywhere. It is changed by compare-and-swap (resourceVersion)
 * alone, and only under the Lease of the same name. ConfigMaps and Secrets are in it by the name of their generation, without
 * their data (held.ts).
 */
export interface ReleaseRecord {
  readonly release: string;
  readonly namespace: string;
  /** The last revision that was proven; undefined before the first. */
  readonly proven: Revision | undefined;
  /** What is being rolled out, or undone, or was when a run was cut off; undefined when nothing is. */
  readonly attempt: Attempt | undefined;
  /** Earlier proven revisions, newest first, without their objects. */
  readonly history: readonly PastRevision[];
  /** Objects that an earlier revision had and a later one does not, and that were not pruned. */
  readonly dropped: readonly ObjectId[];
}

export type PastRevision = Omit<Revision, 'objects'>;

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
  /** Kept copies of ConfigMaps and Secrets that it needs. */
  readonly generations: readonly ObjectId[];
  /** What was applied, as it was sent; `adopted` where it was read from the cluster before the first run. */
  readonly objects: readonly KubeObject[];
  readonly adopted?: boolean | undefined;
}

/** A revision that is being rolled out or undone, with what the way back needs. */
export interface Attempt {
  /** `failed`: it stays in the cluster as it is, because there was nothing to go back to or no undo was wanted. */
  readonly phase: 'applying' | 'watching' | 'checking' | 'undoing' | 'failed';
  readonly revision: Revision;
  /** Objects that were not there before it: an undo removes them. */
  readonly created: readonly ObjectId[];
  /** Objects that it found and that no revision had: an undo sets them back and lets go of them, and they are never pruned. */
  readonly adopted?: readonly ObjectId[] | undefined;
  /** Why it is being undone, or failed. */
  readonly because?: string | undefined;
}

/** Names of what Slipway writes on objects. */
export const RELEASE = 'slipway.dev/release';

/** The name of the ConfigMap and of the Lease of a release. */
export const recordName = (release: string): string => `slipway.${release}`;

/** The name of the Lease under which the workloads of a namespace are taken into a release for the first time. */
export const CLAIM = 'slipway';

/** The number that the next revision gets. */
export const nextNumber = ({ proven, history }: ReleaseRecord): number =>
  1 + Math.max(0, proven?.number ?? 0, ...history.map(({ number }) => number));

/** What is known of a release that has never been rolled out. */
export const emptyRecord = (release: string, namespace: string): ReleaseRecord => ({
  release,
  namespace,
  proven: undefined,
  attempt: undefined,
  history: [],
  dropped: [],
});
