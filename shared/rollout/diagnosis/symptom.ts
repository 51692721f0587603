import type { Container, ContainerStateTerminated, ContainerStatus } from 'kubernetes-types/core/v1.d.ts';
import type { ObjectId } from '../../kubernetes/index.ts';
import type { CauseCode, Patience } from '../outcome.ts';
import { type Model, type Notice, noticesOf, type PodState, type WorkloadState } from '../watch/model.ts';

/** Something that is wrong with one object at this moment. It becomes a cause once it has shown for its patience. */
export interface Symptom {
  readonly code: CauseCode;
  readonly object: ObjectId;
  readonly container?: string | undefined;
  readonly message: string;
  readonly evidence: readonly string[];
  readonly next: string;
  /** Milliseconds that it may show; Infinity where something else decides and this only explains. */
  readonly patience: number;
  /** Milliseconds since 1970 from which it counts, where it does not count from when it first shows. */
  readonly from?: number | undefined;
}

/** What a family of causes looks at in one pod. */
export interface PodView {
  readonly model: Model;
  readonly workload: WorkloadState;
  readonly state: PodState;
  readonly containers: readonly ContainerView[];
  /** Events about the pod, latest last. */
  readonly notices: readonly Notice[];
  readonly patience: Patience;
  /** Whether restarts are counted by the workload itself: a Job has a budget of attempts. */
  readonly ownBudget: boolean;
}

export interface ContainerView {
  readonly name: string;
  /** A sidecar is an init container that keeps running. */
  readonly role: 'init' | 'sidecar' | 'app';
  readonly spec: Container;
  readonly status: ContainerStatus | undefined;
  /** How often an instance of it ended. */
  readonly ends: number;
  readonly lastEnd: ContainerStateTerminated | undefined;
}

export function viewOf(model: Model, workload: WorkloadState, state: PodState, patience: Patience): PodView {
  const { spec, status } = state.pod;
  const view = (container: Container, role: ContainerView['role'], statuses: ContainerStatus[] = []) => {
    const own = statuses.find(({ name }) => name === container.name);
    const lastEnd = own?.state?.terminated ?? own?.lastState?.terminated;
    const isRunning = own?.state?.running !== undefined;
    const ends = (own?.restartCount ?? 0) + (!isRunning && lastEnd !== undefined ? 1 : 0);
    return { name: container.name, role, spec: container, status: own, ends, lastEnd };
  };
  return {
    model,
    workload,
    state,
    containers: [
      ...(spec?.initContainers ?? []).map((one) =>
        view(one, one.restartPolicy === 'Always' ? 'sidecar' : 'init', status?.initContainerStatuses),
      ),
      ...(spec?.containers ?? []).map((one) => view(one, 'app', status?.containerStatuses)),
    ],
    notices: noticesOf(workload, state.uid),
    patience,
    ownBudget: workload.id.kind === 'Job',
  };
}

/** `Container app of pod web-6f…`, as messages begin. */
export const nameOf = ({ name, role }: ContainerView, { state }: PodView): string =>
  `${role === 'init' ? 'Init container' : role === 'sidecar' ? 'Sidecar' : 'Container'} ${name} of pod ${state.id.name}`;

/** The latest event of a reason about a container. */
export const lastNotice = (
  { notices }: PodView,
  reason: RegExp,
  container?: string,
  message?: RegExp,
): Notice | undefined =>
  notices.findLast(
    (notice) =>
      reason.test(notice.reason) &&
      (container === undefined || notice.container === undefined || notice.container === container) &&
      (message === undefined || message.test(notice.message)),
  );

/** The last lines of a container’s log, as evidence. */
export function logOf({ state, model }: PodView, container: string): readonly string[] {
  const lines = model.findings.logs.get(findingKey(state, container));
  return lines === undefined || lines.length === 0 ? [] : lines.map((line) => `log: ${line}`);
}

/** The key of what is known of a container beside the watches. */
export const findingKey = (pod: PodState, container: string): string => `${pod.uid}/${container}`;
