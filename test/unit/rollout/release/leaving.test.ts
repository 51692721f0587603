import { expect, test } from 'vitest';
import { idOf, type KubeObject, keyOf } from '../../../../shared/kubernetes/index.ts';
import { leaving } from '../../../../shared/rollout/plan.ts';
import { adopted } from '../../../../shared/rollout/release/adopt.ts';
import { emptyRecord, type ReleaseRecord } from '../../../../shared/rollout/release/record.ts';

const object = (kind: string, name: string, annotations?: Record<string, string>): KubeObject => ({
  apiVersion: kind === 'Deployment' ? 'apps/v1' : 'v1',
  kind,
  metadata: { name, namespace: 'shop', ...(annotations && { annotations }) },
});

const record = (
  objects: readonly KubeObject[],
  dropped: readonly KubeObject[] = [],
  generations: readonly KubeObject[] = [],
): ReleaseRecord => ({
  ...emptyRecord('web', 'shop'),
  proven: {
    number: 1,
    digest: 'sha256:1',
    run: 'me@here',
    at: '',
    images: [],
    generations: generations.map(idOf),
    objects,
  },
  dropped: dropped.map(idOf),
});

const [web, old, older] = [object('Deployment', 'web'), object('Service', 'old'), object('Service', 'older')];
const kept = object('ConfigMap', 'kept', { 'slipway.dev/keep': 'true' });
const data = object('PersistentVolumeClaim', 'data');
const generation = object('ConfigMap', 'settings-123456789012');

test.each([
  ['nothing where all is still there', record([web]), [web], true, [], []],
  ['what the last revision had', record([web, old]), [web], true, [old], []],
  ['what earlier revisions had too', record([web, old], [older]), [web], true, [old, older], []],
  ['nothing without leave, and remembers it', record([web, old], [older]), [web], false, [], [old, older]],
  ['nothing that came back', record([web], [older]), [web, older], true, [], []],
  ['nothing that is kept', record([web, kept, data]), [web], true, [], [kept, data]],
  ['no generation of configuration', record([web, generation], [], [generation]), [web], true, [], []],
  ['nothing before the first revision', emptyRecord('web', 'shop'), [web], true, [], []],
])('a run prunes %s', (_, before, objects, prune, pruned, dropped) => {
  const manifests = objects.map((one) => ({ object: one, locate: () => undefined }));
  expect(leaving(before, manifests, prune)).toEqual({ pruned: pruned.map(idOf), dropped: dropped.map(idOf) });
});

test('a run prunes nothing, and remembers nothing, that was adopted and never rolled out to its end', () => {
  const manifests = [{ object: web, locate: () => undefined }];
  const found = record([web, old]);
  const { proven } = found;
  const ofFirst: ReleaseRecord = { ...found, proven: { ...proven!, adopted: true } };
  const ofLater: ReleaseRecord = {
    ...found,
    attempt: { phase: 'watching', revision: proven!, created: [], adopted: [idOf(old)] },
  };
  for (const before of [ofFirst, ofLater])
    for (const prune of [true, false])
      expect(leaving(before, manifests, prune)).toEqual({ pruned: [], dropped: [] });
});

const live = (...objects: readonly KubeObject[]) => new Map(objects.map((one) => [keyOf(idOf(one)), one]));
const names = (objects: readonly KubeObject[]) => objects.map(({ metadata }) => metadata.name);

test.each([
  ['all that runs already before the first run', emptyRecord('web', 'shop'), live(web, old), ['web', 'old']],
  ['nothing where no workload runs yet', emptyRecord('web', 'shop'), live(old), []],
  ['what joins a release that is known', record([web]), live(web, old), ['old']],
  ['nothing that is known', record([web, old]), live(web, old), []],
])('an attempt adopts %s', (_, before, there, adoptees) => {
  expect(names(adopted([web, old], there, before))).toEqual(adoptees);
});

test('an attempt adopts nothing that a failed one made', () => {
  const { proven, ...rest } = record([web]);
  const failed: ReleaseRecord = {
    ...rest,
    proven: undefined,
    attempt: { phase: 'failed', revision: proven!, created: [idOf(web), idOf(old)] },
  };
  expect(adopted([web, old], live(web, old), failed)).toEqual([]);
});
