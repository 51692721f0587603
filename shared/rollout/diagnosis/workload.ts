import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import { formatId } from '../../kubernetes/index.ts';
import type { Patience } from '../outcome.ts';
import { completionOf, isDeleted } from '../watch/completion.ts';
import type { Live, WorkloadState } from '../watch/model.ts';
import { takeOver } from '../watch/take-over.ts';
import { patienceOf } from './patience.ts';
import type { Symptom } from './symptom.ts';

/** What is wrong with a workload itself, whatever its pods do. */
export function workloadSymptoms(
  workload: WorkloadState,
  patience: Patience,
  unseen: readonly string[],
): Symptom[] {
  return [
    takenOver(workload),
    deletion(workload, patience),
    paused(workload, patience),
    jobFailed(workload, patience),
    progressDeadline(workload, patience, unseen),
  ].filter((symptom) => symptom !== undefined);
}

function takenOver(workload: WorkloadState): Symptom | undefined {
  const name = formatId(workload.id);
  const base = { code: 'superseded', object: workload.id, patience: 0 } as const;
  if (workload.live === undefined)
    return {
      ...base,
      message: `${name} is not there: somebody deleted it after it was applied.`,
      evidence: [`uid ${workload.target.metadata.uid ?? 'unknown'} is not listed`],
      next: 'Find out who deleted it, and run again.',
      // A list may be a moment older than what was applied.
      patience: 3000,
    };
  const taken = takeOver(workload);
  if (taken === undefined) return undefined;
  const by = taken.by ?? 'somebody';
  const { generation, uid } = workload.live.metadata;
  const what =
    taken.how === 'deleted'
      ? 'was deleted while it was rolled out'
      : taken.how === 'replaced'
        ? `was deleted and made anew by ${by} while it was rolled out`
        : `was given another pod template by ${by} while it was rolled out (generation ${generation}, and ${workload.target.metadata.generation} was applied)`;
  return {
    ...base,
    message: `${name} ${what}.`,
    evidence: [`generation ${generation}, uid ${uid}, last written by ${taken.by ?? 'unknown'}`],
    next: `Find out who works on ${name} beside this rollout, and run again.`,
  };
}

function deletion({ id, live }: WorkloadState, patience: Patience): Symptom | undefined {
  if (live === undefined || !isDeleted(live)) return undefined;
  const finalizers = live.metadata.finalizers ?? [];
  return {
    code: 'finalizer',
    object: id,
    message: `${formatId(id)} is being deleted${finalizers.length === 0 ? '' : `, and its finalizer ${finalizers.join(', ')} keeps it`}.`,
    evidence: [
      `deletionTimestamp ${live.metadata.deletionTimestamp}, finalizers ${finalizers.join(', ') || 'none'}`,
    ],
    next:
      finalizers.length === 0
        ? 'Run again when it is gone.'
        : `See to the controller that owns ${finalizers[0]}.`,
    patience: patienceOf(patience, 'finalizer', 3000),
  };
}

function paused({ id, live }: WorkloadState, patience: Patience): Symptom | undefined {
  const isPaused = live?.kind === 'Deployment' && (live as Live<Deployment>).spec?.paused === true;
  const isSuspended = live?.kind === 'Job' && (live as Live<Job>).spec?.suspend === true;
  if (!isPaused && !isSuspended) return undefined;
  return {
    code: 'paused',
    object: id,
    message: `${formatId(id)} is ${isPaused ? 'paused (spec.paused)' : 'suspended (spec.suspend)'} and makes no new pods.`,
    evidence: [isPaused ? 'spec.paused is true' : 'spec.suspend is true'],
    next: isPaused
      ? `Resume it (kubectl rollout resume deployment/${id.name}), or take paused out of the manifest.`
      : 'Take suspend out of the manifest, or let the queue that suspended it admit it.',
    patience: patienceOf(patience, 'paused'),
  };
}

function jobFailed({ id, live }: WorkloadState, patience: Patience): Symptom | undefined {
  if (live?.kind !== 'Job') return undefined;
  const { spec, status } = live as Live<Job>;
  // FailureTarget comes first and says the same, before the last pods have left.
  const failed = status?.conditions?.find(
    (one) => (one.type === 'Failed' || one.type === 'FailureTarget') && one.status === 'True',
  );
  if (failed === undefined) return undefined;
  const why =
    failed.reason === 'BackoffLimitExceeded'
      ? `its pods failed more often than its backoffLimit of ${spec?.backoffLimit ?? 6} lets them`
      : failed.reason === 'DeadlineExceeded'
        ? `it took longer than activeDeadlineSeconds (${spec?.activeDeadlineSeconds ?? 'unknown'})`
        : (failed.message ?? failed.reason ?? 'it does not say why').replace(/\.$/, '');
  return {
    code: 'job-failed',
    object: id,
    message: `${formatId(id)} failed: ${why}.`,
    evidence: [`${failed.reason ?? 'Failed'}: ${failed.message ?? ''}`],
    next: 'See why its pods failed.',
    patience: patienceOf(patience, 'job-failed'),
  };
}

interface Progressing {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
  readonly lastUpdateTime?: string;
}

const progressing = (object: unknown): Progressing | undefined =>
  (object as Live<Deployment>).status?.conditions?.find(({ type }) => type === 'Progressing');

/**
 * The Deployment’s own deadline. A way back to an older ReplicaSet keeps the condition of the rollout that failed until its first
 * step: only a condition that is newer than the apply counts.
 */
function progressDeadline(
  workload: WorkloadState,
  patience: Patience,
  unseen: readonly string[],
): Symptom | undefined {
  const { id, live, target } = workload;
  if (live?.kind !== 'Deployment' || completionOf(workload).kind === 'waiting') return undefined;
  const condition = progressing(live);
  if (condition?.status !== 'False' || condition.reason !== 'ProgressDeadlineExceeded') return undefined;
  const before = progressing(target);
  if (before?.reason === condition.reason && before.lastUpdateTime === condition.lastUpdateTime)
    return undefined;
  const seconds = (live as Live<Deployment>).spec?.progressDeadlineSeconds ?? 600;
  return {
    ...deadlineSymptom(workload, `made no progress within its progressDeadlineSeconds of ${seconds}`, unseen),
    object: id,
    patience: patienceOf(patience, 'deadline'),
  };
}

/** The end of the time that was given, in `words`, with what is still waited for and what could not be seen. */
export function deadlineSymptom(workload: WorkloadState, words: string, unseen: readonly string[]): Symptom {
  const completion = completionOf(workload);
  const waiting = completion.kind === 'waiting' || completion.kind === 'rolling' ? completion.for : '';
  const warnings = [...workload.notices.values()]
    .flatMap((notices) => [...notices.values()])
    .filter(({ type }) => type === 'Warning')
    .sort((a, b) => a.stamp - b.stamp)
    .map(({ reason, message, object }) => `${object.kind} ${object.name}: ${reason}: ${message}`);
  return {
    code: 'deadline',
    object: workload.id,
    message: `${formatId(workload.id)} ${words}${waiting === '' ? '' : `; it still waits for ${waiting}`}.`,
    evidence: [...new Set(warnings)].slice(-5).concat(unseen),
    next: `See what it waited for${waiting === '' ? '' : ` (${waiting})`}; give it more time only if it got on.`,
    patience: 0,
  };
}
