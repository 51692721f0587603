import { expect, test } from 'vitest';
import { Watched, type WireEvent } from '../../../../shared/kubernetes/client/watched.ts';
import type { KubeObject, WatchEvent } from '../../../../shared/kubernetes/index.ts';

type Step =
  | { readonly list: readonly KubeObject[]; readonly at: string }
  | readonly [WireEvent['type'] & ('ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'), KubeObject];

const pod = (name: string, uid: string, resourceVersion: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid, resourceVersion },
});
const bookmark = (resourceVersion: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { resourceVersion } as KubeObject['metadata'],
});
const line = (event: WatchEvent) =>
  event.type === 'synced'
    ? 'synced'
    : `${event.type} ${event.object.metadata.name}:${event.object.metadata.uid}@${event.object.metadata.resourceVersion}`;

function play(steps: readonly Step[]): { told: string[]; resourceVersion: string } {
  const watched = new Watched();
  const told = steps.flatMap((step) =>
    'list' in step
      ? [...watched.relist({ items: step.list, resourceVersion: step.at })]
      : [...watched.take({ type: step[0], object: step[1] })],
  );
  return { told: told.map(line), resourceVersion: watched.resourceVersion };
}

const start: Step = { list: [pod('a', 'u1', '1'), pod('b', 'u2', '2')], at: '5' };
const started = ['added a:u1@1', 'added b:u2@2', 'synced'];

test.each<[string, readonly Step[], readonly string[], string]>([
  ['what is there comes first', [start], [], '5'],
  [
    'changes as they come',
    [
      start,
      ['MODIFIED', pod('a', 'u1', '6')],
      ['ADDED', pod('c', 'u3', '7')],
      ['DELETED', pod('b', 'u2', '8')],
    ],
    ['modified a:u1@6', 'added c:u3@7', 'deleted b:u2@8'],
    '8',
  ],
  ['a bookmark moves on and tells nothing', [start, ['BOOKMARK', bookmark('40')]], [], '40'],
  [
    'what is sent again after a new connection is told once',
    [start, ['MODIFIED', pod('a', 'u1', '6')], ['MODIFIED', pod('a', 'u1', '6')]],
    ['modified a:u1@6'],
    '6',
  ],
  [
    'made again under its name: deleted, then added',
    [start, ['DELETED', pod('a', 'u1', '6')], ['ADDED', pod('a', 'u9', '7')]],
    ['deleted a:u1@6', 'added a:u9@7'],
    '7',
  ],
  [
    'made again while nobody looked: deleted, then added',
    [start, ['MODIFIED', pod('a', 'u9', '7')]],
    ['deleted a:u1@1', 'added a:u9@7'],
    '7',
  ],
  ['the deletion of one that is another by now', [start, ['DELETED', pod('a', 'u0', '6')]], [], '6'],
  ['the deletion of one that was never told', [start, ['DELETED', pod('x', 'u7', '6')]], [], '6'],
  [
    'a new list tells what changed, what is gone, what is new, what was made again, and nothing else',
    [
      { list: [pod('a', 'u1', '1'), pod('b', 'u2', '2'), pod('c', 'u3', '3'), pod('d', 'u4', '4')], at: '5' },
      {
        list: [pod('a', 'u1', '1'), pod('b', 'u2', '9'), pod('d', 'u8', '9'), pod('e', 'u5', '9')],
        at: '10',
      },
    ],
    ['deleted c:u3@3', 'modified b:u2@9', 'deleted d:u4@4', 'added d:u8@9', 'added e:u5@9', 'synced'],
    '10',
  ],
  [
    'an empty list tells that all is gone',
    [start, { list: [], at: '9' }],
    ['deleted a:u1@1', 'deleted b:u2@2', 'synced'],
    '9',
  ],
])('%s', (_, steps, expected, resourceVersion) => {
  const { told, ...rest } = play(steps);
  const initial = told.indexOf('synced') + 1;
  if (steps[0] === start) expect(told.slice(0, initial)).toEqual(started);
  expect(told.slice(initial)).toEqual(expected);
  expect(rest.resourceVersion).toBe(resourceVersion);
});

test('objects of one name in two namespaces are two', () => {
  const other = (uid: string): KubeObject => ({
    ...pod('a', uid, '1'),
    metadata: { ...pod('a', uid, '1').metadata, namespace: 'other' },
  });
  expect(play([{ list: [pod('a', 'u1', '1'), other('u2')], at: '2' }]).told).toEqual([
    'added a:u1@1',
    'added a:u2@1',
    'synced',
  ]);
});
