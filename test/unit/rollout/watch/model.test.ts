import type { PodTemplateSpec } from 'kubernetes-types/core/v1.d.ts';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { sourcesFor } from '../../../../shared/rollout/watch/feeds.ts';
import { createModel, fold, noticesOf } from '../../../../shared/rollout/watch/model.ts';
import { belongsToRevision } from '../../../../shared/rollout/watch/revision.ts';
import { takeOver } from '../../../../shared/rollout/watch/take-over.ts';
import { recordedCase } from '../recorded.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');
const record = recordedCase('crash');
const [set, pod] = [record.replicaSets[0]!, record.pods[0]!];

const fresh = () => {
  const model = createModel([record.workload]);
  const tell = (
    feed: Parameters<typeof fold>[1],
    object: KubeObject,
    type: 'added' | 'modified' | 'deleted' = 'added',
    now = NOW,
  ) => fold(model, feed, { type, object }, now);
  return { model, tell, workload: [...model.workloads.values()][0]! };
};

describe('the model', () => {
  it('takes in pods and events that came before their ReplicaSet', () => {
    const { tell, workload } = fresh();
    for (const event of record.events) tell('event', event);
    expect(tell('pod', pod)).toBeUndefined();
    tell('workload', record.workload);
    tell('replica-set', set);
    expect([...workload.pods.keys()]).toEqual([pod.metadata.uid]);
    expect(noticesOf(workload, pod.metadata.uid!).length).toBeGreaterThan(2);
    expect([...workload.pods.values()].map(belongsToRevision(workload))).toEqual([true]);
  });

  it('keeps nothing of thousands of others', () => {
    const { model, tell, workload } = fresh();
    for (let index = 0; index < 5000; index++) {
      const metadata = { ...pod.metadata, name: `other-${index}`, uid: `other-${index}` };
      const owner = {
        apiVersion: 'apps/v1',
        kind: 'ReplicaSet',
        name: `other-5d5d5d5d5-${index}`,
        uid: 'x',
        controller: true,
      };
      tell('pod', { ...pod, metadata: { ...metadata, ownerReferences: [owner] } });
      tell('event', {
        ...record.events[0]!,
        involvedObject: { kind: 'Pod', namespace: 'shop', name: metadata.name, uid: metadata.uid },
      });
    }
    expect([workload.pods.size, model.early.size, model.earlyEvents.size, model.owners.size]).toEqual([
      0, 0, 0, 1,
    ]);
  });

  it('joins events that say the same', () => {
    const { tell, workload } = fresh();
    tell('replica-set', set);
    tell('pod', pod);
    const event = {
      ...record.events[0]!,
      involvedObject: { kind: 'Pod', namespace: 'shop', name: pod.metadata.name, uid: pod.metadata.uid },
    };
    tell('event', { ...event, count: 1 } as KubeObject);
    tell('event', { ...event, count: 7 } as KubeObject, 'modified', NOW + 9000);
    expect(noticesOf(workload, pod.metadata.uid!)).toMatchObject([{ count: 7, seen: NOW }]);
  });

  it('draws the way of a pod, and keeps it when the pod is gone', () => {
    const { tell, workload } = fresh();
    tell('replica-set', set);
    const status = {
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'True' }],
      containerStatuses: [],
    };
    const young = { ...pod, metadata: { ...pod.metadata, creationTimestamp: '2026-11-24T18:19:58Z' } };
    tell('pod', { ...young, status });
    tell(
      'pod',
      {
        ...young,
        status: {
          ...status,
          phase: 'Running',
          conditions: [...status.conditions, { type: 'Ready', status: 'True' }],
        },
      },
      'modified',
      NOW + 1000,
    );
    tell(
      'pod',
      { ...young, metadata: { ...young.metadata, deletionTimestamp: '2026-11-24T18:20:02Z' } },
      'modified',
      NOW + 2000,
    );
    tell(
      'pod',
      { ...young, metadata: { ...young.metadata, deletionTimestamp: '2026-11-24T18:20:02Z' } },
      'deleted',
      NOW + 3000,
    );
    expect(workload.pods.size).toBe(0);
    const { spans } = [...workload.gone.values()][0]!;
    expect(spans.map(({ phase, from, to }) => [phase, from - NOW, to! - NOW])).toEqual([
      ['starting', -2000, 1000],
      ['ready', 1000, 2000],
      ['terminating', 2000, 3000],
    ]);
  });
});

describe('a take-over', () => {
  const { metadata } = record.workload;
  const told = (live: KubeObject, type: 'modified' | 'deleted' = 'modified') => {
    const { tell, workload } = fresh();
    tell('workload', live, type);
    return takeOver(workload);
  };
  const managedFields = [
    { manager: 'slipway', time: '2026-11-24T18:19:00Z' },
    { manager: 'helm', time: '2026-11-24T18:20:00Z' },
    { manager: 'kube-controller-manager', subresource: 'status', time: '2026-11-24T18:20:01Z' },
  ];
  const next = { ...metadata, generation: 2, managedFields };

  it('is none while nothing changed, or only the number of pods', () => {
    expect(told(record.workload)).toBeUndefined();
    expect(
      told({
        ...record.workload,
        metadata: next,
        spec: { ...(record.workload.spec as object), replicas: 9 },
      }),
    ).toBeUndefined();
  });
  it.each([
    ['a restart by hand', { 'kubectl.kubernetes.io/restartedAt': '2026-11-24T18:20:00Z' }, []],
    ['Reloader', { 'reloader.stakater.com/last-reloaded-from': '{}' }, []],
    ['Reloader, by a variable', {}, [{ name: 'STAKATER_WEB_CONFIGMAP', value: 'f00d' }]],
  ])('is none by %s', (_, annotations, env) => {
    const live = structuredClone({ ...record.workload, metadata: next }) as KubeObject;
    const { template } = live.spec as { template: PodTemplateSpec };
    template.metadata = { ...template.metadata, annotations };
    template.spec!.containers[0]!.env = [...(template.spec!.containers[0]!.env ?? []), ...env];
    expect(told(live)).toBeUndefined();
    template.spec!.containers[0]!.env = [{ name: 'OTHER', value: 'x' }];
    expect(told(structuredClone(live))).toMatchObject({ how: 'changed' });
  });
  it('is another pod template, and names who wrote it', () =>
    expect(told({ ...record.workload, metadata: next, spec: { template: {} } })).toEqual({
      how: 'changed',
      by: 'helm',
    }));
  it('is a deletion', () => expect(told(record.workload, 'deleted')).toMatchObject({ how: 'deleted' }));
  it('is another object of the same name', () =>
    expect(told({ ...record.workload, metadata: { ...next, uid: 'another' } })).toEqual({
      how: 'replaced',
      by: 'helm',
    }));
});

describe('the watches', () => {
  const named = (name: string): KubeObject => ({
    ...record.workload,
    metadata: { ...record.workload.metadata, name },
    spec: { selector: { matchLabels: { app: name } } },
  });
  it('are narrow for few workloads', () =>
    expect(
      sourcesFor([named('a')]).map(({ feed, query }) => [feed, query.labelSelector ?? query.fieldSelector]),
    ).toEqual([
      ['workload', 'metadata.name=a'],
      ['replica-set', 'app=a'],
      ['pod', 'app=a'],
      ['event', undefined],
    ]));
  it('are as few for 500 workloads as for one', () =>
    expect(sourcesFor(Array.from({ length: 500 }, (_, index) => named(`w${index}`)))).toHaveLength(4));
});
