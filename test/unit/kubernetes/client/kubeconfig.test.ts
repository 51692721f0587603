import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findEntrance } from '../../../../shared/kubernetes/client/entrance.ts';
import type { ClusterOptions } from '../../../../shared/kubernetes/index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-kubeconfig-'));
});
afterEach(() => rm(folder, { recursive: true }));

const find = (options: Partial<ClusterOptions>) =>
  findEntrance({ env: { HOME: folder }, signal: new AbortController().signal, secret: () => {}, ...options });

interface Named {
  readonly contexts?: readonly string[];
  readonly current?: string;
  readonly user?: object;
  readonly cluster?: object;
}
const config = ({
  contexts = ['staging', 'production'],
  current = 'staging',
  user = { token: 't' },
  cluster = {},
}: Named = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    ...(current !== '' && { 'current-context': current }),
    clusters: contexts.map((name) => ({
      name,
      cluster: { server: `https://${name}.example.com`, ...cluster },
    })),
    contexts: contexts.map((name) => ({
      name,
      context: { cluster: name, user: 'ci', namespace: `${name}-shop` },
    })),
    users: [{ name: 'ci', user }],
  });

test('the current context of a content, of Base64, and of a path', async () => {
  const file = join(folder, 'config');
  await writeFile(file, config());
  for (const kubeconfig of [config(), Buffer.from(config()).toString('base64'), file])
    expect(await find({ kubeconfig })).toMatchObject({
      name: 'staging',
      namespace: 'staging-shop',
      cluster: { server: 'https://staging.example.com', insecure: false },
      user: { token: 't' },
    });
});

test('another context', async () => {
  expect(await find({ kubeconfig: config(), context: 'production' })).toMatchObject({
    namespace: 'production-shop',
  });
});

test('a context that is not there is told with the nearest name and all there are', async () => {
  await expect(find({ kubeconfig: config(), context: 'prodution' })).rejects.toThrow(
    'There is no context "prodution" in the kubeconfig. Did you mean "production"? It has: "production", "staging".',
  );
});

test('no current context', async () => {
  await expect(find({ kubeconfig: config({ current: '' }) })).rejects.toThrow(
    'no current context; name one in "context"',
  );
  expect(await find({ kubeconfig: config({ current: '', contexts: ['one'] }) })).toMatchObject({
    name: 'one',
  });
});

test('several files: what comes first wins', async () => {
  const [one, two] = [join(folder, 'one'), join(folder, 'two')];
  await writeFile(one, config({ contexts: ['staging'], current: '', user: { token: 'first' } }));
  await writeFile(
    two,
    config({ contexts: ['staging', 'production'], current: 'production', user: { token: 'second' } }),
  );
  const env = { HOME: folder, KUBECONFIG: [join(folder, 'missing'), one, two].join(delimiter) };
  expect(await find({ env })).toMatchObject({ name: 'production', user: { token: 'first' } });
  await expect(find({ env: { ...env, KUBECONFIG: join(folder, 'missing') } })).rejects.toThrow(
    'which does not exist',
  );
});

test('the kubeconfig of the home folder', async () => {
  await mkdir(join(folder, '.kube'));
  await writeFile(join(folder, '.kube', 'config'), config());
  expect(await find({})).toMatchObject({ name: 'staging' });
});

test('paths are those beside the kubeconfig, and commands with a folder too', async () => {
  const file = join(folder, 'config');
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: './login' };
  const user = { 'client-certificate': 'me.crt', 'client-key': '/keys/me.key', tokenFile: 'token', exec };
  await writeFile(file, config({ user, cluster: { 'certificate-authority': 'ca.crt' } }));
  expect(await find({ kubeconfig: file })).toMatchObject({
    cluster: { certificateAuthority: { file: join(folder, 'ca.crt') } },
    user: {
      certificate: { file: join(folder, 'me.crt') },
      key: { file: '/keys/me.key' },
      tokenFile: join(folder, 'token'),
      exec: { command: join(folder, 'login') },
    },
  });
  const onPath = config({ user: { exec: { ...exec, command: 'aws' } } });
  expect((await find({ kubeconfig: onPath })).user.exec?.command).toBe('aws');
});

test('what else a cluster and a user may say', async () => {
  const cluster = {
    'certificate-authority-data': Buffer.from('PEM').toString('base64'),
    'tls-server-name': 'api.internal',
    'proxy-url': 'http://proxy:3128',
    'insecure-skip-tls-verify': true,
  };
  const user = {
    username: 'me',
    password: 'secret',
    as: 'deployer',
    'as-groups': ['a', 'b'],
    'as-user-extra': { 'x/y': ['1'] },
  };
  expect(await find({ kubeconfig: config({ cluster, user }) })).toMatchObject({
    cluster: {
      certificateAuthority: { data: 'PEM' },
      tlsServerName: 'api.internal',
      proxyUrl: 'http://proxy:3128',
      insecure: true,
    },
    user: {
      basic: { username: 'me', password: 'secret' },
      impersonate: {
        'Impersonate-User': 'deployer',
        'Impersonate-Group': ['a', 'b'],
        'Impersonate-Extra-x%2Fy': ['1'],
      },
    },
  });
});

test('server, token and authority in so many words', async () => {
  const certificateAuthority = Buffer.from('-----BEGIN CERTIFICATE-----').toString('base64');
  expect(await find({ server: '10.0.0.1:6443/', token: ' t\n', certificateAuthority })).toMatchObject({
    name: '10.0.0.1:6443',
    namespace: 'default',
    cluster: {
      server: 'https://10.0.0.1:6443',
      certificateAuthority: { data: '-----BEGIN CERTIFICATE-----' },
    },
    user: { token: 't' },
  });
  expect(await find({ kubeconfig: config(), token: 'mine' })).toMatchObject({
    cluster: { server: 'https://staging.example.com' },
    user: { token: 'mine' },
  });
  await expect(find({ server: 'https://' })).rejects.toThrow('no address of an API server');
});

test('the service account of a pod', async () => {
  const env = { HOME: folder, KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
  expect(await find({ env })).toMatchObject({
    name: 'in-cluster',
    cluster: { server: 'https://[fd00::1]:443' },
    user: { tokenFile: '/var/run/secrets/kubernetes.io/serviceaccount/token' },
  });
});

test.each([
  ['nothing', '', 'No cluster is configured'],
  ['a file that is not there', '/no/such/file', 'names the file "/no/such/file", which does not exist'],
  ['no YAML', 'clusters: [', 'The input "kubeconfig" cannot be understood'],
  ['a cluster without its fields', 'clusters:\n- name: x\n', 'clusters[0].cluster is missing'],
  [
    'a context without its cluster',
    config({ contexts: ['a'], current: 'a' }).replace('"cluster":"a"', '"cluster":"b"'),
    'is of the cluster "b", which the kubeconfig does not describe',
  ],
  [
    'a context without its user',
    config().replaceAll('"user":"ci"', '"user":"cd"'),
    'is of the user "cd", which the kubeconfig does not describe',
  ],
  [
    'a provider of old',
    config({ user: { 'auth-provider': { name: 'gcp' } } }),
    'logs in through the auth-provider "gcp"',
  ],
])('refused: %s', async (_, kubeconfig, message) => {
  await expect(find({ kubeconfig })).rejects.toThrow(message);
});
