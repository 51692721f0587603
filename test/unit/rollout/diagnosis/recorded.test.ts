import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { fold } from '../../../../shared/rollout/watch/model.ts';
import { diagnosed, recorded, recordedCase, told } from '../recorded.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');

describe('a recorded fault', () => {
  it('is there', () => expect(recorded.length).toBeGreaterThan(20));

  it.each(recorded.map((one) => [one.case, one] as const))('%s is named', (_, record) => {
    const { causes } = diagnosed(told(record, NOW), NOW, 400_000);
    expect(causes[0]?.code, causes[0]?.message).toBe(record.cause);
    expect(causes[0]!.message).toMatch(/\.$/);
    expect(causes[0]!.next).toMatch(/\.$/);
    expect(causes[0]!.evidence.length).toBeGreaterThan(0);
  });

  it.each(
    recorded
      .filter((one) => one.cause !== 'job-failed' && one.logs === undefined)
      .map((one) => [one.case, one] as const),
  )('%s is no verdict at first sight', (_, record) =>
    expect(diagnosed(told(record, NOW), NOW, 0).causes).toEqual([]),
  );
});

describe('what a cause says', () => {
  const saying = (name: string) => {
    const { causes } = diagnosed(told(recordedCase(name), NOW), NOW, 400_000);
    return [causes[0]!.message, ...causes[0]!.evidence, causes[0]!.next].join('\n');
  };
  it.each([
    ['oom', /more than its memory limit of 64Mi[\s\S]*last seen in use: unknown/],
    ['no-key', /key absent of ConfigMap no-program/],
    ['no-secret', /Secret absent[\s\S]*Create Secret absent in namespace shop/],
    [
      'too-big',
      /Insufficient cpu on 1 of 1 nodes; no node could hold it even when empty[\s\S]*64 is requested/,
    ],
    ['quota', /ResourceQuota one-pod is used up \(requested: pods=1, used: pods=1, limited: pods=1\)/],
    ['pod-security', /Pod Security baseline:latest of the namespace refuses them: privileged/],
    ['bad-command', /its program \/no\/such\/program is not in the image/],
    ['not-ready', /GET http:\/\/pod:8080\/readyz answers 503/],
    ['wrong-protocol', /speaks HTTP, and the probe HTTPS/],
    ['bad-platform', /no variant for the platform of node node-1/],
    ['no-volume', /volume certificates: Secret absent does not exist/],
    ['job', /its pods failed more often than its backoffLimit of 0 lets them/],
  ])('for %s', (name, words) => expect(saying(name)).toMatch(words));

  it('names what the pods of a failed Job ended with', () => {
    const { causes } = diagnosed(told(recordedCase('job'), NOW), NOW, 0);
    expect(causes.map(({ code }) => code)).toEqual(['job-failed', 'crash']);
    expect(causes[1]!.message).toMatch(/exit code 3/);
  });

  it('counts the pods that show the same', () => {
    const record = recordedCase('no-key');
    const [pod] = record.pods;
    const twin = { ...pod!, metadata: { ...pod!.metadata, name: `${pod!.metadata.name}-2`, uid: 'twin' } };
    const { causes } = diagnosed(told({ ...record, pods: [pod!, twin] }, NOW), NOW, 5000);
    expect(causes.map(({ code, pods }) => ({ code, pods }))).toEqual([{ code: 'config-missing', pods: 2 }]);
  });
});

describe('what is no cause', () => {
  /** The recorded fault with its pods changed. */
  // biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
  const changed = (name: string, change: (pod: any) => void) => {
    const record = structuredClone(recordedCase(name));
    for (const pod of record.pods) change(pod);
    return told(record, NOW);
  };

  it('is one crash', () => {
    const once = changed('crash', (pod) => {
      const [status] = pod.status.containerStatuses;
      const ended = status.state.terminated ?? status.lastState.terminated;
      Object.assign(status, { restartCount: 0, state: { terminated: ended }, lastState: {} });
    });
    expect(diagnosed(once, NOW, 60_000).suspected).toEqual([]);
  });

  it('is a container that got ready after its crashes', () => {
    const healed = changed('crash', (pod) => {
      const [status] = pod.status.containerStatuses;
      Object.assign(status, { ready: true, state: { running: { startedAt: '2026-11-24T18:19:59Z' } } });
    });
    expect(diagnosed(healed, NOW, 60_000).suspected).toEqual([]);
  });

  it('is a pod of an older revision', () => {
    const record = structuredClone(recordedCase('crash'));
    // biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
    const template = (record.workload as any).spec.template;
    template.spec.containers[0].image = 'registry.test/app:v2';
    expect(diagnosed(told(record, NOW), NOW, 60_000).suspected).toEqual([]);
  });

  it('is a pod that is being deleted', () => {
    const leaving = changed('no-key', (pod) => {
      pod.metadata.deletionTimestamp = '2026-11-24T18:19:59Z';
    });
    expect(diagnosed(leaving, NOW, 60_000).suspected).toEqual([]);
  });

  it.each([
    'failed to sync configmap cache: timed out waiting for the condition',
    'failed to sync secret cache: timed out waiting for the condition',
  ])('is %s', (message) => {
    const passing = changed('no-key', (pod) => {
      pod.status.containerStatuses[0].state.waiting.message = message;
    });
    expect(diagnosed(passing, NOW, 60_000).suspected).toEqual([]);
  });

  it('is a quota while pods of the rollout leave', () => {
    const state = told(recordedCase('quota'), NOW);
    const [pod] = recordedCase('quota').pods;
    const leaving = { ...pod!, metadata: { ...pod!.metadata, deletionTimestamp: '2026-11-24T18:19:59Z' } };
    fold(state.model, 'pod', { type: 'modified', object: leaving as KubeObject }, NOW);
    expect(diagnosed(state, NOW, 60_000).causes).toEqual([]);
  });

  it('is a missing Secret once a container has started', () => {
    const record = recordedCase('no-volume');
    const mount = record.events.find((one) => one.reason === 'FailedMount')!;
    const started = {
      ...mount,
      reason: 'Started',
      message: 'Started container app',
      lastTimestamp: '2026-11-24T18:19:59Z',
    };
    expect(
      diagnosed(told({ ...record, events: [...record.events, started] }, NOW), NOW, 60_000).suspected,
    ).toEqual([]);
  });
});

describe('patience', () => {
  it('is short for a pod that no node could hold, and longer where one could', () => {
    const record = recordedCase('too-big');
    const nodes = structuredClone(record.nodes!);
    // biome-ignore lint/suspicious/noExplicitAny: objects as the API gives them
    (nodes[0] as any).status.allocatable.cpu = '96';
    expect(diagnosed(told(record, NOW), NOW, 3000).causes).toHaveLength(1);
    expect(diagnosed(told({ ...record, nodes }, NOW), NOW, 59_000).causes).toEqual([]);
    expect(diagnosed(told({ ...record, nodes }, NOW), NOW, 60_000).causes).toHaveLength(1);
    expect(diagnosed(told({ ...record, nodes: [] }, NOW), NOW, 59_000).causes).toEqual([]);
  });

  it('respects the budget of a readiness probe', () => {
    const definite = told(recordedCase('wrong-protocol'), NOW);
    expect(diagnosed(definite, NOW, 3900).causes).toEqual([]);
    expect(diagnosed(definite, NOW, 4000).causes.map(({ code }) => code)).toEqual(['readiness']);
    const slow = told(recordedCase('not-ready'), NOW);
    expect(diagnosed(slow, NOW, 121_000).causes).toEqual([]);
    expect(diagnosed(slow, NOW, 122_000).causes).toHaveLength(1);
  });

  it('says when the next cause is due', () =>
    expect(diagnosed(told(recordedCase('bad-tag'), NOW), NOW, 1000).due).toBe(NOW + 3000));
});
