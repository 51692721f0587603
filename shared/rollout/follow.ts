import type { ObjectId } from '../kubernetes/index.ts';
import type { WorkloadProgress } from './outcome.ts';

/** Where a run is. */
export type Phase = 'waiting' | 'applying' | 'watching' | 'checking' | 'undoing';

/** Who follows a run. */
export interface Follow {
  /** Aborted when the user cancels: an undo is begun at once then, with calls that this signal does not stop. */
  readonly signal: AbortSignal;
  readonly onPhase: (phase: Phase, sentence: string) => void;
  readonly onProgress: (workload: WorkloadProgress) => void;
  /** A line about an object, or about the run as a whole. */
  readonly onLine: (id: ObjectId | undefined, line: string) => void;
}
