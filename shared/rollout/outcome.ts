import type { ObjectId } from '../kubernetes/index.ts';

/**
 * Why a rollout does not come to its end. Each has a patience of its own: how long it may show before it is a verdict, because
 * some heal by themselves (a registry that is restarted, a node that is being added) and some never do (a tag that is not there).
 */
export const CAUSES = [
  'image-not-found',
  'image-unauthorized',
  'registry-unreachable',
  'image-platform',
  'image-invalid',
  'command-failed',
  'crash',
  'oom-killed',
  'config-missing',
  'volume-not-mounted',
  'unschedulable',
  'quota',
  'admission',
  'startup',
  'readiness',
  'liveness',
  'init-failed',
  'init-stuck',
  'disruption-budget',
  'finalizer',
  'evicted',
  'node-lost',
  'job-failed',
  'paused',
  'superseded',
  'check-failed',
  'deadline',
] as const;
/** One of the CAUSES. */
export type CauseCode = (typeof CAUSES)[number];

/** A named cause with what proves it. */
export interface Cause {
  readonly code: CauseCode;
  /** The workload that does not get ready because of it. */
  readonly workload: ObjectId;
  /** The object that shows it: a pod, a ReplicaSet, the workload itself. */
  readonly object: ObjectId;
  readonly container?: string | undefined;
  /** One sentence: `Container app of pod web-6f… was killed for using more than its limit of 32Mi.` */
  readonly message: string;
  /** Lines as the cluster said them: status messages, events, the last lines of a log. Secrets are masked at the door. */
  readonly evidence: readonly string[];
  /** What to do next, one sentence. */
  readonly next: string;
  /** Milliseconds since 1970 at which it was first seen. */
  readonly since: number;
  /** How many pods show it. */
  readonly pods: number;
}

/** How long each cause may show before it is a verdict, in milliseconds. */
export type Patience = Readonly<Record<CauseCode, number>>;

/** How the watching of a rollout ended. Only `complete` is a pass; what could not be seen to its end is `unknown`. */
export type Outcome =
  | { readonly kind: 'complete' }
  | { readonly kind: 'failed'; readonly causes: readonly [Cause, ...Cause[]] }
  | { readonly kind: 'unknown'; readonly because: string };

/** One workload while it rolls: the counts of its own revision, not of older ones. */
export interface WorkloadProgress {
  readonly id: ObjectId;
  readonly state: 'waiting' | 'rolling' | 'complete' | 'failed';
  /** Pods that are wanted: replicas, nodes of a DaemonSet, completions of a Job. */
  readonly wanted: number;
  readonly updated: number;
  readonly ready: number;
  readonly available: number;
  /** Pods of any revision that are missing from what should be available now. */
  readonly unavailable: number;
  /** `deployment.kubernetes.io/revision`, or the name of the ControllerRevision; undefined until it is known. */
  readonly revision: string | undefined;
  /** What it is waiting for, in a few words: `2 of 3 pods ready`. */
  readonly waitingFor: string;
}

/** What a pod was doing from one moment to the next (milliseconds since 1970). */
export interface PodSpan {
  readonly phase:
    | 'pending'
    | 'pulling'
    | 'init'
    | 'starting'
    | 'running'
    | 'ready'
    | 'failing'
    | 'terminating'
    | 'succeeded';
  readonly from: number;
  /** undefined while it lasts. */
  readonly to: number | undefined;
  /** `CrashLoopBackOff`, `ErrImagePull`, … where there is a word for it. */
  readonly detail?: string | undefined;
}

/** A pod's way through a rollout, for the picture in the summary. */
export interface PodTimeline {
  readonly name: string;
  readonly workload: ObjectId;
  /** Whether it belongs to the revision that is rolled out. */
  readonly revision: 'new' | 'old';
  readonly node: string | undefined;
  readonly restarts: number;
  readonly spans: readonly PodSpan[];
}

/** All that was seen of a rollout, for reports. */
export interface Observation {
  readonly outcome: Outcome;
  readonly workloads: readonly WorkloadProgress[];
  readonly pods: readonly PodTimeline[];
  readonly started: number;
  readonly ended: number;
}
