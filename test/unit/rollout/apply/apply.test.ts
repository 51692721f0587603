import { describe, expect, it } from 'vitest';
import {
  ApiError,
  contains,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  ownersOf,
} from '../../../../shared/kubernetes/index.ts';
import { autoscaled } from '../../../../shared/rollout/apply/autoscaled.ts';
import { conflictsOf, unforced } from '../../../../shared/rollout/apply/conflicts.ts';
import { declared } from '../../../../shared/rollout/apply/declared.ts';
import { compareObjects } from '../../../../shared/rollout/apply/diff.ts';
import { isForced, parseForcePatterns } from '../../../../shared/rollout/apply/force.ts';
import { formatChange } from '../../../../shared/rollout/apply/format-change.ts';
import { LAST_APPLIED, withLastApplied } from '../../../../shared/rollout/apply/last-applied.ts';
import { lineDiff } from '../../../../shared/rollout/apply/line-diff.ts';
import { pruneCandidates } from '../../../../shared/rollout/apply/prune.ts';
import { holdsQuantity } from '../../../../shared/rollout/apply/quantity.ts';
import { isImmutable, refusalOf } from '../../../../shared/rollout/apply/refusal.ts';
import { takenOver } from '../../../../shared/rollout/apply/take-over.ts';
import recorded from '../../../fixtures/kubernetes/recorded-managed-fields.json' with { type: 'json' };

const live = recorded as unknown as KubeObject;
const manifest = (object: unknown): Manifest => ({
  object: object as KubeObject,
  locate: (path) => ({ file: 'app.yaml', line: path.length + 1 }),
});
const object = (kind: string, rest: object = {}): KubeObject => ({
  apiVersion: kind === 'Secret' || kind === 'ConfigMap' ? 'v1' : 'apps/v1',
  kind,
  metadata: { name: 'web', namespace: 'shop' },
  ...rest,
});
const apiError = (status: number, message: string, causes: ApiError['causes'] = [], reason = 'Invalid') =>
  new ApiError({ status, reason, message, causes, call: 'PATCH' });

describe('force-conflicts', () => {
  const image = '.spec.template.spec.containers[name="app"].image';
  const steps = ['f:spec', 'f:template', 'f:spec', 'f:containers', 'k:{"name":"app"}', 'f:image'];
  const dotted = { field: '.data.app.yaml', steps: ['f:data', 'f:app.yaml'] };
  it.each([
    ['*', image, steps, true],
    ['Deployment/web:*', image, steps, true],
    ['Deployment/api:*', image, steps, false],
    ['StatefulSet:*', image, steps, false],
    ['spec.template.spec.containers[name=app].image', image, steps, true],
    ['.spec.template.spec.containers[name="app"]', image, steps, true],
    ['spec.template.spec.containers[*].image', image, steps, true],
    ['spec.template.spec.containers[*].args', image, steps, false],
    ['Deployment:spec', image, steps, true],
    ['spec.template.spec.containers[name=ap]', image, steps, false],
    ['spec.temp', image, steps, false],
    ['data.app', dotted.field, dotted.steps, false],
    ['data.app.yaml', dotted.field, dotted.steps, true],
    ['spec.replicas', '.spec.replicas', undefined, true],
  ])('%s, asked for %s', (line, field, way, forced) => {
    const conflict = { id: idOf(object('Deployment')), field, manager: 'helm' };
    expect(isForced(parseForcePatterns([line]), conflict, way)).toBe(forced);
  });

  it.each(['', 'Deployment/web', '/spec', '[0]'])('refuses "%s"', (line) => {
    expect(() => parseForcePatterns([line])).toThrow(/^force-conflicts: ".*" is no field; accepted are/);
  });
});

describe('conflicts', () => {
  const error = apiError(
    409,
    'Apply failed',
    [
      {
        reason: 'FieldManagerConflict',
        field: '.spec.replicas',
        message:
          'conflict with "kube-controller-manager" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z',
      },
      { reason: 'FieldManagerConflict', field: '.spec.paused', message: 'conflict with "a \\"b\\""' },
    ],
    'Conflict',
  );
  const told = (scaled: boolean, force: string[] = []) =>
    unforced(conflictsOf(object('Deployment'), error), {
      manifest: manifest(object('Deployment')),
      live: undefined,
      force: parseForcePatterns(force),
      scaled,
    }).map(({ field, manager }) => `${field} ${manager}`);

  it('are read with their owners, and replicas are free that no autoscaler holds any more', () => {
    expect(told(true)).toEqual(['.spec.replicas kube-controller-manager', '.spec.paused a "b"']);
    expect(told(false)).toEqual(['.spec.paused a "b"']);
    expect(told(false, ['spec.paused'])).toEqual([]);
  });

  it('are not read from a version that is no longer there', () => {
    expect(conflictsOf(object('Deployment'), apiError(409, 'the object has been modified'))).toEqual([]);
  });
});

describe('taking over from kubectl', () => {
  const owned = (managedFields: readonly object[]): KubeObject => ({
    ...live,
    metadata: { ...live.metadata, managedFields: managedFields as never },
  });
  const replicas = ['f:spec', 'f:replicas'];
  const holders = (moved: KubeObject) =>
    ownersOf(moved)
      .filter(({ fields }) => contains(fields, replicas))
      .map(({ manager, operation }) => `${manager} ${operation}`);

  it('moves all fields, leaves controllers theirs, and has nothing more to do then', () => {
    const moved = owned(takenOver(live, { keepReplicas: false })!);
    expect(ownersOf(moved).map(({ manager, operation }) => `${manager} ${operation}`)).toEqual([
      'slipway Apply',
      'kube-controller-manager Update',
    ]);
    expect(ownersOf(moved)[0]!.fields).toEqual(ownersOf(live)[1]!.fields);
    expect(takenOver(moved, { keepReplicas: false })).toBeUndefined();
  });

  it('leaves replicas that are scaled with their old owner', () => {
    const moved = owned(takenOver(live, { keepReplicas: true })!);
    expect(holders(moved)).toEqual(['kubectl-client-side-apply Update']);
    expect(takenOver(moved, { keepReplicas: true })).toBeUndefined();
  });

  it('hands replicas of ours on before they are dropped', () => {
    const ours = owned(takenOver(live, { keepReplicas: false })!);
    const moved = owned(takenOver(ours, { keepReplicas: true })!);
    expect(holders(moved)).toEqual(['slipway Update']);
    expect(takenOver(moved, { keepReplicas: true })).toBeUndefined();
  });

  it('takes the last-applied annotation from whoever keeps it', () => {
    const entry = (manager: string, fields: object) => ({
      manager,
      operation: 'Apply',
      apiVersion: 'apps/v1',
      fieldsType: 'FieldsV1',
      fieldsV1: fields,
    });
    const kept = owned([
      entry('slipway', { 'f:spec': { 'f:paused': {} } }),
      entry('kubectl-last-applied', { 'f:metadata': { 'f:annotations': { [`f:${LAST_APPLIED}`]: {} } } }),
    ]);
    expect(ownersOf(owned(takenOver(kept, { keepReplicas: false })!)).map(({ manager }) => manager)).toEqual([
      'slipway',
    ]);
  });
});

describe('what is sent', () => {
  const sent = (given: KubeObject, over?: KubeObject, scaled: string[] = []) =>
    declared(given, idOf(given), { live: over, scaled: new Set(scaled) });

  it('has nothing in it that the API server alone writes', () => {
    const { metadata, ...rest } = sent(live);
    expect(Object.keys(metadata).sort()).toEqual(['annotations', 'name', 'namespace']);
    expect(metadata.annotations).not.toHaveProperty(LAST_APPLIED);
    expect(rest).not.toHaveProperty('status');
  });

  it('leaves replicas out that are scaled, and says so in last-applied where there is one', () => {
    const given = object('Deployment', { spec: { replicas: 3, paused: true } });
    const result = sent(given, live, [keyOf(idOf(given))]);
    expect(result.spec).toEqual({ paused: true });
    expect(JSON.parse(result.metadata.annotations![LAST_APPLIED]!).spec).toEqual({ paused: true });
    expect(sent(given).metadata).toEqual(given.metadata);
  });

  it('has the stringData of a Secret in its data', () => {
    const given = object('Secret', { data: { a: 'YQ==', b: 'Yg==' }, stringData: { b: 'c' } });
    expect(sent(given)).toMatchObject({ data: { a: 'YQ==', b: 'Yw==' } });
    expect(sent(given)).not.toHaveProperty('stringData');
  });

  it('has no last-applied that is larger than annotations may be', () => {
    const large = object('ConfigMap', { data: { a: 'x'.repeat(256 * 1024) } });
    expect(withLastApplied(large).metadata.annotations).toEqual({});
  });

  it('knows the targets of autoscalers', () => {
    const scaler = (target: object, namespace = 'shop') => ({
      apiVersion: 'autoscaling/v2',
      kind: 'HorizontalPodAutoscaler',
      metadata: { name: 'h', namespace },
      spec: { scaleTargetRef: target },
    });
    const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
    const key = keyOf(idOf(object('Deployment')));
    expect(autoscaled([scaler(target)]).has(key)).toBe(true);
    expect(autoscaled([scaler({ ...target, apiVersion: undefined })]).has(key)).toBe(true);
    expect(autoscaled([scaler(target, 'other')]).has(key)).toBe(false);
    expect(autoscaled([scaler({ ...target, kind: 'StatefulSet' })]).has(key)).toBe(false);
  });
});

describe('a refusal', () => {
  it('names the field, its line and the rule, and not a long or secret value', () => {
    const dump = 'core.PodTemplateSpec{Env:[]core.EnvVar{core.EnvVar{Name:"T", Value:"hush: it"}}}';
    const error = apiError(422, 'Job "web" is invalid', [
      { field: 'spec.template', message: `Invalid value: ${dump}: field is immutable` },
    ]);
    expect(isImmutable(error)).toBe(true);
    const { message, location } = refusalOf(manifest(object('Job')), error);
    expect(message).toMatch(
      /^Job shop\/web was refused: spec\.template: Invalid value: field is immutable\. /,
    );
    expect(message).not.toContain('hush');
    expect(location).toEqual({ file: 'app.yaml', line: 3 });

    const short = {
      field: 'spec.replicas',
      message: 'Invalid value: -1: must be greater than or equal to 0',
    };
    expect(refusalOf(manifest(object('Deployment')), apiError(422, '', [short])).message).toBe(
      'Deployment shop/web was refused: spec.replicas: Invalid value: -1: must be greater than or equal to 0.',
    );
    const typed = apiError(
      500,
      'failed to create typed patch object (shop/web; v1, Kind=X): .data.a: expected string, got &value.valueUnstructured{Value:12345}',
    );
    expect(refusalOf(manifest(object('ConfigMap')), typed)).toMatchObject({
      message: expect.stringMatching(/ \.data\.a: expected string, got 12345\.$/),
      location: { line: 3 },
    });
    expect(refusalOf(manifest(object('Secret')), typed).message).not.toContain('12345');
    const secret = { field: 'data[a]', message: 'Invalid value: "hush": must be Base64' };
    expect(refusalOf(manifest(object('Secret')), apiError(422, '', [secret])).message).not.toContain('hush');
  });
});

describe('a comparison', () => {
  const lines = (before: object, after: object, kind = 'Deployment') =>
    compareObjects(object(kind, before), object(kind, after)).fields.map(formatChange);

  it('tells items of lists apart by their keys', () => {
    const containers = (...list: object[]) => ({ spec: { containers: list } });
    expect(
      lines(
        containers({ name: 'a', image: 'i:1', args: ['x', 'y'] }, { name: 'b' }),
        containers({ name: 'c' }, { name: 'a', image: 'i:2', args: ['x'] }),
      ).sort(),
    ).toEqual([
      'spec.containers[name=a].args: ["x","y"] → ["x"]',
      'spec.containers[name=a].image: i:1 → i:2',
      'spec.containers[name=b]: removed, was {"name":"b"}',
      'spec.containers[name=c]: set to {"name":"c"}',
    ]);
  });

  it('shows long texts by their lines, and of a Secret nothing', () => {
    const change = compareObjects(
      object('ConfigMap', { data: { 'app.yaml': 'a\nb\nc\n' } }),
      object('ConfigMap', { data: { 'app.yaml': 'a\nB\nc\n' } }),
    );
    expect(change).toMatchObject({ kind: 'update', basis: 'compared' });
    expect(change.fields[0]!.lines).toEqual(['@@ -1,4 +1,4 @@', ' a', '-b', '+B', ' c', ' ']);
    expect(formatChange(change.fields[0]!)).toBe('data["app.yaml"]: 1 lines removed, 1 added');
    expect(lines({ data: { a: 'aHVzaA==' } }, { stringData: { a: 'other' } }, 'Secret')).toEqual([
      'data.a: different (secret)',
    ]);
    expect(lines({ data: { a: 'aHVzaA==' } }, { stringData: { a: 'hush' } }, 'Secret')).toEqual([]);
  });

  it('takes what is left out and what is empty for the same', () => {
    expect(lines({ spec: { a: {}, b: [], c: null } }, { spec: {} })).toEqual([]);
    expect(compareObjects(undefined, object('ConfigMap')).kind).toBe('create');
  });
});

describe('a line diff', () => {
  const numbers = (...marks: [number, string][]) =>
    Array.from({ length: 20 }, (_, index) => marks.find(([at]) => at === index)?.[1] ?? `${index}`).join(
      '\n',
    );
  it('has a hunk for each place, with the lines around it', () => {
    expect(lineDiff(numbers(), numbers([2, 'x'], [15, 'y\nz']))).toEqual([
      ...['@@ -1,6 +1,6 @@', ' 0', ' 1', '-2', '+x', ' 3', ' 4', ' 5'],
      ...['@@ -13,7 +13,8 @@', ' 12', ' 13', ' 14', '-15', '+y', '+z', ' 16', ' 17', ' 18'],
    ]);
  });
});

describe('quantities', () => {
  it('are looked for where they are', () => {
    expect(holdsQuantity('spec.containers[name=a].resources.limits.cpu')).toBe(true);
    expect(holdsQuantity('spec.containers[name=a].env[name=A].value')).toBe(false);
    expect(holdsQuantity('metadata.labels.version')).toBe(false);
  });
});

describe('pruning', () => {
  it('leaves what is wanted, kept, or takes more with it', () => {
    const named = (kind: string, name: string, annotations = {}): KubeObject => ({
      apiVersion: 'v1',
      kind,
      metadata: { name, annotations },
    });
    const proven = [
      named('ConfigMap', 'wanted'),
      named('ConfigMap', 'gone'),
      named('ConfigMap', 'kept', { 'slipway.dev/keep': 'true' }),
      named('ConfigMap', 'helm', { 'helm.sh/resource-policy': 'keep' }),
      named('Namespace', 'space'),
      named('PersistentVolumeClaim', 'data'),
      named('PersistentVolumeClaim', 'scratch', { 'slipway.dev/prune': 'true' }),
    ];
    const names = pruneCandidates(proven, [manifest(proven[0])]).map(({ name }) => name);
    expect(names).toEqual(['gone', 'scratch']);
  });
});
