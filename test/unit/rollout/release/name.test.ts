import { expect, test } from 'vitest';
import { idOf, type KubeObject, keyOf } from '../../../../shared/kubernetes/index.ts';
import { releaseName, withRelease } from '../../../../shared/rollout/release/name.ts';

const object = (kind: string, name: string, release?: string): KubeObject => ({
  apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
  kind,
  metadata: {
    name,
    namespace: 'shop',
    ...(release !== undefined && { annotations: { 'slipway.dev/release': release } }),
  },
});

const live = (...objects: readonly KubeObject[]) => new Map(objects.map((one) => [keyOf(idOf(one)), one]));

const web = object('Deployment', 'web');
const worker = object('Deployment', 'worker');

test.each([
  ['the first workload', [object('Service', 'front'), web, worker], live(), undefined, 'web'],
  ['what was given', [web], live(), 'storefront', 'storefront'],
  [
    'what a live workload carries',
    [web, worker],
    live(object('Deployment', 'worker', 'shop')),
    undefined,
    'shop',
  ],
  ['what a live one carries and was given', [web], live(object('Deployment', 'web', 'shop')), 'shop', 'shop'],
])('a release is named after %s', (_, objects, there, given, name) => {
  expect(releaseName(objects, there, given)).toBe(name);
});

test.each([
  [
    'another release’s workload',
    [web],
    live(object('Deployment', 'web', 'theirs')),
    'mine',
    'Deployment shop/web belongs to release theirs and not to mine; give release: theirs, or remove its annotation slipway.dev/release to move it.',
  ],
  [
    'workloads of two releases',
    [web, worker],
    live(object('Deployment', 'web', 'a'), object('Deployment', 'worker', 'b')),
    undefined,
    'Deployment shop/worker belongs to release b and not to a; roll the objects of each release out by themselves, or name the one that all of them belong to with release, or remove its annotation slipway.dev/release to move it.',
  ],
  ['no workload', [object('Service', 'front')], live(), undefined, /give it a name with release\.$/],
  ['a name that is none', [web], live(), 'Store Front', /^release "Store Front" is not accepted: at most 63/],
  ['a name that is too long', [web], live(), 'x'.repeat(64), /is not accepted/],
])('%s is refused in words', (_, objects, there, given, words) => {
  expect(() => releaseName(objects, there, given)).toThrow(words);
});

test('the name is on workloads alone, and not on their pods', () => {
  const service = object('Service', 'web');
  const deployment = { ...web, spec: { template: { metadata: {} } } };
  expect(withRelease([service, deployment], 'shop')).toEqual([
    service,
    {
      ...deployment,
      metadata: { ...deployment.metadata, annotations: { 'slipway.dev/release': 'shop' } },
    },
  ]);
});
