import type { ContainerStatus, Pod } from 'kubernetes-types/core/v1.d.ts';
import type { PodSpan } from '../outcome.ts';
import type { Notice } from './model.ts';

/** What containers wait for in the usual course of a start; any other word of the kubelet is a trouble. */
const USUAL = new Set(['ContainerCreating', 'PodInitializing', '']);

/** What a pod is doing, from its status and, for pulls, from the kubelet's events. */
export function phaseOf(
  pod: Pod,
  notices: readonly Notice[],
): { readonly phase: PodSpan['phase']; readonly detail: string | undefined } {
  const plain = (phase: PodSpan['phase'], detail?: string) => ({ phase, detail });
  const { status } = pod;
  if (status?.phase === 'Succeeded') return plain('succeeded');
  if (status?.phase === 'Failed') return plain('failing', status.reason);
  if (pod.metadata?.deletionTimestamp) return plain('terminating');
  const inits = status?.initContainerStatuses ?? [];
  const statuses = [...inits, ...(status?.containerStatuses ?? [])];
  const trouble = statuses.map(troubleOf).find((word) => word !== undefined);
  if (trouble !== undefined) return plain('failing', trouble);
  if (isTrue(pod, 'Ready')) return plain('ready');
  if (!isTrue(pod, 'PodScheduled')) return plain('pending', conditionOf(pod, 'PodScheduled')?.reason);
  if (isPulling(notices)) return plain('pulling');
  if (inits.length > 0 && !isTrue(pod, 'Initialized')) return plain('init');
  const apps = status?.containerStatuses ?? [];
  return plain(
    apps.length > 0 && apps.every(({ state }) => state?.running !== undefined) ? 'running' : 'starting',
  );
}

function troubleOf({ state }: ContainerStatus): string | undefined {
  if (state?.waiting !== undefined)
    return USUAL.has(state.waiting.reason ?? '') ? undefined : state.waiting.reason;
  const ended = state?.terminated;
  return ended !== undefined && ended.exitCode !== 0
    ? (ended.reason ?? `exit code ${ended.exitCode}`)
    : undefined;
}

/** The last word on each container’s image is that it is being pulled. */
function isPulling(notices: readonly Notice[]): boolean {
  const last = new Map<string, Notice>();
  for (const notice of notices) {
    if (!/^(Pulling|Pulled|Failed|BackOff|Created|Started)$/.test(notice.reason)) continue;
    const container = notice.container ?? '';
    const other = last.get(container);
    if (other === undefined || isLater(notice, other)) last.set(container, notice);
  }
  return [...last.values()].some(({ reason }) => reason === 'Pulling');
}

export const isLater = (one: Notice, other: Notice): boolean =>
  one.stamp > other.stamp || (one.stamp === other.stamp && one.order > other.order);

export const conditionOf = (pod: Pod, type: string) =>
  pod.status?.conditions?.find((condition) => condition.type === type);

const isTrue = (pod: Pod, type: string): boolean => conditionOf(pod, type)?.status === 'True';
