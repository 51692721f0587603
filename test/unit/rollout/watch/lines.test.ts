import { expect, it } from 'vitest';
import { createLines } from '../../../../shared/rollout/watch/lines.ts';
import type { Notice, WorkloadState } from '../../../../shared/rollout/watch/model.ts';

const NOW = Date.parse('2026-11-24T18:20:00Z');
const id = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'web' };
const workload = { id } as WorkloadState;

/** A warning about a pod, stamped so many seconds from now by the cluster's clock. */
const notice = (seconds: number, more: Partial<Notice> = {}): Notice => ({
  type: 'Warning',
  reason: 'FailedMount',
  message: 'MountVolume.SetUp failed',
  object: { ...id, kind: 'Pod', name: 'web-1' },
  container: undefined,
  count: 1,
  stamp: NOW + seconds * 1000,
  order: 1,
  seen: NOW,
  ...more,
});
const told = (one: Notice, isNews: boolean) => createLines(NOW).notice(workload, one, isNews);

it('tells what comes after the list, however far apart the clocks are', () => {
  expect(told(notice(-600), true)).toEqual(['pod web-1: FailedMount: MountVolume.SetUp failed']);
  expect(told(notice(600), true)).toHaveLength(1);
});

it('does not tell of what happened before it began to look', () => {
  expect(told(notice(-600), false)).toEqual([]);
  expect(told(notice(-1), false)).toHaveLength(1);
});

it('says the same of four pods, and not of more', () => {
  const lines = createLines(NOW);
  const all = ['a', 'b', 'c', 'd', 'e', 'f'].flatMap((name) =>
    lines.notice(workload, notice(0, { object: { ...id, kind: 'Pod', name: `web-${name}` } }), true),
  );
  expect(all).toHaveLength(4);
  expect(all.at(-1)).toMatch(/\(and so on\)$/);
});

it.each(['failed to sync configmap cache: timed out waiting for the condition', 'Error: ImagePullBackOff'])(
  'leaves out %s',
  (message) => expect(told(notice(0, { message }), true)).toEqual([]),
);
