import { expect, it } from 'vitest';
import type { ApiResource, KubeObject } from '../../../../shared/kubernetes/index.ts';
import { type AccessNeed, accessNeeds, isGranted } from '../../../../shared/rollout/preflight/access.ts';

const served: Readonly<Record<string, Partial<ApiResource>>> = {
  Deployment: { group: 'apps', plural: 'deployments', namespaced: true },
  ConfigMap: { group: '', plural: 'configmaps', namespaced: true },
  Secret: { group: '', plural: 'secrets', namespaced: true },
  ClusterRole: { group: 'rbac.authorization.k8s.io', plural: 'clusterroles', namespaced: false },
};
const manifest = (kind: string, name = 'web') => ({
  object: { apiVersion: 'v1', kind, metadata: { name, namespace: 'shop' } } as KubeObject,
  locate: () => undefined,
});
const needs = (kinds: readonly string[], more: Partial<Parameters<typeof accessNeeds>[0]> = {}) =>
  accessNeeds({
    manifests: kinds.map((kind) => manifest(kind)),
    resourceOf: ({ kind }) => served[kind] as ApiResource,
    isLive: () => true,
    namespace: 'shop',
    pruned: [],
    undo: true,
    checks: [],
    ...more,
  });
const lines = (all: readonly AccessNeed[], need: AccessNeed['need']) =>
  all
    .filter((one) => one.need === need)
    .map(({ verb, group, resource, namespace, name }) => `${verb} ${resource}.${group} ${namespace} ${name}`);

it('asks for what applying takes, creation only where there is nothing yet', () => {
  const required = lines(needs(['Deployment']), 'required');
  expect(required).toContain('patch deployments.apps shop web');
  expect(required).not.toContain('create deployments.apps shop undefined');
  const fresh = needs(['Deployment'], { isLive: () => false });
  expect(lines(fresh, 'required')).toContain('create deployments.apps shop undefined');
  expect(lines(fresh, 'optional')).toContain('delete deployments.apps shop web');
  expect(lines(needs(['Deployment'], { isLive: () => false, undo: false }), 'optional')).not.toContain(
    'delete deployments.apps shop web',
  );
});

it('asks for the record and the Lease, by their name where that is known', () => {
  const required = lines(needs([], { record: 'slipway.web' }), 'required');
  expect(required).toEqual([
    'get configmaps. shop slipway.web',
    'create configmaps. shop undefined',
    'update configmaps. shop slipway.web',
    'get leases.coordination.k8s.io shop slipway.web',
    'create leases.coordination.k8s.io shop undefined',
    'update leases.coordination.k8s.io shop slipway.web',
  ]);
});

it('asks for kinds of the whole cluster there, for deletions when pruning, for ways to pods when checking', () => {
  expect(lines(needs(['ClusterRole']), 'required')).toContain(
    'patch clusterroles.rbac.authorization.k8s.io undefined web',
  );
  const pruned = [{ apiVersion: 'v1', kind: 'Secret', namespace: 'shop', name: 'old' }];
  expect(lines(needs([], { pruned }), 'required')).toContain('delete secrets. shop old');
  const checked = (minor: number) =>
    lines(
      needs(['Deployment'], {
        checks: ['exec', 'connect'],
        version: { major: 1, minor, release: '', text: '' },
      }),
      'required',
    ).filter((line) => line.includes('pods/'));
  expect(checked(34)).toEqual(['get pods/portforward. shop undefined', 'get pods/exec. shop undefined']);
  expect(checked(35)).toContain('create pods/exec. shop undefined');
});

it('takes each right once, required when anything requires it', () => {
  const all = needs(['ConfigMap', 'Secret', 'Deployment']);
  const keys = all.map(({ verb, group, resource, namespace, name }) =>
    [verb, group, resource, namespace, name].join(),
  );
  expect(new Set(keys).size).toBe(keys.length);
});

const need = (verb: string, resource: string, name?: string): AccessNeed => ({
  verb,
  group: resource.startsWith('pods') ? '' : 'apps',
  resource,
  namespace: 'shop',
  ...(name !== undefined && { name }),
  need: 'required',
  loses: '',
});
it.each([
  [
    'its verb',
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'] },
    need('get', 'deployments'),
    true,
  ],
  [
    'another verb',
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'] },
    need('patch', 'deployments'),
    false,
  ],
  ['another group', { verbs: ['*'], apiGroups: [''], resources: ['*'] }, need('get', 'deployments'), false],
  ['everything', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, need('get', 'pods/log'), true],
  [
    'the resource alone',
    { verbs: ['*'], apiGroups: [''], resources: ['pods'] },
    need('get', 'pods/log'),
    false,
  ],
  [
    'a subresource of all',
    { verbs: ['*'], apiGroups: [''], resources: ['*/log'] },
    need('get', 'pods/log'),
    true,
  ],
  [
    'its name',
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web'] },
    need('get', 'deployments', 'web'),
    true,
  ],
  [
    'another name',
    { verbs: ['get'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['api'] },
    need('get', 'deployments', 'web'),
    false,
  ],
  [
    'one name of all',
    { verbs: ['list'], apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['web'] },
    need('list', 'deployments'),
    false,
  ],
] as const)('a rule for %s', (_, rule, wanted, granted) => {
  expect(isGranted([rule], wanted)).toBe(granted);
});
