import type { StatefulSet } from 'kubernetes-types/apps/v1.d.ts';
import type { Live, WorkloadState } from '../watch/model.ts';
import { conditionOf } from '../watch/phase.ts';
import { patienceOf } from './patience.ts';
import { lastNotice, type PodView, type Symptom } from './symptom.ts';

/** Pods that their node put out. `times`: how many pods of the workload's new revision were. */
export function evictionSymptom({ state, patience }: PodView, times: number): Symptom | undefined {
  const { status, spec } = state.pod;
  if (status?.phase !== 'Failed' || status.reason !== 'Evicted') return undefined;
  return {
    code: 'evicted',
    object: state.id,
    message: `Pod ${state.id.name} was evicted from node ${spec?.nodeName ?? ''}: ${(status.message ?? 'the node is short of something').trim().replace(/\.$/, '')}.`,
    evidence: [status.message ?? 'Evicted'],
    next: 'State requests that are true (above all for memory and ephemeral-storage), or give the nodes more.',
    patience: patienceOf(patience, 'evicted', times > 1 ? 3000 : undefined),
  };
}

/** Pods whose node does not answer. */
export function nodeSymptom(view: PodView): Symptom | undefined {
  const { state, patience } = view;
  const { status, spec } = state.pod;
  const lost = status?.reason === 'NodeLost' || status?.reason === 'NodeAffinity';
  const silent = lastNotice(view, /^NodeNotReady$/);
  const target = conditionOf(state.pod, 'DisruptionTarget');
  const tainted = target?.status === 'True' && target.reason === 'DeletionByTaintManager';
  const isReady = conditionOf(state.pod, 'Ready')?.status === 'True';
  if (isReady || !(lost || tainted || silent !== undefined)) return undefined;
  return {
    code: 'node-lost',
    object: state.id,
    message: `Pod ${state.id.name} is on node ${spec?.nodeName ?? ''}, which does not answer.`,
    evidence: [silent?.message ?? target?.message ?? status?.message ?? status?.reason ?? ''],
    next: `See to node ${spec?.nodeName ?? ''} (kubectl describe node), or delete it if it is gone for good.`,
    patience: patienceOf(patience, 'node-lost'),
  };
}

/** Pods that are on their way out longer than they were given, where others wait for their place. */
export function leavingSymptom({ state, patience }: PodView): Symptom | undefined {
  if (state.deleting === undefined) return undefined;
  const { metadata } = state.pod;
  const finalizers = metadata.finalizers ?? [];
  const from = state.deleting + (metadata.deletionGracePeriodSeconds ?? 30) * 1000;
  if (finalizers.length > 0)
    return {
      code: 'finalizer',
      object: state.id,
      message: `Pod ${state.id.name} is being deleted, but its finalizer ${finalizers.join(', ')} keeps it, and its successor waits for its place.`,
      evidence: [`deletionTimestamp ${metadata.deletionTimestamp}, finalizers ${finalizers.join(', ')}`],
      next: `See to the controller that owns ${finalizers[0]}, or remove the finalizer by hand.`,
      from: state.deleting,
      patience: patienceOf(patience, 'finalizer'),
    };
  return {
    code: 'node-lost',
    object: state.id,
    message: `Pod ${state.id.name} is being deleted, and node ${state.pod.spec?.nodeName ?? ''} does not end it, though its grace is over.`,
    evidence: [`deletionTimestamp ${metadata.deletionTimestamp}`],
    next: `See whether node ${state.pod.spec?.nodeName ?? ''} answers (kubectl describe node).`,
    from,
    patience: patienceOf(patience, 'node-lost'),
  };
}

/** Whether pods are replaced one by one, each only while all others are ready, and only by the controller. */
export function goesInOrder({ live }: WorkloadState): boolean {
  if (live?.kind !== 'StatefulSet') return false;
  const { spec } = live as Live<StatefulSet>;
  return spec?.podManagementPolicy !== 'Parallel' && spec?.updateStrategy?.type !== 'OnDelete';
}

/** An old pod may get well again, and then is replaced. */
const RECOVERY = 60_000;

/** What is wrong with an old pod of a StatefulSet: until it is ready no pod is replaced, not even itself (kubernetes#67250). */
export const holdingUp = ({ workload, state }: PodView, symptom: Symptom): Symptom => ({
  ...symptom,
  message: `${symptom.message} It is of an older revision, and StatefulSet ${workload.id.name} replaces no pod before it is ready.`,
  next: `Delete it, so that it is made anew from the new template: kubectl delete pod ${state.id.name} -n ${state.id.namespace}.`,
  patience: Math.max(symptom.patience, RECOVERY),
});

/** Gates that others have to open before a pod is ready. */
export function gateSymptom({ state, patience }: PodView): Symptom | undefined {
  const ready = conditionOf(state.pod, 'Ready');
  if (ready?.status !== 'False' || ready.reason !== 'ReadinessGatesNotReady') return undefined;
  const gates = (state.pod.spec?.readinessGates ?? []).map(({ conditionType }) => conditionType);
  return {
    code: 'readiness',
    object: state.id,
    message: `Pod ${state.id.name} runs, but its readiness gate ${gates.join(', ')} is not open.`,
    evidence: [ready.message ?? 'ReadinessGatesNotReady'],
    next: 'See to the controller that opens the gate, such as that of the load balancer.',
    patience: patienceOf(patience, 'readiness'),
  };
}
