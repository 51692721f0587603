import { expect, test } from 'vitest';
import { collectionPath, objectPath, withParameters } from '../../../../shared/kubernetes/client/api-path.ts';
import { warningsOf } from '../../../../shared/kubernetes/client/call.ts';
import { exitCode } from '../../../../shared/kubernetes/client/exec.ts';
import { refused } from '../../../../shared/kubernetes/client/port-forward.ts';
import { withSchemaCauses } from '../../../../shared/kubernetes/client/schema-causes.ts';
import { errorOf } from '../../../../shared/kubernetes/client/status.ts';
import { parseVersion } from '../../../../shared/kubernetes/client/version.ts';
import { ApiError, type ApiResource } from '../../../../shared/kubernetes/index.ts';

const resource = (group: string, plural: string, namespaced = true): ApiResource => ({
  group,
  version: 'v1',
  kind: '',
  plural,
  namespaced,
  verbs: [],
  subresources: [],
});

test('paths of kinds and objects', () => {
  expect(collectionPath(resource('', 'pods'), undefined)).toBe('/api/v1/pods');
  expect(collectionPath(resource('apps', 'deployments'), 'shop')).toBe(
    '/apis/apps/v1/namespaces/shop/deployments',
  );
  expect(objectPath(resource('', 'namespaces', false), { namespace: 'shop', name: 'shop' })).toBe(
    '/api/v1/namespaces/shop',
  );
  expect(objectPath(resource('apps', 'deployments'), { namespace: 'shop', name: 'web' }, 'scale')).toBe(
    '/apis/apps/v1/namespaces/shop/deployments/web/scale',
  );
  expect(
    objectPath(resource('rbac.authorization.k8s.io', 'clusterroles', false), { name: 'system:node' }),
  ).toBe('/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode');
});

test.each(['', '.', '..', 'a/b', '%2e'])('%j is no name', (name) => {
  expect(() => objectPath(resource('', 'pods'), { namespace: 'shop', name })).toThrow('is not a name');
  expect(() => objectPath(resource('', 'pods'), { namespace: name, name: 'web' })).toThrow(
    'is not a namespace',
  );
});

test('parameters: none, one, and one several times', () => {
  expect(withParameters('/version', { limit: undefined })).toBe('/version');
  expect(withParameters('/a?b=1', { labelSelector: 'app=web,tier!=x' })).toBe(
    '/a?b=1&labelSelector=app%3Dweb%2Ctier%21%3Dx',
  );
  expect(withParameters('/exec', { command: ['sh', '-c', 'a b'], stdout: true })).toBe(
    '/exec?command=sh&command=-c&command=a+b&stdout=true',
  );
});

test('an answer that is a Status', () => {
  const body = {
    kind: 'Status',
    message: 'pods "x" is forbidden',
    reason: 'Forbidden',
    details: { causes: [{ field: 'a' }] },
  };
  const error = errorOf(403, JSON.stringify(body), 'GET pods/x in shop');
  expect(error).toMatchObject({
    status: 403,
    reason: 'Forbidden',
    message: body.message,
    causes: [{ field: 'a' }],
  });
  expect(error.call).toBe('GET pods/x in shop');
});

test.each([
  [502, '<html>Bad Gateway</html>', 'the API server behind it does not answer'],
  [503, 'upstream  connect\nerror', 'the API server is not available at present: upstream connect error'],
  [418, '', 'an answer that was not expected (418)'],
  [
    404,
    '{"kind":"Pod"}',
    'there is nothing at this address; is it the address of an API server?: {"kind":"Pod"}',
  ],
])('an answer %i that is none', (status, body, message) => {
  expect(errorOf(status, body, 'GET /')).toMatchObject({ status, message, reason: '' });
});

const apiError = (status: number, reason: string, message: string) =>
  new ApiError({ status, reason, message, causes: [], call: 'APPLY' });

test('fields that do not fit the schema, from the text of server-side apply', () => {
  const one =
    'failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): .spec.replica: field not declared in schema';
  expect(withSchemaCauses(apiError(500, '', one))).toMatchObject({
    status: 422,
    reason: 'Invalid',
    causes: [{ field: 'spec.replica', message: 'field not declared in schema' }],
  });
  const several =
    'failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): errors:\n  .spec.containers[name="a.b: c"].img: field not declared in schema\n  .spec.paused: expected boolean, got &{3}';
  expect(withSchemaCauses(apiError(500, '', several)).causes).toEqual([
    { field: 'spec.containers[name="a.b: c"].img', message: 'field not declared in schema' },
    { field: 'spec.paused', message: 'expected boolean, got &{3}' },
  ]);
});

test('fields that strict decoding finds', () => {
  const text =
    'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.foo", duplicate field "spec.bar"';
  expect(withSchemaCauses(apiError(400, 'BadRequest', text)).causes).toEqual([
    { field: 'spec.foo', message: 'unknown field' },
    { field: 'spec.bar', message: 'duplicate field' },
  ]);
});

test('other errors stay as they are', () => {
  for (const error of [
    apiError(500, 'InternalError', 'failed calling webhook'),
    apiError(409, 'Conflict', 'x'),
  ])
    expect(withSchemaCauses(error)).toBe(error);
});

test.each([
  ['v1.34.4', '1.34.4', 1, 34],
  ['v1.34.4+k3s1', '1.34.4', 1, 34],
  ['v1.29.3-eks-adc7111', '1.29.3', 1, 29],
  ['v1.30.5-gke.1443001', '1.30.5', 1, 30],
])('the version %s', (gitVersion, release, major, minor) => {
  expect(parseVersion({ gitVersion, major: '1', minor: '34+' })).toEqual({
    release,
    major,
    minor,
    text: gitVersion,
  });
});

test('a version without a text of its own', () => {
  expect(parseVersion({ gitVersion: 'dev', major: '1', minor: '34+' })).toMatchObject({
    release: '1.34.0',
    minor: 34,
  });
});

test('warnings of an answer', () => {
  expect(warningsOf(undefined)).toEqual([]);
  expect(warningsOf('299 - "policy/v1beta1 is deprecated", 299 - "say \\"please\\""')).toEqual([
    'policy/v1beta1 is deprecated',
    'say "please"',
  ]);
});

test('the status that ends an exec', () => {
  const status = (value: object) => exitCode(JSON.stringify({ kind: 'Status', ...value }), 'EXEC');
  expect(status({ status: 'Success' })).toBe(0);
  const causes = [{ reason: 'ExitCode', message: '137' }];
  expect(status({ status: 'Failure', reason: 'NonZeroExitCode', details: { causes } })).toBe(137);
  expect(() =>
    status({ status: 'Failure', reason: 'InternalError', message: 'not found in $PATH', code: 500 }),
  ).toThrow('not found in $PATH');
});

test('what a node says of a port that it cannot reach', () => {
  const text =
    'error forwarding port 99 to pod 0123, uid : failed to execute portforward in network namespace "/var/run/netns/cni-1": failed to connect to localhost:99 inside namespace "0123", IPv4: dial tcp4 127.0.0.1:99: connect: connection refused IPv6 dial tcp6: address localhost: no suitable address found\n';
  expect(refused(text, 'port 99 of Pod shop/web')).toMatchObject({
    code: 'ECONNREFUSED',
    message: 'Cannot connect to port 99 of Pod shop/web: nothing listens there.',
  });
  expect(refused('pod is not running\n', 'port 99 of Pod shop/web').message).toBe(
    'Cannot connect to port 99 of Pod shop/web: pod is not running.',
  );
});
