import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { completionOf, progressOf } from '../../../../shared/rollout/watch/completion.ts';
import { createModel, fold, type WorkloadState } from '../../../../shared/rollout/watch/model.ts';
import { steadyAt } from '../../../../shared/rollout/watch/steady.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');
// biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
type Fields = Record<string, any>;

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'app', image: 'app:v2', readinessProbe: {} }] },
};

function workload(kind: string, spec: Fields, status: Fields, metadata: Fields = {}): KubeObject {
  return {
    apiVersion: kind === 'Job' ? 'batch/v1' : 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'shop', uid: 'web', generation: 2, ...metadata },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template, ...spec },
    status: { observedGeneration: 2, ...status },
  };
}

function told(live: KubeObject, target: KubeObject = live, pods: readonly KubeObject[] = []): WorkloadState {
  const model = createModel([target]);
  fold(model, 'workload', { type: 'added', object: live }, NOW);
  for (const object of pods) fold(model, 'pod', { type: 'added', object }, NOW);
  return [...model.workloads.values()][0]!;
}

const says = (state: WorkloadState): string => {
  const completion = completionOf(state);
  return completion.kind === 'complete'
    ? 'complete'
    : completion.kind === 'never'
      ? `never: ${completion.because}`
      : completion.for;
};

const done = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
const same = { currentRevision: 'web-2', updateRevision: 'web-2' };
const daemons = {
  desiredNumberScheduled: 4,
  currentNumberScheduled: 4,
  updatedNumberScheduled: 4,
  numberAvailable: 4,
};

describe('a Deployment is complete', () => {
  it.each<[string, Fields, Fields]>([
    ['complete', {}, done],
    ['its controller to see the new generation', {}, { ...done, observedGeneration: 1 }],
    ['2 of 3 pods updated', {}, { ...done, updatedReplicas: 2 }],
    ['1 old pod to leave', {}, { ...done, replicas: 4 }],
    ['2 of 3 pods available', {}, { ...done, availableReplicas: 2 }],
    ['complete', { replicas: 0 }, {}],
    ['2 old pods to leave', { replicas: 0 }, { replicas: 2, availableReplicas: 2 }],
    ['complete', { paused: true }, done],
  ])('or waits for: %s (%j %j)', (words, spec, status) =>
    expect(says(told(workload('Deployment', spec, status)))).toBe(words),
  );
});

describe('a StatefulSet is complete', () => {
  const canary = { updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 2 } } };
  const onDelete = { updateStrategy: { type: 'OnDelete' } };
  const two = { currentRevision: 'web-1', updateRevision: 'web-2' };
  it.each<[string, Fields, Fields]>([
    ['complete', {}, { ...done, ...same }],
    ['1 of 3 pods updated', {}, { ...done, ...two, updatedReplicas: 1 }],
    ['2 of 3 pods ready', {}, { ...done, ...two, readyReplicas: 2 }],
    ['2 of 3 pods available', { minReadySeconds: 5 }, { ...done, ...two, availableReplicas: 2 }],
    ['its controller to take the new revision as the current one', {}, { ...done, ...two }],
    ['complete', canary, { ...done, ...two, updatedReplicas: 1 }],
    ['0 of 1 pods updated', canary, { ...done, ...two, updatedReplicas: 0 }],
    ['1 pod to leave', {}, { ...done, ...same, replicas: 4 }],
    ['complete', onDelete, { ...done, ...same }],
    [
      'never: its updateStrategy is OnDelete: the StatefulSet runs 2 pods of another revision until somebody deletes them',
      onDelete,
      { ...done, ...two, updatedReplicas: 1 },
    ],
  ])('or waits for: %s (%j %j)', (words, spec, status) =>
    expect(says(told(workload('StatefulSet', spec, status)))).toBe(words),
  );
});

describe('a DaemonSet is complete', () => {
  const onDelete = { updateStrategy: { type: 'OnDelete' } };
  it.each<[string, Fields, Fields]>([
    ['complete', {}, daemons],
    ['3 of 4 pods updated', {}, { ...daemons, updatedNumberScheduled: 3 }],
    ['3 of 4 pods available', {}, { ...daemons, numberAvailable: 3 }],
    ['1 pod unavailable', {}, { ...daemons, numberUnavailable: 1 }],
    ['complete', {}, { desiredNumberScheduled: 0 }],
    ['complete', onDelete, daemons],
    ['0 of 4 pods updated', onDelete, { desiredNumberScheduled: 4 }],
    [
      'never: its updateStrategy is OnDelete: the DaemonSet runs 1 pod of another revision until somebody deletes it',
      onDelete,
      { ...daemons, updatedNumberScheduled: 3 },
    ],
  ])('or waits for: %s (%j %j)', (words, spec, status) =>
    expect(says(told(workload('DaemonSet', spec, status)))).toBe(words),
  );
});

describe('a Job is complete', () => {
  it.each<[string, Fields, Fields]>([
    ['complete', {}, { conditions: [{ type: 'Complete', status: 'True' }] }],
    ['0 of 1 pods to end well', {}, {}],
    ['2 of 5 pods to end well', { completions: 5, parallelism: 2 }, { succeeded: 2 }],
    [
      '1 of 1 pods to end well',
      {},
      { succeeded: 1, conditions: [{ type: 'SuccessCriteriaMet', status: 'True' }] },
    ],
  ])('or waits for: %s (%j %j)', (words, spec, status) =>
    expect(says(told(workload('Job', spec, status)))).toBe(words),
  );
});

describe('only what was asked for', () => {
  const target = workload('Deployment', {}, {});
  const other = { ...template, spec: { containers: [{ name: 'app', image: 'app:v3' }] } };
  it('counts: another template does not complete it', () => {
    const live = workload(
      'Deployment',
      { template: other },
      { ...done, observedGeneration: 3 },
      { generation: 3 },
    );
    expect(says(told(live, target))).toBe('the revision that was asked for');
  });
  it('counts: an autoscaler that changes replicas does not take it over', () => {
    const live = workload(
      'Deployment',
      { replicas: 5 },
      { ...done, observedGeneration: 3 },
      { generation: 3 },
    );
    expect(says(told(live, target))).toBe('3 of 5 pods updated');
  });
  it('counts: an older list does not say it is done', () => {
    const live = workload('Deployment', {}, { ...done, observedGeneration: 1 }, { generation: 1 });
    expect(says(told(live, target))).toBe('the cluster to tell of the new generation');
  });
});

describe('pods that have no readiness probe', () => {
  const bare = { template: { ...template, spec: { containers: [{ name: 'app', image: 'app:v2' }] } } };
  const status = { ...done, ...same };
  const pod = (ready: string, at: string): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'web-0',
      namespace: 'shop',
      uid: 'web-0',
      labels: { app: 'web', 'controller-revision-hash': 'web-2' },
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'web', uid: 'web', controller: true },
      ],
    },
    status: { phase: 'Running', conditions: [{ type: 'Ready', status: ready, lastTransitionTime: at }] },
  });
  const at = (spec: Fields, one: KubeObject) =>
    steadyAt(told(workload('StatefulSet', spec, status), undefined, [one]));

  it.each(['2026-11-24T18:19:58Z', '2026-11-24T18:17:00Z', '2026-11-24T18:22:00Z'])(
    'have to stay up from when we look, whatever the cluster’s clock says (%s)',
    (ready) => expect(at(bare, pod('True', ready))).toBe(NOW + 5000),
  );
  it('have, where they were up before', () =>
    expect(at(bare, pod('True', '2026-11-24T17:00:00Z'))).toBeLessThan(NOW));
  it('hold the counts back while they are not ready', () => {
    expect(at({}, pod('False', '2026-11-24T18:19:58Z'))).toBe(Number.POSITIVE_INFINITY);
    const state = told(workload('StatefulSet', bare, status), undefined, [
      pod('False', '2026-11-24T18:19:58Z'),
    ]);
    expect(progressOf(state, false, NOW).waitingFor).toBe('its pods to be ready');
    expect(progressOf(state, false, NOW).state).toBe('rolling');
  });
  it('need not where minReadySeconds says so', () =>
    expect(at({ ...bare, minReadySeconds: 10 }, pod('True', '2026-11-24T18:19:58Z'))).toBeLessThanOrEqual(
      NOW,
    ));
});
