import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { idOf, type KubeObject } from '../../../../shared/kubernetes/index.ts';
import { decodeRecord, encodeRecord } from '../../../../shared/rollout/release/encode.ts';
import { hold } from '../../../../shared/rollout/release/held.ts';
import {
  emptyRecord,
  nextNumber,
  type ReleaseRecord,
  type Revision,
} from '../../../../shared/rollout/release/record.ts';
import { digestOfObjects, historyLimit, imagesOf } from '../../../../shared/rollout/release/revision.ts';

const object = (kind: string, name: string, rest: object = {}): KubeObject => ({
  apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
  kind,
  metadata: { name, namespace: 'shop' },
  ...rest,
});

const revision = (number: number, objects: readonly KubeObject[]): Revision => ({
  number,
  digest: digestOfObjects(objects),
  run: 'https://ci.example/1',
  at: '2026-11-24T12:00:00.000Z',
  images: ['example.org/web@sha256:1'],
  generations: [],
  objects,
});

const stored = (record: ReleaseRecord): KubeObject => ({
  ...object('ConfigMap', 'slipway.web'),
  ...encodeRecord(record),
});

test('a record is read as it was written', () => {
  const objects = [object('Service', 'web'), object('Deployment', 'web', { spec: { replicas: 2 } })];
  const record: ReleaseRecord = {
    ...emptyRecord('web', 'shop'),
    proven: revision(1, objects),
    attempt: {
      phase: 'undoing',
      revision: revision(2, [...objects, object('ConfigMap', 'new')]),
      created: [idOf(object('ConfigMap', 'new'))],
      because: 'it crashed',
    },
  };
  expect(decodeRecord(stored(record))).toEqual(record);
  expect(encodeRecord(record).data.attempt).toMatch(/^undoing: it crashed\nrevision 2 /);
});

test('500 objects in two revisions fit with room to spare', () => {
  const objects = Array.from({ length: 500 }, (_, index) =>
    object('Deployment', `web-${index}`, {
      spec: { template: { spec: { containers: [{ name: 'app', image: randomBytes(32).toString('hex') }] } } },
    }),
  );
  const next = objects.map((one) => ({ ...one, spec: { ...(one.spec as object), replicas: 2 } }));
  const record = {
    ...emptyRecord('web', 'shop'),
    proven: revision(1, objects),
    attempt: { phase: 'applying' as const, revision: revision(2, next), created: [] },
  };
  const size = Buffer.from(encodeRecord(record).binaryData['record.json.gz'], 'base64').length;
  expect(size).toBeLessThan(250_000);
});

test('a record that no ConfigMap can hold is refused in words', () => {
  const text = randomBytes(1_500_000).toString('base64');
  const record = { ...emptyRecord('web', 'shop'), proven: revision(1, [object('Thing', 'web', { text })]) };
  expect(() => encodeRecord(record)).toThrow(
    /^Release web has 1 objects that take .* packed in ConfigMap slipway\.web, and .* is the most that fits/,
  );
});

test.each([
  ['nothing', {}],
  ['something else', { binaryData: { 'record.json.gz': 'bm90IGd6aXA=' } }],
])('a record that holds %s is refused in words', (_, content) => {
  expect(() => decodeRecord({ ...object('ConfigMap', 'slipway.web'), ...content })).toThrow(
    /^ConfigMap shop\/slipway\.web should hold what Slipway knows of a release/,
  );
});

test('values of Secrets and ConfigMaps are in no record, and tell revisions apart all the same', () => {
  const secret = (token: string) => object('Secret', 'credentials', { stringData: { token } });
  const config = object('ConfigMap', 'settings', { data: { value: 'visible' } });
  const one = hold([secret('hunter2'), config]);
  const other = hold([secret('hunter3'), config]);
  const text = JSON.stringify(one);
  expect(text).not.toMatch(/hunter2|aHVudGVyMg|visible/);
  expect(one.generations.map(({ kind }) => kind)).toEqual(['Secret', 'ConfigMap']);
  expect(digestOfObjects(one.objects)).not.toBe(digestOfObjects(other.objects));
});

test('the value of a Secret that a controller fills is in no record either', () => {
  const token = object('Secret', 'token', {
    type: 'kubernetes.io/service-account-token',
    data: { token: 'aHVudGVyMg==' },
  });
  const held = hold([token]);
  expect(held.generations).toEqual([]);
  expect(held.objects).toEqual([
    { ...token, data: undefined, metadata: { ...token.metadata, annotations: {} } },
  ]);
});

test('a digest is the same in any order, and another for any other field', () => {
  const [a, b] = [object('Service', 'a'), object('Service', 'b')];
  expect(digestOfObjects([a, b])).toBe(digestOfObjects([b, a]));
  expect(digestOfObjects([a, b])).not.toBe(digestOfObjects([a, object('Service', 'b', { spec: {} })]));
});

test('numbers count on after the highest that ever was', () => {
  const record = emptyRecord('web', 'shop');
  expect(nextNumber(record)).toBe(1);
  expect(nextNumber({ ...record, proven: revision(4, []) })).toBe(5);
  expect(nextNumber({ ...record, proven: revision(2, []), history: [revision(7, [])] })).toBe(8);
});

test('images of init containers and of jobs that are to come count, each once', () => {
  const pod = { spec: { initContainers: [{ image: 'b' }], containers: [{ image: 'a' }, { image: 'b' }] } };
  const cron = { spec: { jobTemplate: { spec: { template: { spec: { containers: [{ image: 'c' }] } } } } } };
  expect(
    imagesOf([object('Deployment', 'web', { spec: { template: pod } }), object('CronJob', 'x', cron)]),
  ).toEqual(['a', 'b', 'c']);
});

test.each([
  [[], 10],
  [[object('Deployment', 'web', { spec: {} })], 10],
  [[object('Deployment', 'web', { spec: { revisionHistoryLimit: 0 } })], 0],
  [
    [
      object('Deployment', 'a', { spec: { revisionHistoryLimit: 2 } }),
      object('Deployment', 'b', { spec: { revisionHistoryLimit: 5 } }),
    ],
    5,
  ],
])('history is as long as the longest of its workloads: %#', (objects, limit) => {
  expect(historyLimit({ objects })).toBe(limit);
});
