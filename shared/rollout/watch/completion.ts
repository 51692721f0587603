import type { DaemonSet, Deployment, StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { KubeObject } from '../../kubernetes/index.ts';
import type { WorkloadProgress } from '../outcome.ts';
import type { Live, PodState, WorkloadState } from './model.ts';
import { conditionOf } from './phase.ts';
import { belongsToRevision, newReplicaSet, revisionOf } from './revision.ts';
import { steadyAt } from './steady.ts';
import { takeOver } from './take-over.ts';

/** How far a workload is. `never`: its end cannot be seen, because nothing rolls it. */
export type Completion =
  | { readonly kind: 'complete' }
  | { readonly kind: 'waiting' | 'rolling'; readonly for: string }
  | { readonly kind: 'never'; readonly because: string };

type Counts = Pick<WorkloadProgress, 'wanted' | 'updated' | 'ready' | 'available' | 'unavailable'>;

const COMPLETE: Completion = { kind: 'complete' };
const rolling = (text: string): Completion => ({ kind: 'rolling', for: text });

/** Whether the revision that is rolled out, and no other, is what the workload runs: the conditions in the order of kubectl’s. */
export function completionOf(workload: WorkloadState): Completion {
  const { live, target } = workload;
  if (live === undefined) return { kind: 'waiting', for: 'the cluster to tell of it' };
  const generation = Math.max(target.metadata.generation ?? 1, live.metadata.generation ?? 1);
  const observed = (live.status as { observedGeneration?: number } | undefined)?.observedGeneration;
  if ((live.metadata.generation ?? 1) < (target.metadata.generation ?? 1))
    return { kind: 'waiting', for: 'the cluster to tell of the new generation' };
  if (live.kind !== 'Job' && (observed ?? 0) < generation)
    return { kind: 'waiting', for: 'its controller to see the new generation' };
  // A take-over by somebody else ends in a failure; it never completes what was asked for here.
  if (takeOver(workload) !== undefined) return rolling('the revision that was asked for');
  switch (live.kind) {
    case 'Deployment':
      return deployment(live as Live<Deployment>);
    case 'StatefulSet':
      return statefulSet(live as Live<StatefulSet>);
    case 'DaemonSet':
      return daemonSet(live as Live<DaemonSet>);
    default:
      return job(live as Live<Job>);
  }
}

function deployment({ spec, status = {} }: Live<Deployment>): Completion {
  const wanted = spec?.replicas ?? 1;
  const { updatedReplicas = 0, replicas = 0, availableReplicas = 0 } = status;
  if (updatedReplicas < wanted) return rolling(`${updatedReplicas} of ${wanted} pods updated`);
  if (replicas > updatedReplicas) return rolling(`${plural(replicas - updatedReplicas, 'old pod')} to leave`);
  if (availableReplicas < updatedReplicas) return rolling(`${availableReplicas} of ${wanted} pods available`);
  return COMPLETE;
}

function statefulSet({ spec, status }: Live<StatefulSet>): Completion {
  const wanted = spec?.replicas ?? 1;
  const { updatedReplicas = 0, replicas = 0, readyReplicas = 0 } = status ?? {};
  const available = status?.availableReplicas ?? readyReplicas;
  const same = status?.updateRevision === status?.currentRevision;
  if (spec?.updateStrategy?.type === 'OnDelete' && !same && updatedReplicas < replicas)
    return { kind: 'never', because: onDelete('StatefulSet', replicas - updatedReplicas) };
  const partition = spec?.updateStrategy?.rollingUpdate?.partition ?? 0;
  const updating = Math.max(0, wanted - partition);
  // While nothing is new, updatedReplicas counts the pods of the one revision.
  if (updatedReplicas < updating) return rolling(`${updatedReplicas} of ${updating} pods updated`);
  if (readyReplicas < wanted) return rolling(`${readyReplicas} of ${wanted} pods ready`);
  if (available < wanted) return rolling(`${available} of ${wanted} pods available`);
  if (replicas > wanted) return rolling(`${plural(replicas - wanted, 'pod')} to leave`);
  if (partition === 0 && !same && spec?.updateStrategy?.type !== 'OnDelete')
    return rolling('its controller to take the new revision as the current one');
  return COMPLETE;
}

function daemonSet({ spec, status }: Live<DaemonSet>): Completion {
  const wanted = status?.desiredNumberScheduled ?? 0;
  const { updatedNumberScheduled: updated = 0, numberAvailable: available = 0 } = status ?? {};
  const there = status?.currentNumberScheduled ?? 0;
  if (spec?.updateStrategy?.type === 'OnDelete' && updated < there)
    return { kind: 'never', because: onDelete('DaemonSet', there - updated) };
  if (updated < wanted) return rolling(`${updated} of ${wanted} pods updated`);
  if (available < wanted) return rolling(`${available} of ${wanted} pods available`);
  if ((status?.numberUnavailable ?? 0) > 0)
    return rolling(`${plural(status!.numberUnavailable!, 'pod')} unavailable`);
  return COMPLETE;
}

function job({ spec, status = {} }: Live<Job>): Completion {
  if (status.conditions?.some(({ type, status }) => type === 'Complete' && status === 'True'))
    return COMPLETE;
  return rolling(`${status.succeeded ?? 0} of ${completionsOf(spec)} pods to end well`);
}

const onDelete = (kind: string, old: number): string =>
  `its updateStrategy is OnDelete: the ${kind} runs ${plural(old, 'pod')} of another revision until somebody deletes ${old === 1 ? 'it' : 'them'}`;

const completionsOf = (spec: Job['spec']): number => spec?.completions ?? spec?.parallelism ?? 1;

/** The counts of a workload’s own revision, as its row in the table shows them. */
export function progressOf(workload: WorkloadState, failed: boolean, now: number): WorkloadProgress {
  const counted = completionOf(workload);
  const steady = steadyAt(workload) ?? 0;
  const doubt =
    steady === Number.POSITIVE_INFINITY
      ? 'its pods to be ready'
      : 'its pods, which have no readiness probe, to stay up';
  const completion = counted.kind === 'complete' && steady > now ? rolling(doubt) : counted;
  const state = failed ? 'failed' : completion.kind === 'never' ? 'rolling' : completion.kind;
  return {
    id: workload.id,
    state,
    ...countsOf(workload),
    revision: revisionOf(workload),
    waitingFor:
      completion.kind === 'complete' ? '' : completion.kind === 'never' ? completion.because : completion.for,
  };
}

function countsOf(workload: WorkloadState): Counts {
  const object = workload.live ?? workload.target;
  switch (object.kind) {
    case 'Deployment': {
      const { spec, status } = object as Live<Deployment>;
      const wanted = spec?.replicas ?? 1;
      const own = newReplicaSet(workload)?.status;
      return {
        wanted,
        updated: status?.updatedReplicas ?? 0,
        ready: own?.readyReplicas ?? 0,
        available: own?.availableReplicas ?? 0,
        unavailable: Math.max(0, wanted - (status?.availableReplicas ?? 0)),
      };
    }
    case 'StatefulSet': {
      const { spec, status } = object as Live<StatefulSet>;
      const wanted = spec?.replicas ?? 1;
      const updated = status?.updatedReplicas ?? 0;
      const ready = readyPods(workload, Math.min(updated, status?.readyReplicas ?? 0));
      const available = status?.availableReplicas ?? status?.readyReplicas ?? 0;
      return {
        wanted,
        updated,
        ready,
        available: Math.min(ready, available),
        unavailable: Math.max(0, wanted - available),
      };
    }
    case 'DaemonSet': {
      const status = (object as Live<DaemonSet>).status;
      const updated = status?.updatedNumberScheduled ?? 0;
      const ready = readyPods(workload, Math.min(updated, status?.numberReady ?? 0));
      return {
        wanted: status?.desiredNumberScheduled ?? 0,
        updated,
        ready,
        available: Math.min(ready, status?.numberAvailable ?? 0),
        unavailable: status?.numberUnavailable ?? 0,
      };
    }
    default: {
      const { spec, status } = object as Live<Job>;
      const wanted = completionsOf(spec);
      const succeeded = status?.succeeded ?? 0;
      const ready = (status?.ready ?? 0) + succeeded;
      const updated = (status?.active ?? 0) + succeeded;
      return { wanted, updated, ready, available: succeeded, unavailable: Math.max(0, wanted - succeeded) };
    }
  }
}

/** Ready pods of the new revision; `unseen` where the token may not see pods. */
function readyPods(workload: WorkloadState, unseen: number): number {
  if (workload.pods.size === 0) return unseen;
  const ours = belongsToRevision(workload);
  return [...workload.pods.values()].filter((one) => ours(one) && isReady(one)).length;
}

/** Whether a pod serves: ready, and not on its way out. */
export const isReady = ({ pod }: PodState): boolean =>
  pod.metadata.deletionTimestamp === undefined && conditionOf(pod, 'Ready')?.status === 'True';

export const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

/** Whether an object is on its way out. */
export const isDeleted = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;
