import type { KubeObject } from '../../kubernetes/index.ts';
import type { Patience, WorkloadProgress } from '../outcome.ts';

/** The kinds that are watched to their end. */
export const WORKLOADS = ['Deployment', 'StatefulSet', 'DaemonSet', 'Job'] as const;

/** What is waited for: a workload as the API answered when it was applied, with its uid and generation. */
export type Target = KubeObject;

/** How a rollout is watched. */
export interface WatchOptions {
  readonly patience: Patience;
  /** Milliseconds for all targets together, after which those that are not complete fail with `deadline`. */
  readonly timeout: number;
  /** What was applied with the targets; pods may wait for what operators make of it. */
  readonly beside?: readonly KubeObject[];
  /** Aborted: the outcome is `unknown`. */
  readonly signal: AbortSignal;
  /** Called for each change of a workload's counts or state, and once at the start. */
  readonly onProgress: (workload: WorkloadProgress) => void;
  /** Called for each event and change worth a line: `pod web-6f… pulls image …`. */
  readonly onLine: (workload: WorkloadProgress['id'], line: string) => void;
}
