import { describe, expect, it } from 'vitest';
import {
  absentFrom,
  at,
  contains,
  difference,
  extract,
  fieldsOf,
  formatSteps,
  isEmpty,
  type KubeObject,
  NO_FIELDS,
  only,
  ownedFields,
  ownersOf,
  pathOfSteps,
  unheld,
  union,
  without,
  writeFields,
} from '../../../../shared/kubernetes/index.ts';
import recorded from '../../../fixtures/kubernetes/recorded-managed-fields.json' with { type: 'json' };

// A Deployment that kubectl applied and the controllers wrote to, as an API server 1.34 gave it.
const live = recorded as unknown as KubeObject;
const [controller, kubectl] = ownersOf(live);

const text = (set: typeof NO_FIELDS) => [...fieldsOf(set)].map(formatSteps);
const container = ['f:spec', 'f:template', 'f:spec', 'f:containers', 'k:{"name":"web"}'];

describe('sets of fields', () => {
  it('are read with their owners', () => {
    expect([controller, kubectl]).toMatchObject([
      {
        manager: 'kube-controller-manager',
        operation: 'Update',
        subresource: 'status',
        apiVersion: 'apps/v1',
      },
      { manager: 'kubectl-client-side-apply', operation: 'Update', subresource: '' },
    ]);
    expect(kubectl!.time).toMatch(/^\d{4}-\d\d-\d\dT/);
  });

  it('are written as they were read', () => {
    const written = ownersOf(live).map(({ fields }) => writeFields(fields));
    expect(written).toEqual(live.metadata.managedFields!.map(({ fieldsV1 }) => fieldsV1));
  });

  it('name their fields as the API server does in conflicts', () => {
    const names = text(kubectl!.fields);
    expect(names).toContain('.spec.replicas');
    expect(names).toContain('.metadata.annotations.a.b/c');
    expect(names).toContain('.spec.template.spec.containers[name="web"].image');
    expect(names).toContain(
      '.spec.template.spec.containers[name="web"].ports[containerPort=8080,protocol="TCP"].name',
    );
    expect(formatSteps(['f:finalizers', 'v:"a/b"'])).toBe('.finalizers[="a/b"]');
    expect(formatSteps(['f:list', 'i:2', 'f:x'])).toBe('.list[2].x');
  });

  it('are joined and taken from each other field by field', () => {
    const replicas = only(['f:spec', 'f:replicas']);
    const image = only([...container, 'f:image']);
    const both = union(replicas, image, NO_FIELDS);
    expect(text(both)).toEqual(['.spec.replicas', '.spec.template.spec.containers[name="web"].image']);
    expect(text(difference(both, replicas))).toEqual(['.spec.template.spec.containers[name="web"].image']);
    expect(isEmpty(difference(both, both))).toBe(true);
    expect(contains(kubectl!.fields, container)).toBe(true);
    expect(contains(controller!.fields, container)).toBe(false);
    // An item stays in the set when another item or field goes.
    const rest = difference(kubectl!.fields, union(image, replicas));
    expect(contains(rest, container)).toBe(true);
    expect(contains(rest, [...container, 'f:image'])).toBe(false);
    expect(at(rest, ['f:spec']).below.has('f:replicas')).toBe(false);
  });

  it('do not let go what others hold something of', () => {
    const item = union(only(container), only([...container, 'f:args']));
    expect(text(unheld(item, only([...container, 'f:image'])))).toEqual([
      '.spec.template.spec.containers[name="web"].args',
    ]);
    expect(text(unheld(item, NO_FIELDS))).toEqual([
      '.spec.template.spec.containers[name="web"]',
      '.spec.template.spec.containers[name="web"].args',
    ]);
  });
});

describe('an object by its fields', () => {
  it('is cut down to a set, with the keys of its items', () => {
    expect(extract(live, union(only([...container, 'f:image']), only(['f:spec', 'f:replicas'])))).toEqual({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop' },
      spec: {
        replicas: 1,
        template: { spec: { containers: [{ name: 'web', image: 'registry.test/app:v1' }] } },
      },
    });
  });

  it('is given whole where one owner has all', () => {
    const { status, ...rest } = extract(live, ownedFields(live)) as KubeObject & { status: unknown };
    expect(rest.spec).toEqual(live.spec);
    expect(status).toEqual(live.status);
  });

  it('gives a field empty below which others own', () => {
    const shared: KubeObject = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: 'p',
        managedFields: [
          {
            manager: 'a',
            operation: 'Apply',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:securityContext': {} } },
          },
          {
            manager: 'b',
            operation: 'Apply',
            fieldsType: 'FieldsV1',
            fieldsV1: { 'f:spec': { 'f:securityContext': { 'f:runAsUser': {} }, 'f:args': {} } },
          },
        ],
      },
      spec: { securityContext: { runAsUser: 1 }, args: ['x'] },
    };
    const [a, b] = ownersOf(shared);
    expect(extract(shared, a!.fields).spec).toEqual({ securityContext: {} });
    expect(extract(shared, b!.fields).spec).toEqual({ securityContext: { runAsUser: 1 }, args: ['x'] });
  });

  it('is given without a set, and tells what of a set it lacks', () => {
    const cut = without(live, union(only([...container, 'f:env']), only(['f:spec', 'f:strategy'])));
    expect(cut.spec).not.toHaveProperty('strategy');
    expect(text(absentFrom(cut, kubectl!.fields)).filter((field) => !field.includes('env['))).toEqual([
      '.spec.strategy',
      '.spec.strategy.rollingUpdate',
      '.spec.strategy.rollingUpdate.maxSurge',
      '.spec.strategy.rollingUpdate.maxUnavailable',
      '.spec.strategy.type',
      '.spec.template.spec.containers[name="web"].env',
    ]);
    expect(isEmpty(absentFrom(live, kubectl!.fields))).toBe(true);
    expect(
      (without(live, only(container)).spec as { template: { spec: { containers: unknown } } }).template.spec
        .containers,
    ).toEqual([]);
  });

  it('has an item whose key is left to its default', () => {
    const service = { spec: { ports: [{ port: 80 }, { port: 80, protocol: 'UDP' }] } };
    const steps = ['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:port'];
    expect(pathOfSteps(service, steps)).toEqual(['spec', 'ports', 0, 'port']);
    expect(pathOfSteps(service, ['f:spec', 'f:ports', 'k:{"port":81,"protocol":"TCP"}'])).toEqual([
      'spec',
      'ports',
    ]);
  });
});
