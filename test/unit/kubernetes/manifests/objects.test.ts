import { expect, it } from 'vitest';
import { formatId, idOf } from '../../../../shared/kubernetes/index.ts';
import { withoutTwins } from '../../../../shared/kubernetes/manifests/objects.ts';
import { placeOfFailure } from './failure.ts';
import { given } from './given.ts';

const object = (rest: string) => `apiVersion: v1\nkind: ConfigMap\n${rest}`;

it.each([
  ['- a', 'This document is no Kubernetes object: it has no apiVersion and kind.', 1],
  ['image:\n  tag: 1', 'This document has no apiVersion, so it is no Kubernetes object.', 1],
  ['apiVersion: v1\nmetadata: {name: a}', 'This document has no kind, so it is no Kubernetes object.', 1],
  ['apiVersion: 1\nkind: A', 'apiVersion is 1, not text.', 1],
  [object('data: {}'), 'This ConfigMap has no metadata.name.', 2],
  [object('metadata:\n  labels: {}'), 'This ConfigMap has no metadata.name.', 3],
  [
    object('metadata:\n  generateName: a-'),
    'This ConfigMap has generateName: what is rolled out again needs the same name each time, so give it a metadata.name.',
    4,
  ],
  [object('metadata:\n  name: 1'), 'metadata.name is read as 1; put it in quotes.', 4],
  [
    object('metadata:\n  name: $' + '{APP}'),
    'metadata.name is "$' + '{APP}": a placeholder in it was not replaced.',
    4,
  ],
  [
    object('metadata:\n  name: a\n  namespace: <team>'),
    'metadata.namespace is "<team>": a placeholder in it was not replaced.',
    5,
  ],
  [
    object('metadata:\n  name: a\n  labels:\n    version: 1.10'),
    'metadata.labels["version"] is read as 1.1, not as text; put it in quotes.',
    6,
  ],
  [
    object('metadata:\n  name: a\n  annotations: {x: on}'),
    'metadata.annotations["x"] is read as true, not as text; put it in quotes.',
    5,
  ],
  [
    'apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - image: "{{ .Values.image }}"',
    'spec.containers[0].image is "{{ .Values.image }}": the chart was not rendered; give what "helm template" makes of it.',
    6,
  ],
])('%j', (text, message, line) => {
  expect(placeOfFailure(() => given(text))).toMatchObject({
    message,
    location: { file: 'given.yaml', line },
  });
});

it('templates that others fill in are left alone', () => {
  const rule =
    'apiVersion: x/v1\nkind: PrometheusRule\nmetadata: {name: a}\nspec: {text: "{{ $labels.pod }}"}';
  const chart = object('metadata: {name: a}\ndata: {x: "{{ .Values.x }}"}');
  expect(given(`${rule}\n---\n${chart}`)).toHaveLength(2);
});

it('lists are taken apart, and their objects keep their places', () => {
  const text = [
    'apiVersion: v1',
    'kind: List',
    'items:',
    '  - {apiVersion: v1, kind: ConfigMap, metadata: {name: a}}',
    '  - apiVersion: v1',
    '    kind: ConfigMapList',
    '    items:',
    '      - {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}',
  ].join('\n');
  const manifests = given(text);
  expect(manifests.map(({ object }) => formatId(idOf(object)))).toEqual(['ConfigMap a', 'ConfigMap b']);
  expect(manifests.map(({ locate }) => locate(['metadata', 'name'])?.line)).toEqual([4, 8]);
});

it('items of a ConfigMapList may leave their kind out', () => {
  const text = 'apiVersion: v1\nkind: ConfigMapList\nitems:\n  - metadata: {name: a}';
  expect(given(text).map(({ object }) => object)).toEqual([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
  ]);
});

it('the same object twice names both places, whatever the version', () => {
  const twice = (version: string) =>
    `apiVersion: ${version}\nkind: Thing\nmetadata: {name: a, namespace: ns}\n`;
  const manifests = given(`${twice('x/v1')}---\n${twice('y/v1')}---\n${twice('x/v2')}`);
  expect(placeOfFailure(() => withoutTwins(manifests))).toEqual({
    message: 'Thing ns/a is declared twice and not alike: given.yaml:3 and given.yaml:11; keep one of them.',
    location: { file: 'given.yaml', line: 11, column: 12 },
  });
});

it('the same object twice in the same words is one', () => {
  const text = 'apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n';
  expect(withoutTwins(given(`${text}---\n${text}`))).toHaveLength(1);
});

it('templates of custom resources are for others to fill in', () => {
  const text = `apiVersion: monitoring.coreos.com/v1beta1
kind: AlertmanagerConfig
metadata: {name: a}
spec: {receivers: [{name: b, slackConfigs: [{text: '{{ template "slack.text" . }}'}]}]}`;
  expect(given(text)).toHaveLength(1);
});

it('what only the server writes is left out of what was exported', () => {
  const text = `apiVersion: v1
kind: ConfigMap
metadata:
  name: a
  creationTimestamp: null
  uid: u
  resourceVersion: "1"
  generation: 1
  managedFields: []
  labels: {b: c}
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}", d: e}
`;
  expect(given(text)[0]!.object.metadata).toEqual({ name: 'a', labels: { b: 'c' }, annotations: { d: 'e' } });
});
