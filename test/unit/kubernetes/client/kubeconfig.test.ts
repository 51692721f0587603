import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { findEntrance } from '../../../../shared/kubernetes/client/entrance.ts';
import { isInRangeOf } from '../../../../shared/kubernetes/client/transport.ts';
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
  [
    'a cluster without its address',
    config({ cluster: { server: '' } }),
    'The cluster "staging" of the kubeconfig cannot be used: cluster.server is missing.',
  ],
  [
    'a kubeconfig that lost its line ends, without showing it',
    `apiVersion v1 ${'token s3cret '.repeat(30)}`,
    /^"kubeconfig" \(\d+ characters\) is neither the path of a file nor a kubeconfig in YAML, JSON or Base64; give [^"]*$/,
  ],
  [
    'Base64 that was cut off, without showing it',
    Buffer.from(config()).toString('base64').slice(400),
    /^"kubeconfig" \(\d+ characters\) is neither the path of a file nor a kubeconfig in YAML, JSON or Base64; give [^"]*$/,
  ],
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
    'The user "ci" of the kubeconfig cannot be used: it logs in through the auth-provider "gcp"',
  ],
])('refused: %s', async (_, kubeconfig, message) => {
  await expect(find({ kubeconfig })).rejects.toThrow(message);
});

test('entries that are not used may be what they like', async () => {
  const kubeconfig = JSON.parse(config());
  kubeconfig.users.push({ name: 'old', user: { 'auth-provider': { name: 'gcp' } } }, { user: {} }, null);
  kubeconfig.users.push({ name: 'none' }, { name: 'broken', user: { exec: {} } });
  kubeconfig.clusters.push({ name: 'empty' }, { name: 'gone', cluster: {} });
  kubeconfig.contexts.push(
    { name: 'half', context: { user: 'ci' } },
    { name: 'nobody', context: { cluster: 'staging' } },
  );
  const content = JSON.stringify(kubeconfig);
  expect(await find({ kubeconfig: content })).toMatchObject({ user: { token: 't' } });
  // Without a namespace and a user, as `kubectl config set-context nobody --cluster=staging` writes it.
  expect(await find({ kubeconfig: content, context: 'nobody', token: 'mine' })).toMatchObject({
    namespace: 'default',
    user: { token: 'mine' },
  });
  await expect(find({ kubeconfig: content, context: 'half' })).rejects.toThrow(
    'The context "half" of the kubeconfig cannot be used: context.cluster is missing.',
  );
});

const block = `apiVersion: v1
kind: Config
clusters:
- cluster:
    server: https://[2001:db8::1]:6443/k8s/clusters/c-m-x1/
  name: c
contexts:
- context:
    cluster: c
    user: u
  name: only
current-context: only
users:
- name: u
  user:
    token: t
`;

test.each([
  ['as it is', block],
  ['with line ends of Windows', block.replaceAll('\n', '\r\n')],
  ['with a byte order mark', `\uFEFF${block}`],
  ['indented as a whole', block.replaceAll(/^/gm, '    ')],
  ['JSON with tabs', JSON.stringify(parse(block), null, '\t')],
  ['in Base64', Buffer.from(block).toString('base64')],
  [
    'in Base64 of lines, as base64 prints it',
    `${Buffer.from(block).toString('base64').replaceAll(/.{76}/g, '$&\n')}\n`,
  ],
  [
    'in Base64 of lines of Windows',
    Buffer.from(block.replaceAll('\n', '\r\n')).toString('base64').replaceAll(/.{64}/g, '$&\r\n'),
  ],
])('the content of a kubeconfig: %s', async (_, kubeconfig) => {
  expect(await find({ kubeconfig })).toMatchObject({
    name: 'only',
    namespace: 'default',
    cluster: { server: 'https://[2001:db8::1]:6443/k8s/clusters/c-m-x1' },
    user: { token: 't' },
  });
});

/** As `aws eks update-kubeconfig`, `gcloud container clusters get-credentials`, `kubelogin convert-kubeconfig`, k3s and kind write them. */
const managed = {
  eks: `- name: arn:aws:eks:eu-west-1:123456789012:cluster/shop
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args: [--region, eu-west-1, eks, get-token, --cluster-name, shop, --output, json]
      command: aws
      env:
      - name: AWS_PROFILE
        value: ci`,
  gke: `- name: gke_project_europe-west1_shop
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      command: gke-gcloud-auth-plugin
      installHint: Install gke-gcloud-auth-plugin for use with kubectl by following
        https://cloud.google.com/kubernetes-engine/docs/how-to/cluster-access-for-kubectl#install_plugin
      provideClusterInfo: true`,
  aks: `- name: clusterUser_group_shop
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1beta1
      args: [get-token, --login, workloadidentity, --server-id, 6dae42f8-4368-4678-94ff-3960e28e3630]
      command: kubelogin
      env: null
      provideClusterInfo: false
      interactiveMode: IfAvailable`,
  files: `- name: default
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ`,
};
test.each([
  ['eks', { exec: { command: 'aws', env: [{ name: 'AWS_PROFILE', value: 'ci' }] } }],
  ['gke', { exec: { command: 'gke-gcloud-auth-plugin', provideClusterInfo: true } }],
  ['aks', { exec: { command: 'kubelogin', env: null, interactiveMode: 'IfAvailable' } }],
  ['files', { certificate: { data: 'CERT' }, key: { data: 'KEY' } }],
] as const)('the kubeconfig of a cloud: %s', async (cloud, user) => {
  const name = /name: (\S+)/.exec(managed[cloud])![1]!;
  const kubeconfig = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: UEVN
    server: https://0123ABCD.gr7.eu-west-1.eks.amazonaws.com
  name: ${name}
contexts:
- context:
    cluster: ${name}
    user: ${name}
  name: ${name}
current-context: ${name}
kind: Config
preferences: {}
users:
${managed[cloud]}
`;
  expect(await find({ kubeconfig })).toMatchObject({ name, namespace: 'default', user });
});

test.each([
  ['10.0.0.0/8', '10.1.2.3', true],
  ['localhost, 10.0.0.0/8', '10.1.2.3', true],
  ['10.0.0.0/8', '11.0.0.1', false],
  ['fd00::/8', '[fd12::1]', true],
  ['10.0.0.0/8,*.internal', 'api.internal', false],
  ['10.0.0.0/99', '10.1.2.3', false],
  ['10.0.0.1', '10.0.0.1', false],
  [undefined, '10.0.0.1', false],
])('NO_PROXY=%s has %s in a range: %s', (noProxy, host, held) => {
  expect(isInRangeOf(noProxy, host)).toBe(held);
});
