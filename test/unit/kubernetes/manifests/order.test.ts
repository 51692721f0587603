import { describe, expect, it } from 'vitest';
import { idOf, inOrder, inRemovalOrder, withNamespace } from '../../../../shared/kubernetes/index.ts';
import { failureIn } from './failure.ts';
import { given, objectsIn } from './given.ts';

const object = (apiVersion: string, kind: string, rest = 'metadata: {name: a}') =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\n${rest}\n`;

const MIXED = [
  ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'],
  ['networking.k8s.io/v1', 'Ingress'],
  ['example.com/v1', 'Thing'],
  ['autoscaling/v2', 'HorizontalPodAutoscaler'],
  ['apps/v1', 'Deployment'],
  ['batch/v1', 'Job'],
  ['serving.knative.dev/v1', 'Service'],
  ['v1', 'Service'],
  ['rbac.authorization.k8s.io/v1', 'RoleBinding'],
  ['rbac.authorization.k8s.io/v1', 'Role'],
  ['v1', 'ConfigMap'],
  ['v1', 'ServiceAccount'],
  ['apiextensions.k8s.io/v1', 'CustomResourceDefinition'],
  ['v1', 'Namespace'],
] as const;
const mixed = () => given(MIXED.map(([apiVersion, kind]) => object(apiVersion, kind)).join('---\n'));

describe('waves', () => {
  it('put everything after what it needs, and keep the order of the user within', () => {
    expect(inOrder(mixed()).map((wave) => objectsIn(wave).map(({ kind }) => kind))).toEqual([
      ['Namespace'],
      ['CustomResourceDefinition'],
      ['Role', 'ConfigMap', 'ServiceAccount'],
      ['RoleBinding'],
      ['Service'],
      ['Deployment', 'Job'],
      ['Ingress', 'Thing', 'HorizontalPodAutoscaler', 'Service'],
      ['ValidatingWebhookConfiguration'],
    ]);
  });

  it('of a removal are the same backwards', () => {
    const ids = objectsIn(mixed()).map(idOf);
    const waves = inRemovalOrder(ids).map((wave) => wave.map(({ kind }) => kind));
    expect(waves.map(([first]) => first)).toEqual([
      'ValidatingWebhookConfiguration',
      'Ingress',
      'Deployment',
      'Service',
      'RoleBinding',
      'Role',
      'CustomResourceDefinition',
      'Namespace',
    ]);
  });
});

describe('the namespace', () => {
  const unknown = () => undefined;
  const namespaces = async (
    text: string,
    isNamespaced = unknown as (v: string, k: string) => boolean | undefined,
  ) =>
    objectsIn(await withNamespace(given(text), 'shop', isNamespaced)).map(
      ({ metadata }) => metadata.namespace,
    );

  it.each([
    ['v1', 'ConfigMap', 'shop'],
    ['v1', 'Namespace', undefined],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole', undefined],
    ['rbac.authorization.k8s.io/v1', 'Role', 'shop'],
    ['admissionregistration.k8s.io/v1', 'MutatingWebhookConfiguration', undefined],
    ['example.com/v1', 'Thing', 'shop'],
  ])('without a cluster: %s %s → %s', async (apiVersion, kind, namespace) =>
    expect(await namespaces(object(apiVersion, kind))).toEqual([namespace]),
  );

  it('is what the cluster says', async () => {
    const asked: string[] = [];
    const isNamespaced = (apiVersion: string, kind: string) => {
      asked.push(`${apiVersion} ${kind}`);
      return kind !== 'Thing';
    };
    const text = [
      object('x/v1', 'Thing'),
      object('x/v1', 'Thing', 'metadata: {name: b}'),
      object('x/v1', 'Other'),
    ];
    expect(await namespaces(text.join('---\n'), isNamespaced)).toEqual([undefined, undefined, 'shop']);
    expect(asked).toEqual(['x/v1 Thing', 'x/v1 Other']);
  });

  it('is what a CRD among the manifests says, whatever the cluster has now', async () => {
    const crd = object(
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      'metadata: {name: things.x}\nspec: {group: x, scope: Cluster, names: {kind: Thing}}',
    );
    expect(await namespaces(`${crd}---\n${object('x/v1', 'Thing')}`, () => true)).toEqual([
      'shop',
      undefined,
    ]);
  });

  it('that is written stays, and goes where the kind has none', async () => {
    const rest = 'metadata: {name: a, namespace: other}';
    const text = `${object('v1', 'ConfigMap', rest)}---\n${object('v1', 'Namespace', rest)}`;
    expect(await namespaces(text)).toEqual(['other', undefined]);
    expect(await namespaces(object('v1', 'ConfigMap', 'metadata: {name: a, namespace: ""}'))).toEqual([
      'shop',
    ]);
  });

  it('makes one object of two', async () => {
    const text = `${object('v1', 'ConfigMap')}---\n${object('v1', 'ConfigMap', 'metadata: {name: a, namespace: shop}')}`;
    expect(await namespaces(text)).toEqual(['shop']);
    expect((await failureIn(namespaces(`${text}\ndata: {a: b}`))).message).toBe(
      'ConfigMap shop/a is declared twice and not alike: given.yaml:3 and given.yaml:7; keep one of them.',
    );
  });
});
