import type { Node, Pod, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.d.ts';
import { conditionOf } from '../watch/phase.ts';
import { COMPANY_TIME, makerOf } from './company.ts';
import { readMissing } from './config.ts';
import { couldHold } from './node-fit.ts';
import { patienceOf } from './patience.ts';
import { lastNotice, type PodView, type Symptom } from './symptom.ts';

/** Pods that no node takes. */
export function scheduleSymptom(view: PodView): Symptom | undefined {
  const { state, patience } = view;
  const scheduled = conditionOf(state.pod, 'PodScheduled');
  if (scheduled?.status !== 'False') return undefined;
  const said = scheduled.message ?? '';
  const base = { object: state.id, evidence: [said || (scheduled.reason ?? '')] };
  if (scheduled.reason === 'SchedulingGated')
    return {
      ...base,
      code: 'unschedulable',
      message: `Pod ${state.id.name} waits for its scheduling gates (${(state.pod.spec?.schedulingGates ?? []).map(({ name }) => name).join(', ')}).`,
      next: 'See to the controller that opens the gate.',
      patience: patienceOf(patience, 'unschedulable'),
    };
  return claimSymptom(view, said, base) ?? budgetSymptom(view, said, base) ?? nodesSymptom(view, said, base);
}

type Base = Pick<Symptom, 'object' | 'evidence'>;

function claimSymptom(
  { model, state, patience, notices }: PodView,
  said: string,
  base: Base,
): Symptom | undefined {
  const missing = readMissing(said, state.id.namespace);
  if (missing?.kind === 'PersistentVolumeClaim') {
    const maker = makerOf(model, missing.name);
    return {
      ...base,
      evidence: [...base.evidence, maker ?? ''],
      code: 'volume-not-mounted',
      message: `Pod ${state.id.name} cannot be placed: ${missing.what} does not exist.`,
      next: missing.next,
      patience: patienceOf(patience, 'volume-not-mounted', maker === undefined ? 3000 : COMPANY_TIME),
    };
  }
  if (!/unbound (?:immediate )?PersistentVolumeClaims/.test(said)) return undefined;
  const claims = (state.pod.spec?.volumes ?? []).flatMap(
    (volume) => volume.persistentVolumeClaim?.claimName ?? [],
  );
  const provisioning = notices.findLast(({ reason }) => reason === 'ProvisioningFailed');
  return {
    ...base,
    code: 'volume-not-mounted',
    message: `Pod ${state.id.name} waits for a volume: PersistentVolumeClaim ${claims.join(', ')} is not bound.`,
    evidence: [...base.evidence, ...(provisioning === undefined ? [] : [provisioning.message])],
    next: `See kubectl describe pvc ${claims.join(' ')}: its storage class has to exist and to be able to provision.`,
    patience: patienceOf(patience, 'volume-not-mounted'),
  };
}

/** Nodes that are being emptied, and cannot be because of a budget. */
function budgetSymptom(
  { state, patience, model: { findings } }: PodView,
  said: string,
  base: Base,
): Symptom | undefined {
  if (!/were unschedulable/.test(said)) return undefined;
  const closed = (findings.budgets as readonly PodDisruptionBudget[] | undefined)?.find(
    ({ status }) => status?.disruptionsAllowed === 0 && (status.expectedPods ?? 0) > 0,
  );
  if (closed === undefined) return undefined;
  return {
    ...base,
    code: 'disruption-budget',
    message: `Pod ${state.id.name} finds no node: nodes are closed to new pods, and PodDisruptionBudget ${closed.metadata?.name} of this namespace lets none of its pods be moved away from them.`,
    evidence: [
      ...base.evidence,
      `PodDisruptionBudget ${closed.metadata?.name}: ${closed.status?.currentHealthy} healthy, ${closed.status?.desiredHealthy} wanted, 0 disruptions allowed`,
    ],
    next: `Give PodDisruptionBudget ${closed.metadata?.name} room (more replicas, or maxUnavailable 1), or open the nodes (kubectl uncordon).`,
    patience: patienceOf(patience, 'disruption-budget'),
  };
}

function nodesSymptom(view: PodView, said: string, base: Base): Symptom {
  const { state, patience, model } = view;
  const reasons = readSchedule(said);
  const scaling = lastNotice(view, /^(?:TriggeredScaleUp|Nominated)$/);
  const hopeless =
    scaling === undefined && isHopeless(state.pod, model.findings.nodes as readonly Node[] | undefined);
  const constraint =
    reasons.length === 0
      ? said.replace(/\.$/, '')
      : reasons.map(({ nodes, why }) => `${why} on ${nodes} of ${reasons[0]!.of} nodes`).join(', ');
  return {
    ...base,
    code: 'unschedulable',
    message: `Pod ${state.id.name} finds no node: ${constraint}${hopeless ? '; no node could hold it even when empty' : ''}.`,
    evidence: [...base.evidence, ...(scaling === undefined ? [] : [`${scaling.reason}: ${scaling.message}`])],
    next: adviceFor(
      reasons.map(({ why }) => why),
      state.pod.spec,
    ),
    patience: patienceOf(
      patience,
      'unschedulable',
      scaling !== undefined ? 300_000 : hopeless ? 3000 : undefined,
    ),
  };
}

/** Which constraint the scheduler met on how many nodes. */
export function readSchedule(
  said: string,
): readonly { readonly nodes: number; readonly of: number; readonly why: string }[] {
  const [, of, list] = /^\d+\/(\d+) nodes are available: ([\s\S]*)/.exec(said) ?? [];
  if (of === undefined || list === undefined) return [];
  const own = list.replace(/\.? (?:preemption|no new claims)[\s\S]*$/, '').replace(/\.$/, '');
  return own.split(/, (?=\d+ )/).flatMap((part) => {
    const [, nodes, why] = /^(\d+) (.+)$/s.exec(part.trim()) ?? [];
    return nodes === undefined
      ? []
      : [{ nodes: Number(nodes), of: Number(of), why: why!.replace(/^node\(s\) /, '') }];
  });
}

/** Known for sure only where all nodes can be seen, none could ever take the pod, and nothing makes new ones. */
function isHopeless(pod: Pod, nodes: readonly Node[] | undefined): boolean {
  if (nodes === undefined || nodes.length === 0) return false;
  const grows = nodes.some(({ metadata }) =>
    Object.keys({ ...metadata?.labels, ...metadata?.annotations }).some((key) =>
      /^(?:karpenter\.sh|cluster-autoscaler\.kubernetes\.io)\//.test(key),
    ),
  );
  return !grows && !nodes.some((node) => couldHold(node, pod));
}

function adviceFor(reasons: readonly string[], spec: PodSpec | undefined): string {
  const all = reasons.join(' ');
  const insufficient = /Insufficient (\S+)/.exec(all)?.[1];
  if (insufficient !== undefined) {
    const asked = (spec?.containers ?? []).flatMap(
      ({ resources }) => resources?.requests?.[insufficient] ?? [],
    );
    return `Ask for less ${insufficient} (${asked.length === 0 ? 'it' : asked.join(' + ')} is requested a pod), or add or free nodes.`;
  }
  if (/taint/.test(all)) return 'Add a toleration for the taint, or remove it from the nodes.';
  if (/affinity|selector/.test(all)) return 'Correct nodeSelector or affinity, or label nodes to match.';
  if (/free ports/.test(all)) return 'Free the host port, or do without hostPort.';
  if (/topology spread|anti-affinity/.test(all)) return 'Add nodes in other zones, or loosen the spread.';
  return 'Add or free nodes, or loosen what the pod asks for.';
}
