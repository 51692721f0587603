import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { readSchedule } from '../../../../shared/rollout/diagnosis/schedule.ts';
import { diagnosed, recordedCase, told } from '../recorded.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');
// biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
type Fields = Record<string, any>;

/** The recorded crash, with its pods in another state: what one node cannot show. */
function causes(
  change: (pod: Fields) => void,
  options: { pods?: number; events?: KubeObject[]; budgets?: KubeObject[]; wait?: number } = {},
) {
  const record = structuredClone(recordedCase('crash'));
  const [pod] = record.pods;
  const pods = Array.from({ length: options.pods ?? 1 }, (_, index) => {
    const copy = structuredClone(pod) as Fields;
    Object.assign(copy.metadata, { name: `pod-${index}`, uid: `pod-${index}` });
    copy.status.containerStatuses = [];
    change(copy);
    return copy as KubeObject;
  });
  const state = told({ ...record, pods, events: options.events ?? [] }, NOW);
  state.model.findings.budgets = options.budgets;
  return diagnosed(state, NOW, options.wait ?? 3000).causes;
}
const about = (reason: string, message: string): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: 'e' },
    type: 'Warning',
    reason,
    message,
    lastTimestamp: '2026-11-24T18:19:59Z',
    involvedObject: { kind: 'Pod', namespace: 'shop', name: 'pod-0', uid: 'pod-0' },
  }) as KubeObject;

describe('an eviction', () => {
  const evict = (pod: Fields) => {
    pod.status = { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' };
  };
  it('of one pod is made good by the next', () => expect(causes(evict)).toEqual([]));
  it('of two is a cause', () => {
    const [cause] = causes(evict, { pods: 2 });
    expect(cause).toMatchObject({ code: 'evicted', pods: 2 });
    expect(cause!.message).toMatch(/low on resource: memory/);
  });
});

describe('a node that does not answer', () => {
  it('is a cause after a minute', () => {
    const silent = { events: [about('NodeNotReady', 'Node is not ready')] };
    const unready = (pod: Fields) => {
      pod.status.conditions = [
        { type: 'PodScheduled', status: 'True' },
        { type: 'Ready', status: 'False' },
      ];
    };
    expect(causes(unready, silent)).toEqual([]);
    expect(causes(unready, { ...silent, wait: 60_000 })).toMatchObject([{ code: 'node-lost' }]);
  });
  it('is none while the pod is ready', () => {
    const ready = (pod: Fields) => {
      pod.status.conditions = [{ type: 'Ready', status: 'True' }];
    };
    expect(causes(ready, { events: [about('NodeNotReady', 'Node is not ready')], wait: 60_000 })).toEqual([]);
  });
});

describe('a pod without a node', () => {
  const message =
    '0/3 nodes are available: 1 Insufficient memory, 2 node(s) were unschedulable. preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling.';
  const pending = (pod: Fields) => {
    pod.status = {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message }],
    };
  };
  const budget = (disruptionsAllowed: number) =>
    ({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { name: 'database', namespace: 'shop' },
      status: { disruptionsAllowed, expectedPods: 2, currentHealthy: 2, desiredHealthy: 2 },
    }) as KubeObject;

  it('waits for a budget that holds the pods of nodes that are closed', () => {
    const [cause] = causes(pending, { budgets: [budget(0)], wait: 60_000 });
    expect(cause).toMatchObject({ code: 'disruption-budget' });
    expect(cause!.message).toContain('PodDisruptionBudget database');
  });
  it('does not, where the budget is open', () => {
    const [cause] = causes(pending, { budgets: [budget(1)], wait: 60_000 });
    expect(cause).toMatchObject({ code: 'unschedulable' });
    expect(cause!.message).toMatch(/Insufficient memory on 1 of 3 nodes, were unschedulable on 2 of 3 nodes/);
  });
  it('has longer while nodes are added for it', () => {
    const scaling = { events: [about('TriggeredScaleUp', 'pod triggered scale-up: [{pool 1->2 (max: 5)}]')] };
    expect(causes(pending, { ...scaling, wait: 60_000 })).toEqual([]);
    expect(causes(pending, { ...scaling, wait: 300_000 })).toMatchObject([{ code: 'unschedulable' }]);
  });
  it('meets each constraint on so many nodes', () =>
    expect(
      readSchedule(
        "0/6 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector, 3 Insufficient cpu. no new claims to deallocate, preemption: 0/6 nodes are available: 6 Preemption is not helpful for scheduling.",
      ),
    ).toEqual([
      { nodes: 1, of: 6, why: 'had untolerated taint {node-role.kubernetes.io/control-plane: }' },
      { nodes: 2, of: 6, why: "didn't match Pod's node affinity/selector" },
      { nodes: 3, of: 6, why: 'Insufficient cpu' },
    ]));
});

describe('a container that waits', () => {
  const waiting =
    (reason: string, message: string, container: Fields = {}) =>
    (pod: Fields) => {
      Object.assign(pod.spec.containers[0], container);
      pod.status.containerStatuses = [
        {
          name: 'app',
          ready: false,
          restartCount: 0,
          state: { waiting: { reason, message } },
          lastState: {},
        },
      ];
    };
  it.each([
    [
      'ErrImageNeverPull',
      'Container image "registry.test/app:v1" is not present with pull policy of Never',
      'image-not-found',
    ],
    ['CreateContainerConfigError', 'container has runAsNonRoot and image will run as root', 'command-failed'],
    ['CreateContainerConfigError', "couldn't find key url in Secret shop/database", 'config-missing'],
    [
      'CreateContainerError',
      'container create failed: executable file `serve` not found in $PATH: No such file or directory',
      'command-failed',
    ],
    [
      'RunContainerError',
      'failed to create containerd task: OCI runtime create failed: unable to start container process: exec: "/app": exec format error',
      'image-platform',
    ],
    [
      'RunContainerError',
      "failed to start containerd task: can't get final child's PID from pipe: EOF",
      undefined,
    ],
    ['ContainerCreating', '', undefined],
  ])('in %s: %s', (reason, message, code) => expect(causes(waiting(reason, message))[0]?.code).toBe(code));

  it('names the node’s memory where the container has no limit of its own', () => {
    const [cause] = causes((pod) => {
      pod.spec.containers[0].resources = {};
      const ended = { reason: 'OOMKilled', exitCode: 1 };
      pod.status.containerStatuses = [
        {
          name: 'app',
          ready: false,
          restartCount: 1,
          state: { terminated: ended },
          lastState: { terminated: ended },
        },
      ];
    });
    expect(cause).toMatchObject({ code: 'oom-killed' });
    expect(cause!.message).toMatch(/after a process of it was killed because its node ran out of memory/);
  });
});

describe('an old pod of a StatefulSet that crashes', () => {
  const stuck = (more: Fields = {}) => {
    const record = structuredClone(recordedCase('crash'));
    const pod = record.pods[0] as Fields;
    const own = { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'web' };
    const metadata = { name: 'web', namespace: 'shop', uid: 'web', generation: 2 };
    Object.assign(pod.metadata, {
      name: 'web-0',
      labels: { 'controller-revision-hash': 'web-broken' },
      ownerReferences: [{ ...own, controller: true }],
    });
    const workload = {
      ...own,
      metadata,
      spec: { replicas: 1, ...more },
      status: {
        observedGeneration: 2,
        replicas: 1,
        currentRevision: 'web-broken',
        updateRevision: 'web-fix',
      },
    } as KubeObject;
    return told({ ...record, workload, replicaSets: [] }, NOW);
  };
  it('holds up all others, and is named after a minute', () => {
    expect(diagnosed(stuck(), NOW, 59_000).causes).toEqual([]);
    const [cause] = diagnosed(stuck(), NOW, 60_000).causes;
    expect(cause).toMatchObject({ code: 'crash' });
    expect(cause!.message).toMatch(/of an older revision, and StatefulSet web replaces no pod before/);
    expect(cause!.next).toMatch(/kubectl delete pod web-0/);
  });
  it.each([
    ['they go side by side', { podManagementPolicy: 'Parallel' }],
    ['somebody deletes them', { updateStrategy: { type: 'OnDelete' } }],
  ])('does not, where %s', (_, spec) => expect(diagnosed(stuck(spec), NOW, 600_000).suspected).toEqual([]));
});
