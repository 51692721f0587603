import { expect, test } from 'vitest';
import { isStuck } from '../../../../shared/rollout/undo/stuck.ts';

const set = (partition = 0) => ({
  apiVersion: 'apps/v1' as const,
  kind: 'StatefulSet' as const,
  metadata: { name: 'db', namespace: 'shop', uid: 'db-uid' },
  spec: {
    selector: {},
    serviceName: 'db',
    template: {},
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
  },
  status: { replicas: 3, currentRevision: 'db-old', updateRevision: 'db-new' },
});

const pod = (revision: string, ready: boolean, { owner = 'db-uid', leaving = false } = {}) => ({
  apiVersion: 'v1' as const,
  kind: 'Pod' as const,
  metadata: {
    name: 'db-2',
    namespace: 'shop',
    labels: { 'controller-revision-hash': revision },
    ownerReferences: [
      { apiVersion: 'apps/v1', kind: 'StatefulSet', name: 'db', uid: owner, controller: true },
    ],
    ...(leaving && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  status: { conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
});

test.each([
  ['a pod of a failed revision that is not ready', pod('db-failed', false), set(), true],
  ['one that is ready: it serves', pod('db-failed', true), set(), false],
  ['one of the revision that is wanted: it may still come up', pod('db-new', false), set(), false],
  ['one that goes already', pod('db-failed', false, { leaving: true }), set(), false],
  ['one of another set', pod('db-failed', false, { owner: 'other' }), set(), false],
  ['one of the revision before, in the way of a first success', pod('db-old', false), set(), true],
  ['one that the partition keeps at the revision before', pod('db-old', false), set(3), false],
  ['one of a failed revision below the partition', pod('db-failed', false), set(3), true],
  ['one without conditions yet', { ...pod('db-failed', false), status: {} }, set(), true],
])('holds up its StatefulSet: %s', (_, one, of, stuck) => {
  expect(isStuck(one, of)).toBe(stuck);
});
