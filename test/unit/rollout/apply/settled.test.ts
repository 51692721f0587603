import { expect, it } from 'vitest';
import type { KubeObject } from '../../../../shared/kubernetes/index.ts';
import { isSettled } from '../../../../shared/rollout/apply/settled.ts';

const sent: KubeObject = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }] },
};
const fields = {
  'f:metadata': { 'f:labels': { 'f:app': {} } },
  'f:spec': {
    'f:selector': {},
    'f:ports': {
      'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:name': {}, 'f:port': {}, 'f:targetPort': {} },
    },
  },
};
const owner = (manager: string, operation: string, fieldsV1: object, apiVersion = 'v1') => ({
  manager,
  operation,
  apiVersion,
  fieldsType: 'FieldsV1',
  fieldsV1,
});
/** The sent object in the cluster: with defaults, and with what the server and others write. */
const live = (more: { metadata?: object; spec?: object; owners?: readonly object[] } = {}): KubeObject =>
  ({
    ...sent,
    metadata: {
      ...sent.metadata,
      uid: 'u',
      resourceVersion: '7',
      managedFields: more.owners ?? [owner('slipway', 'Apply', fields)],
      ...more.metadata,
    },
    spec: {
      selector: { app: 'web' },
      ports: [{ targetPort: 8080, name: 'http', port: 80, protocol: 'TCP' }],
      type: 'ClusterIP',
      clusterIP: '10.0.0.1',
      ...more.spec,
    },
    status: { loadBalancer: {} },
  }) as unknown as KubeObject;
const asking = (spec: object, metadata: object = {}): KubeObject => ({
  ...sent,
  metadata: { ...sent.metadata, ...metadata },
  spec: { ...(sent.spec as object), ...spec },
});
const withoutName = structuredClone(fields);
Reflect.deleteProperty(withoutName['f:spec']['f:ports']['k:{"port":80,"protocol":"TCP"}'], 'f:name');

// biome-ignore format: a case a line
it.each<[string, KubeObject, KubeObject, boolean]>([
  ['what the server filled in beside it', live(), sent, true],
  ['fields of others beside it', live({ metadata: { labels: { app: 'web', team: 'shop' } } }), sent, true],
  ['a value that differs', live({ spec: { ports: [{ name: 'http', port: 80, targetPort: 9090 }] } }), sent, false],
  ['a value of another list item', live(), asking({ ports: [{ name: 'http', port: 81, targetPort: 8080 }] }), false],
  ['a whole field that differs', live(), asking({ selector: { app: 'web', tier: 'front' } }), false],
  ['a field that the manifest has more', live(), asking({ type: 'ClusterIP' }), false],
  ['an item that the manifest has more', live(), asking({ ports: [...(sent.spec as { ports: object[] }).ports, { name: 'b', port: 81 }] }), false],
  ['a field in an item that the manifest has more', live(), asking({ ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }] }), false],
  ['a field that the manifest has no more', live(), asking({ ports: [{ port: 80, targetPort: 8080 }] }), false],
  ['a label that the manifest has no more', live(), asking({}, { labels: {} }), false],
  ['an annotation that the manifest has more', live(), asking({}, { annotations: { a: 'b' } }), false],
  ['a null', live(), asking({ externalName: null }), false],
  ['a field that went to another owner', live({ owners: [owner('slipway', 'Apply', withoutName), owner('kubectl-edit', 'Update', fields)] }), sent, false],
  ['an object that we never applied', live({ owners: [owner('helm', 'Apply', fields)] }), sent, false],
  ['fields that kubectl owned whole', live({ owners: [owner('slipway', 'Apply', fields), owner('kubectl-client-side-apply', 'Update', fields)] }), sent, false],
  ['owners of another version of the API', live({ owners: [owner('slipway', 'Apply', fields, 'v1beta1')] }), sent, false],
  ['no owners', live({ owners: [] }), sent, false],
  ['an object that is being deleted', live({ metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }), sent, false],
])('%s', (_, state, manifest, expected) => {
  expect(isSettled(state, manifest, { keepReplicas: false })).toBe(expected);
});
