import { describe, expect, it } from 'vitest';
import {
  ANNOTATION_CONFIGURATION,
  configurationOf,
  generationLabel,
  generationOf,
  type KubeObject,
  LABEL_GENERATION_OF,
  podTemplateOf,
  withConfiguration,
} from '../../../../shared/kubernetes/index.ts';
import { at } from '../../../../shared/kubernetes/manifests/pod-template.ts';
import { given, objectsIn } from './given.ts';

const READER = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    metadata: {annotations: {mine: kept}}
    spec:
      imagePullSecrets: [{name: pull}]
      initContainers:
        - name: init
          envFrom:
            - configMapRef: {name: c-from, optional: true}
            - secretRef: {name: s-from}
      containers:
        - name: app
          env:
            - {name: A, value: b}
            - {name: B, valueFrom: {configMapKeyRef: {name: c-env, key: k}}}
            - {name: C, valueFrom: {secretKeyRef: {name: s-env, key: k, optional: true}}}
            - {name: D, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      volumes:
        - {name: a, emptyDir: {}}
        - {name: b, configMap: {name: c-volume}}
        - {name: c, secret: {secretName: s-volume, optional: true}}
        - name: d
          projected:
            sources:
              - configMap: {name: c-projected}
              - secret: {name: s-projected}
              - serviceAccountToken: {path: token}
`;

const READ = ['c-from', 's-from', 'c-env', 's-env', 'c-volume', 's-volume', 'c-projected', 's-projected'];

const kindOf = (name: string) => (name.startsWith('c') ? 'ConfigMap' : 'Secret');
const configuration = (name: string, value = 'djE=', namespace = 'shop') =>
  `---\napiVersion: v1\nkind: ${kindOf(name)}\nmetadata: {name: ${name}, namespace: ${namespace}}\ndata: {k: ${value}}\n`;
const all = (changed?: string, value?: string) =>
  READER +
  [...READ, 'pull'].map((name) => configuration(name, name === changed ? value : undefined)).join('');

const annotationIn = (text: string) =>
  at(objectsIn(withConfiguration(given(text), 'annotation'))[0], [
    'spec',
    'template',
    'metadata',
    'annotations',
    ANNOTATION_CONFIGURATION,
  ]);

it('what pods read is found wherever they read it', () => {
  const [object] = objectsIn(given(READER));
  const found = configurationOf(podTemplateOf(object!)!);
  expect(found.map(({ name }) => name)).toEqual(READ);
  expect(found.map(({ kind }) => kind)).toEqual(READ.map(kindOf));
  expect(found.filter(({ optional }) => optional).map(({ name }) => name)).toEqual([
    'c-from',
    's-env',
    's-volume',
  ]);
  expect(found.filter(({ key }) => key !== undefined).map(({ name }) => name)).toEqual(['c-env', 's-env']);
  for (const { path, name } of found) expect(at(object, path)).toBe(name);
});

describe('an annotation on the template', () => {
  it('says what the pods read, and leaves all else as it is', () => {
    const manifests = given(all());
    const changed = withConfiguration(manifests, 'annotation');
    expect(changed.slice(1)).toEqual(manifests.slice(1));
    expect(at(changed[0]!.object, ['spec', 'template', 'metadata', 'annotations'])).toEqual({
      mine: 'kept',
      [ANNOTATION_CONFIGURATION]: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(at(manifests[0]!.object, ['spec', 'template', 'metadata', 'annotations'])).toEqual({
      mine: 'kept',
    });
  });

  it.each(READ)('changes with %s', (name) =>
    expect(annotationIn(all(name, 'djI='))).not.toBe(annotationIn(all())),
  );

  it('does not change with a pull secret, with labels, with another namespace', () => {
    expect(annotationIn(all('pull', 'djI='))).toBe(annotationIn(all()));
    expect(
      annotationIn(all().replace('namespace: shop}\ndata', 'namespace: shop, labels: {a: b}}\ndata')),
    ).toBe(annotationIn(all()));
    expect(annotationIn(all() + configuration('c-env', 'djI=', 'other'))).toBe(annotationIn(all()));
  });

  it('is not made for what is not among the manifests, and for pods that read nothing', () => {
    const [read, rest] = [withConfiguration(given(READER), 'annotation'), given(READER)];
    expect(objectsIn(read)).toEqual(objectsIn(rest));
  });

  it('is made on the template of a CronJob, and on none of what runs once', () => {
    const spec = '{containers: [{name: a, envFrom: [{configMapRef: {name: c-env}}]}]}';
    const body = (kind: string, version: string, inner: string) =>
      `apiVersion: ${version}\nkind: ${kind}\nmetadata: {name: a, namespace: shop}\nspec: ${inner}\n`;
    const cron = body('CronJob', 'batch/v1', `{jobTemplate: {spec: {template: {spec: ${spec}}}}}`);
    const job = body('Job', 'batch/v1', `{template: {spec: ${spec}}}`);
    const bare = body('Pod', 'v1', spec);
    const [a, b, c] = objectsIn(
      withConfiguration(given(`${cron}---\n${job}---\n${bare}${configuration('c-env')}`), 'annotation'),
    );
    expect(at(a, ['spec', 'jobTemplate', 'spec', 'template', 'metadata', 'annotations'])).toBeDefined();
    expect([b, c]).toEqual(objectsIn(given(`${job}---\n${bare}`)));
  });
});

describe('a hash in the names', () => {
  it('renames what pods read and every reference to it', () => {
    const others = `---
apiVersion: v1
kind: ServiceAccount
metadata: {name: a, namespace: shop}
secrets: [{name: s-env}]
imagePullSecrets: [{name: s-volume}, {name: pull}]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, namespace: shop}
spec: {tls: [{secretName: s-from}, {secretName: other}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: a, namespace: shop}
rules: [{apiGroups: [''], resources: [secrets], resourceNames: [s-env, other], verbs: [get]}]
`;
    const objects = objectsIn(withConfiguration(given(all() + others), 'name'));
    const names = new Map(
      objects.slice(1, 9).map(({ metadata }) => [metadata.annotations?.[LABEL_GENERATION_OF], metadata.name]),
    );
    expect([...names.keys()]).toEqual(READ);
    for (const [name, renamed] of names) expect(renamed).toMatch(new RegExp(`^${name}-[0-9a-f]{12}$`));
    expect(configurationOf(podTemplateOf(objects[0]!)!).map(({ name }) => name)).toEqual([...names.values()]);
    expect(objects[9]!.metadata.name).toBe('pull');
    expect(objects[10]).toMatchObject({
      secrets: [{ name: names.get('s-env') }],
      imagePullSecrets: [{ name: names.get('s-volume') }, { name: 'pull' }],
    });
    expect(at(objects[11], ['spec', 'tls'])).toEqual([
      { secretName: names.get('s-from') },
      { secretName: 'other' },
    ]);
    expect(at(objects[12], ['rules', 0, 'resourceNames'])).toEqual([names.get('s-env'), 'other']);
  });

  it('is another for another value, and the object is its own generation', () => {
    const named = (value?: string) => objectsIn(withConfiguration(given(all('c-env', value)), 'name'))[3]!;
    expect(named('djI=').metadata.name).not.toBe(named().metadata.name);
    expect(named()).toMatchObject({
      immutable: true,
      metadata: { labels: { [LABEL_GENERATION_OF]: 'c-env' } },
    });
    const object = named();
    expect(generationOf(object)).toBe(object);
  });

  it('and no mode change nothing', () => {
    const manifests = given(all());
    expect(withConfiguration(manifests, 'none')).toEqual(manifests);
  });
});

describe('a generation', () => {
  const secret = (fields: object): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's' },
    ...fields,
  });
  const nameOf = (object: KubeObject) => generationOf(object)!.metadata.name;

  it('keeps the content, immutable, under the name of the content', () => {
    const live = secret({
      metadata: {
        name: 's',
        namespace: 'shop',
        uid: 'u',
        resourceVersion: '7',
        labels: { grafana_dashboard: '1' },
      },
      type: 'Opaque',
      data: { b: 'Yg==', a: 'YQ==' },
    });
    expect(generationOf(live, 'web')).toEqual({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: expect.stringMatching(/^s-[0-9a-f]{12}$/),
        namespace: 'shop',
        labels: { [LABEL_GENERATION_OF]: 's', 'slipway.dev/release': 'web' },
        annotations: { [LABEL_GENERATION_OF]: 's' },
      },
      type: 'Opaque',
      data: { a: 'YQ==', b: 'Yg==' },
      immutable: true,
    });
  });

  it('of a manifest is that of the live object that came of it', () => {
    const manifest = secret({ stringData: { a: 'a', b: 'x' }, data: { c: 'Yw\n==\n', b: 'Yg==' } });
    const live = secret({ type: 'Opaque', data: { c: 'Yw==', b: 'eA==', a: 'YQ==' }, immutable: false });
    expect(generationOf(manifest)).toEqual(generationOf(live));
  });

  it.each([
    ['another value', { data: { a: 'Yg==' } }],
    ['another key', { data: { b: 'YQ==' } }],
    ['another type', { type: 'x/y', data: { a: 'YQ==' } }],
    ['another name', { metadata: { name: 't' }, data: { a: 'YQ==' } }],
    ['another kind', { kind: 'ConfigMap', data: { a: 'YQ==' } }],
    ['nothing', {}],
  ])('of %s is another', (_, fields) =>
    expect(nameOf(secret(fields))).not.toBe(nameOf(secret({ data: { a: 'YQ==' } }))),
  );

  it('of a ConfigMap tells text from bytes', () => {
    const configMap = (fields: object) => secret({ kind: 'ConfigMap', ...fields });
    expect(nameOf(configMap({ data: { a: 'YQ==' } }))).not.toBe(
      nameOf(configMap({ binaryData: { a: 'YQ==' } })),
    );
    expect(generationOf(configMap({ binaryData: { a: 'YQ==' } }))).toMatchObject({
      binaryData: { a: 'YQ==' },
    });
    expect(generationOf(configMap({ data: { a: 'x' } }))).not.toHaveProperty('type');
  });

  it.each(['a'.repeat(253), `${'a'.repeat(239)}.${'b'.repeat(13)}`, `${'a'.repeat(49)}.${'b'.repeat(30)}`])(
    'of a long name is a name and has a label: %s',
    (name) => {
      const first = generationOf(secret({ metadata: { name } }))!.metadata;
      expect(first.name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
      expect(first.name.length).toBeLessThanOrEqual(253);
      expect(first.labels![LABEL_GENERATION_OF]).toMatch(/^[a-z0-9][-a-z0-9.]{0,61}[a-z0-9]$/);
      expect(first.annotations![LABEL_GENERATION_OF]).toBe(name);
      const other = `${name.slice(0, -1)}z`;
      expect(nameOf(secret({ metadata: { name: other } }))).not.toBe(first.name);
      expect(generationLabel(other)).not.toBe(generationLabel(name));
    },
  );

  it.each([
    ['kubernetes.io/service-account-token', 'Secret'],
    ['bootstrap.kubernetes.io/token', 'Secret'],
    [undefined, 'Deployment'],
  ])('is not made of %s %s', (type, kind) => expect(generationOf(secret({ kind, type }))).toBeUndefined());
});
