import { idOf, type KubeObject } from '../kubernetes/index.ts';
import type { Cause } from './outcome.ts';
import { isWorkload } from './release/name.ts';

/** What a check of the service says after a rollout: only `pass` proves a revision. */
export interface CheckVerdict {
  readonly kind: 'pass' | 'fail' | 'unknown';
  readonly check: string;
  readonly message: string;
  readonly evidence: readonly string[];
}

/** A check that did not pass, as the cause of a failed rollout. */
export function causeOfCheck(verdict: CheckVerdict, objects: readonly KubeObject[]): Cause {
  const workload = idOf(objects.find(isWorkload) ?? objects[0]!);
  return {
    code: 'check-failed',
    workload,
    object: workload,
    message: `${verdict.check}: ${verdict.message}`,
    evidence: verdict.evidence,
    next: 'Look at what the check was answered, and at the logs of the pods that answered it.',
    since: Date.now(),
    pods: 0,
  };
}
