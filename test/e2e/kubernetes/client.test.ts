import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { openCluster } from '../../../shared/kubernetes/client/open.ts';
import {
  ApiError,
  type ApiResource,
  type Cluster,
  type ClusterOptions,
  type KubeObject,
  type ObjectId,
  type WatchEvent,
} from '../../../shared/kubernetes/index.ts';
import { describeWith, kubernetes, kubernetesRegistry } from '../../lab/index.ts';
import { FaultProxy } from './fault-proxy.ts';
import { Tunnel } from './tunnel.ts';

const [lab, images] = await Promise.all([kubernetes(), kubernetesRegistry()]);
const manager = { fieldManager: 'slipway' };

describeWith('the cluster client', { kubernetes: lab }, ({ kubernetes: lab }) => {
  let namespace: Awaited<ReturnType<typeof lab.namespace>>;
  let entrance: { readonly server: string; readonly ca: string; readonly token: string };
  let folder: string;

  beforeAll(async () => {
    namespace = await lab.namespace('client');
    folder = await mkdtemp(join(tmpdir(), 'slipway-client-'));
    const config = parse(await readFile(lab.kubeconfig, 'utf8'));
    const cluster = config.clusters[0].cluster;
    const ca = Buffer.from(cluster['certificate-authority-data'], 'base64').toString('utf8');
    const user = await lab.asUser(namespace.name, {
      rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }],
    });
    entrance = { server: cluster.server, ca, token: user.token };
  });
  afterAll(async () => {
    await namespace?.[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  });

  const opened = (options: Partial<ClusterOptions> = {}, timing = {}) =>
    openCluster(
      {
        kubeconfig: lab.kubeconfig,
        env: { PATH: process.env.PATH },
        signal: AbortSignal.timeout(60_000),
        secret: () => {},
        ...options,
      },
      timing,
    );
  const throughProxy = (proxy: FaultProxy, timing = {}, options: Partial<ClusterOptions> = {}) =>
    opened({ kubeconfig: undefined, server: proxy.url, token: entrance.token, ...options }, timing);
  const startProxy = () => FaultProxy.start(entrance.server, entrance.ca);

  const fresh = () => `c-${randomBytes(4).toString('hex')}`;
  const configMap = (
    name: string,
    data: Record<string, string> = {},
    labels?: Record<string, string>,
  ): KubeObject => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: namespace.name, ...(labels && { labels }) },
    data,
  });
  const idOf = (name: string): ObjectId => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: namespace.name,
    name,
  });
  const labelled = (label: string) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    namespace: namespace.name,
    labelSelector: `group=${label}`,
  });
  const writeMany = async (cluster: Cluster, count: number): Promise<string> => {
    const group = fresh();
    const names = Array.from({ length: count }, (_, index) => `${group}-${index}`);
    await Promise.all(
      names.map((name) => cluster.apply(configMap(name, { value: 'x'.repeat(100) }, { group }), manager)),
    );
    return group;
  };

  test('applies, reads, patches, replaces and removes objects', async () => {
    await using cluster = await opened();
    const name = fresh();
    const applied = await cluster.apply(configMap(name, { a: '1' }), manager);
    expect(applied.metadata.managedFields?.map((one) => one.manager)).toEqual(['slipway']);
    expect((await cluster.get(idOf(name)))?.metadata.uid).toBe(applied.metadata.uid);

    await cluster.patch(idOf(name), { data: { b: '2' } });
    const patched = await cluster.patch(idOf(name), [
      { op: 'test', path: '/data/b', value: '2' },
      { op: 'remove', path: '/data/a' },
    ]);
    expect(patched.data).toEqual({ b: '2' });

    const replaced = await cluster.replace({ ...patched, data: { c: '3' } });
    expect(replaced.data).toEqual({ c: '3' });
    await expect(cluster.replace({ ...patched, data: {} })).rejects.toMatchObject({
      status: 409,
      reason: 'Conflict',
    });

    await expect(cluster.remove(idOf(name), { uid: 'another' })).rejects.toMatchObject({ status: 409 });
    const old = { resourceVersion: patched.metadata.resourceVersion };
    await expect(cluster.remove(idOf(name), old)).rejects.toMatchObject({ status: 409 });
    expect(await cluster.remove(idOf(name), { uid: applied.metadata.uid })).toBe(true);
    expect(await cluster.remove(idOf(name))).toBe(false);
    expect(await cluster.get(idOf(name))).toBeUndefined();
  });

  test('changes nothing in a dry run', async () => {
    await using cluster = await opened();
    const name = fresh();
    expect((await cluster.apply(configMap(name), { ...manager, dryRun: true })).metadata.uid).toBeDefined();
    expect((await cluster.create(configMap(name), { dryRun: true })).metadata.name).toBe(name);
    expect(await cluster.get(idOf(name))).toBeUndefined();
    await cluster.create(configMap(name));
    expect(await cluster.remove(idOf(name), { dryRun: true })).toBe(true);
    expect(await cluster.get(idOf(name))).toBeDefined();
  });

  test('names the owners of fields in conflict, and takes them by force', async () => {
    await using cluster = await opened();
    const name = fresh();
    await cluster.apply(configMap(name, { a: '1' }), { fieldManager: 'somebody' });
    const conflict = await cluster.apply(configMap(name, { a: '2' }), manager).catch((error) => error);
    expect(conflict).toBeInstanceOf(ApiError);
    expect(conflict.status).toBe(409);
    expect(conflict.causes).toEqual([
      { reason: 'FieldManagerConflict', message: 'conflict with "somebody"', field: '.data.a' },
    ]);
    expect((await cluster.apply(configMap(name, { a: '2' }), { ...manager, force: true })).data).toEqual({
      a: '2',
    });
  });

  test('names the fields that no schema has', async () => {
    await using cluster = await opened();
    const deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: fresh(), namespace: namespace.name },
      spec: { template: { spec: { containers: [{ name: 'web', img: 'x' }] } } },
    };
    const started = cluster.traffic.requests;
    await expect(cluster.apply(deployment, manager)).rejects.toMatchObject({
      status: 422,
      reason: 'Invalid',
      causes: [
        { field: 'spec.template.spec.containers[name="web"].img', message: 'field not declared in schema' },
      ],
    });
    // Two for discovery, one that is not made again.
    expect(cluster.traffic.requests - started).toBe(3);
  });

  test('tells what the server warns of', async () => {
    const warnings: string[] = [];
    await using cluster = await opened({ onWarning: (text) => warnings.push(text) });
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: fresh(), namespace: namespace.name },
        spec: {
          nodeSelector: { 'beta.kubernetes.io/os': 'linux' },
          containers: [{ name: 'web', image: 'web' }],
        },
      },
      { ...manager, dryRun: true },
    );
    expect(warnings).toEqual([expect.stringContaining('beta.kubernetes.io/os')]);
  });

  test('finds a kind whose definition was applied after the first look', async () => {
    await using cluster = await opened();
    const group = `${fresh()}.example.com`;
    const kind = { apiVersion: `${group}/v1`, kind: 'Widget' };
    expect(await cluster.resource(kind.apiVersion, kind.kind)).toBeUndefined();
    await expect(cluster.list(kind)).rejects.toThrow(`serves no Widget in ${group}/v1`);
    const definition: KubeObject = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `widgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { plural: 'widgets', kind: 'Widget' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', properties: { size: { type: 'integer' } } } },
          },
        ],
      },
    };
    await cluster.apply(definition, manager);
    try {
      await expect
        .poll(() => cluster.resource(kind.apiVersion, kind.kind), { timeout: 10_000, interval: 100 })
        .toBeDefined();
      const widget = { ...kind, metadata: { name: 'one', namespace: namespace.name }, size: 1 };
      await expect
        .poll(async () => (await cluster.apply(widget, manager).catch(() => undefined))?.size, {
          timeout: 10_000,
          interval: 100,
        })
        .toBe(1);
      expect((await cluster.list({ ...kind, namespace: namespace.name })).map((one) => one.kind)).toEqual([
        'Widget',
      ]);
    } finally {
      await cluster.remove({
        apiVersion: definition.apiVersion,
        kind: definition.kind,
        name: definition.metadata.name,
      });
    }
  });

  test('reads the version and the kinds of the server', async () => {
    await using cluster = await opened();
    const { release, major, minor, text } = await cluster.version();
    expect(text).toContain(release);
    expect(release.startsWith(`${major}.${minor}.`)).toBe(true);
    expect(await cluster.resource('apps/v1', 'Deployment')).toMatchObject({
      plural: 'deployments',
      namespaced: true,
      subresources: expect.arrayContaining(['scale', 'status']),
    });
  });

  test('reads the kinds of a server that has no aggregated discovery', async () => {
    await using proxy = await startProxy();
    // A server before 1.26 makes nothing of the header.
    proxy.withoutHeader = 'accept';
    await using plain = await throughProxy(proxy);
    await using aggregated = await opened();
    const wanted = await aggregated.resources();
    // Other tests apply definitions of their own at the same time.
    const own = ({ group }: ApiResource) => !group.includes('.') || group.endsWith('.k8s.io');
    const names = (resources: typeof wanted) =>
      resources
        .filter(own)
        .map(
          (one) =>
            `${one.group}/${one.version} ${one.kind} ${one.plural} ${one.namespaced} ${[...one.subresources].sort()} ${[...one.verbs].sort()}`,
        )
        .sort();
    expect(names(await plain.resources())).toEqual(names(wanted));
  });

  test('says what is wrong with the way to the server', async () => {
    const own = { kubeconfig: undefined, token: entrance.token };
    await using stranger = await opened({ ...own, server: entrance.server });
    await expect(stranger.version()).rejects.toThrow(
      'signed by an authority that the kubeconfig does not name',
    );

    const { port } = new URL(entrance.server);
    await using wrongToken = await opened({
      ...own,
      server: entrance.server,
      certificateAuthority: entrance.ca,
      token: 'x',
    });
    await expect(wrongToken.version()).rejects.toThrow('does not accept the credentials (401)');

    await using plainText = await opened({
      ...own,
      server: `http://${new URL(entrance.server).hostname}:${port}`,
    });
    await expect(plainText.version()).rejects.toThrow();
    await using nobody = await opened({ ...own, server: 'https://no-such-host.invalid' });
    await expect(nobody.version()).rejects.toThrow('at no-such-host.invalid: there is no such host');
  });

  /** A kubeconfig of the same cluster, with other fields of it. */
  const configured = (fields: Record<string, unknown>, user: object = { token: entrance.token }) =>
    JSON.stringify({
      'current-context': 'own',
      clusters: [
        {
          name: 'c',
          cluster: {
            server: entrance.server,
            'certificate-authority-data': Buffer.from(entrance.ca).toString('base64'),
            ...fields,
          },
        },
      ],
      contexts: [{ name: 'own', context: { cluster: 'c', user: 'u', namespace: namespace.name } }],
      users: [{ name: 'u', user }],
    });

  test.each(['http', 'socks'] as const)('goes through the proxy of the kubeconfig: %s', async (kind) => {
    await using tunnel = await Tunnel[kind]();
    await using cluster = await opened({ kubeconfig: configured({ 'proxy-url': tunnel.url }) });
    expect((await cluster.version()).major).toBe(1);
    const { host } = new URL(entrance.server);
    expect(tunnel.targets).toEqual([host]);
    // WebSockets too.
    const nothing = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name, name: 'nothing' };
    const before = tunnel.targets.length;
    await expect(cluster.connect(nothing, 80)).rejects.toMatchObject({ status: 404 });
    expect(tunnel.targets.length).toBeGreaterThan(before);
  });

  test('says that a proxy does not accept the login', async () => {
    await using tunnel = await Tunnel.socks();
    const proxy = tunnel.url.replace('p%40ss', 'wrong');
    const secrets: string[] = [];
    const secret = (value: string) => secrets.push(value);
    await using cluster = await opened({ kubeconfig: configured({ 'proxy-url': proxy }), secret });
    await expect(cluster.version()).rejects.toThrow('it does not accept the login');
    expect(secrets).toContain('wrong');
  });

  test('checks the name of the server, or the one that it was told', async () => {
    await using wrong = await opened({ kubeconfig: configured({ 'tls-server-name': 'other.example.com' }) });
    await expect(wrong.version()).rejects.toThrow(/certificate was made for .*kubernetes\.default\.svc/);
    await using right = await opened({
      kubeconfig: configured({ 'tls-server-name': 'kubernetes.default.svc' }),
    });
    expect((await right.version()).major).toBe(1);
    const insecure = { 'certificate-authority-data': undefined, 'insecure-skip-tls-verify': true };
    await using trusting = await opened({ kubeconfig: configured(insecure) });
    expect((await trusting.version()).major).toBe(1);
  });

  test.each([
    ['a path of its own', { prefix: '/k8s/clusters/c-m-x1y2' }],
    ['an IPv6 address', { host: '::1' }],
  ])('reaches a server that has %s', async (_, at) => {
    await using proxy = await FaultProxy.start(entrance.server, entrance.ca, at);
    await using cluster = await throughProxy(proxy, {}, { server: `${proxy.url}/` });
    const name = fresh();
    await cluster.apply(configMap(name, { step: '1' }, { group: name }), manager);
    expect(await cluster.get(idOf(name))).toMatchObject({ data: { step: '1' } });
    expect(await cluster.list(labelled(name))).toHaveLength(1);
    expect((await cluster.version()).major).toBe(1);
    expect((await cluster.fetch('/version')).status).toBe(200);
    await using watch = follow(cluster, name);
    await watch.until((events) => events.includes('synced'));
    // The answer to a WebSocket comes from the API server, too: a page of what lies before it is no Status.
    const nothing = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name, name: 'nothing' };
    await expect(cluster.connect(nothing, 80)).rejects.toMatchObject({ status: 404, reason: 'NotFound' });
    const signal = AbortSignal.timeout(20_000);
    await expect(cluster.exec(nothing, undefined, ['x'], signal)).rejects.toMatchObject({
      reason: 'NotFound',
    });
    expect(proxy.requests.filter((request) => request.startsWith('UPGRADE'))).toHaveLength(2);
    expect(await cluster.remove(idOf(name))).toBe(true);
  });

  test('is another user, with groups, where the kubeconfig says so', async () => {
    const config = parse(await readFile(lab.kubeconfig, 'utf8'));
    const user = {
      ...config.users[0].user,
      as: 'jane',
      'as-groups': ['shop:deployers', 'system:authenticated'],
      'as-user-extra': { 'example.com/team': ['a', 'b'] },
    };
    await using cluster = await opened({ kubeconfig: configured({}, user) });
    const review = await cluster.request<{ status: { userInfo: object } }>(
      'POST',
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    );
    expect(review.status.userInfo).toMatchObject({
      username: 'jane',
      groups: expect.arrayContaining(['shop:deployers']),
      extra: { 'example.com/team': ['a', 'b'] },
    });
    const pod = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name, name: 'nothing' };
    await expect(cluster.connect(pod, 80)).rejects.toThrow(/User "jane" cannot/);
  });

  test('ends what is under way when it is closed', async () => {
    await using proxy = await startProxy();
    const cluster = await throughProxy(proxy);
    const group = fresh();
    const watching = (async () => {
      for await (const event of cluster.watch(labelled(group), AbortSignal.timeout(60_000)))
        if (event.type === 'synced') proxy.fate = () => ({ kind: 'answer', status: 503, body: '' });
    })();
    await expect.poll(() => proxy.requests.some((request) => request.includes('watch=true'))).toBe(true);
    await expect.poll(() => proxy.fate({ method: 'GET', path: '/' })).toBeDefined();
    const waiting = cluster.version();
    await Promise.all([
      expect(watching).rejects.toThrow('The cluster was closed.'),
      expect(waiting).rejects.toThrow('The cluster was closed.'),
      cluster[Symbol.asyncDispose](),
    ]);
    const asked = proxy.requests.length;
    await expect(cluster.version()).rejects.toThrow('The cluster was closed.');
    expect(proxy.requests).toHaveLength(asked);
  });

  test('does not wait for what calls share once it is cancelled: kinds of a server that does not answer', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    proxy.fate = () => ({ kind: 'answer', status: 429, headers: { 'retry-after': '30' } });
    const stop = new AbortController();
    const reason = new Error('cancelled');
    const waiting = cluster.within(stop.signal).get(idOf('any'));
    await expect.poll(() => proxy.requests.length).toBeGreaterThan(0);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    proxy.fate = () => undefined;
  });

  test('ends every call at once when its signal is aborted', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    await cluster.version();
    const reason = new Error('cancelled');
    const stop = new AbortController();
    proxy.fate = () => ({ kind: 'answer', status: 429, headers: { 'retry-after': '30' } });
    const waiting = cluster.within(stop.signal).version();
    await expect.poll(() => proxy.requests.length).toBe(2);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    proxy.fate = () => undefined;
    expect((await cluster.version()).major).toBe(1);
  });

  test('comes back after 429 when it was asked to', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    await cluster.resources();
    let refusals = 2;
    proxy.fate = ({ method }) =>
      method === 'POST' && refusals-- > 0
        ? { kind: 'answer', status: 429, headers: { 'retry-after': '0' } }
        : undefined;
    const name = fresh();
    expect((await cluster.create(configMap(name))).metadata.name).toBe(name);
    expect(proxy.requests.filter((one) => one.startsWith('POST'))).toHaveLength(3);
  });

  test('does not repeat a change that the server may have taken', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    await cluster.resources();
    proxy.fate = ({ method }) => (method === 'POST' ? { kind: 'cut', after: 1 } : undefined);
    const name = fresh();
    await expect(cluster.create(configMap(name))).rejects.toThrow('the connection broke');
    expect(proxy.requests.filter((one) => one.startsWith('POST'))).toHaveLength(1);
    expect(await cluster.get(idOf(name))).toBeDefined();
  });

  test('repeats a patch that was cut off where it names the version that it is over', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    const name = fresh();
    const { metadata } = await cluster.apply(configMap(name, { step: '1' }), manager);
    const over = [
      { op: 'replace', path: '/data/step', value: '2' },
      { op: 'replace', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    ];
    let cuts = 0;
    proxy.fate = ({ method }) =>
      method === 'PATCH' && cuts++ === 0 ? { kind: 'cut', after: 10 } : undefined;
    // The first was taken, so the second is refused: whoever asked looks at the object, as after any conflict.
    await expect(cluster.patch(idOf(name), over, { pinned: true })).rejects.toMatchObject({ status: 409 });
    expect(cuts).toBe(2);
    expect(await cluster.get(idOf(name))).toMatchObject({ data: { step: '2' } });
    cuts = 0;
    await expect(cluster.patch(idOf(name), { data: { step: '3' } })).rejects.toThrow('the connection broke');
    expect(cuts).toBe(1);
  });

  test('repeats an apply that was cut off', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    await cluster.resources();
    let cuts = 2;
    proxy.fate = ({ method }) => (method === 'PATCH' && cuts-- > 0 ? { kind: 'cut', after: 20 } : undefined);
    const applied = await cluster.apply(configMap(fresh(), { a: '1' }), manager);
    expect(applied.data).toEqual({ a: '1' });
    expect(applied.metadata.managedFields).toHaveLength(1);
  });

  test('lists 120 objects in pages, also when cut off and when the server forgets in the middle', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    const group = await writeMany(cluster, 120);
    proxy.requests.length = 0;
    let [cuts, expired] = [1, 1];
    const gone = JSON.stringify({
      kind: 'Status',
      code: 410,
      reason: 'Expired',
      message: 'The provided continue parameter is too old',
    });
    proxy.fate = ({ path }) => {
      if (!path.includes('limit=500')) return undefined;
      if (path.includes('continue=') && expired-- > 0) return { kind: 'answer', status: 410, body: gone };
      if (path.includes('continue=') && cuts-- > 0) return { kind: 'cut', after: 3000 };
      return { kind: 'rewrite', path: path.replace('limit=500', 'limit=50') };
    };
    const names = (await cluster.list(labelled(group))).map((one) => one.metadata.name);
    expect(new Set(names).size).toBe(120);
    expect(names).toHaveLength(120);
    // One and an expired one, then three pages of which the second is cut off once.
    expect(proxy.requests).toHaveLength(6);
  });

  /** A user whose plugin hands out one token after the other, and the file with those that are left. */
  const plugged = async (tokens: readonly string[]) => {
    const [file, program] = ['tokens', 'plugin.mjs'].map((name) => join(folder, `${fresh()}-${name}`));
    await writeFile(file!, tokens.join('\n'));
    await writeFile(
      program!,
      `import { readFileSync, writeFileSync } from 'node:fs';
       const [token, ...rest] = readFileSync(process.env.TOKENS, 'utf8').split('\\n').filter(Boolean);
       writeFileSync(process.env.TOKENS, rest.join('\\n'));
       const { apiVersion } = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
       console.log(JSON.stringify({ kind: 'ExecCredential', apiVersion, status: { token } }));`,
    );
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: process.execPath,
      args: [program],
      env: [{ name: 'TOKENS', value: file }],
    };
    return { user: { exec }, left: () => readFile(file!, 'utf8') };
  };

  test('refreshes a token that the server no longer accepts, once for all calls', async () => {
    const { user, left } = await plugged(['stale', entrance.token, 'one too many']);
    const secrets: string[] = [];
    await using cluster = await opened({
      kubeconfig: configured({}, user),
      secret: (value) => secrets.push(value),
    });
    expect(await Promise.all([cluster.version(), cluster.version()])).toHaveLength(2);
    expect(await left()).toBe('one too many');
    expect(secrets).toEqual(expect.arrayContaining(['stale', entrance.token]));
    expect(await cluster.get(idOf('kube-root-ca.crt'))).toMatchObject({ kind: 'ConfigMap' });
  });

  test('refreshes a token that ends in the middle of a watch', async () => {
    await using proxy = await startProxy();
    const { user, left } = await plugged([entrance.token, entrance.token]);
    await using cluster = await opened(
      { kubeconfig: configured({ server: proxy.url }, user) },
      { watchLife: 1 },
    );
    await using direct = await opened();
    const [group, name] = [fresh(), fresh()];
    await using told = follow(cluster, group);
    await told.until((events) => events.includes('synced'));
    // The first token ends here.
    let ended = false;
    proxy.fate = ({ path }) => {
      if (ended || !path.includes('watch=true')) return undefined;
      ended = true;
      return { kind: 'answer', status: 401 };
    };
    proxy.cut();
    await direct.apply(configMap(name, { step: '1' }, { group }), manager);
    await told.until((events) => events.includes(`added ${name} 1`));
    expect(told.events).toEqual(['synced', `added ${name} 1`]);
    expect(await left()).toBe('');
  });

  test('says which right is missing', async () => {
    const user = await lab.asUser(namespace.name, {
      rules: [{ apiGroups: [''], resources: ['configmaps'], verbs: ['get', 'list'] }],
    });
    await using cluster = await opened({ kubeconfig: user.kubeconfig });
    expect(cluster.namespace).toBe(namespace.name);
    await expect(cluster.create(configMap(fresh()))).rejects.toMatchObject({
      status: 403,
      reason: 'Forbidden',
    });
    const events = cluster.watch(labelled('none'), AbortSignal.timeout(20_000))[Symbol.asyncIterator]();
    expect((await events.next()).value).toEqual({ type: 'synced' });
    await expect(events.next()).rejects.toMatchObject({
      status: 403,
      call: `WATCH configmaps in ${namespace.name}`,
    });
  });

  test('watches through cut and frozen connections: no change is lost, none is told twice', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy, { watchLife: 1 });
    await using direct = await opened();
    const group = fresh();
    const [kept, short] = [`${group}-kept`, `${group}-short`];
    await direct.apply(configMap(kept, { step: '0' }, { group }), manager);
    await using told = follow(cluster, group);
    await told.until((events) => events.includes('synced'));

    const changes: string[] = [];
    for (let step = 1; step <= 12; step++) {
      if (step % 4 === 1) proxy.cut();
      if (step % 4 === 3) proxy.freeze();
      await direct.apply(configMap(kept, { step: String(step) }, { group }), manager);
      changes.push(`modified ${kept} ${step}`);
      await told.until((events) => events.includes(changes.at(-1)!));
    }
    proxy.freeze();
    await direct.apply(configMap(short, { step: 'first' }, { group }), manager);
    await direct.remove(idOf(short));
    await direct.apply(configMap(short, { step: 'second' }, { group }), manager);
    await direct.remove(idOf(kept));
    await told.until((events) => events.includes(`deleted ${kept} 12`));
    expect(told.events).toEqual([
      `added ${kept} 0`,
      'synced',
      ...changes,
      `added ${short} first`,
      `deleted ${short} first`,
      `added ${short} second`,
      `deleted ${kept} 12`,
    ]);
  });

  test('watches again when the server asked to, not earlier', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy);
    const group = fresh();
    const at: number[] = [];
    proxy.fate = ({ path }) => {
      if (!path.includes('watch=true')) return undefined;
      at.push(performance.now());
      return at.length === 1 ? { kind: 'answer', status: 429, headers: { 'retry-after': '1' } } : undefined;
    };
    await using watch = follow(cluster, group);
    await expect.poll(() => at.length, { timeout: 5_000 }).toBe(2);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(1_000);
    await cluster.apply(configMap(fresh(), { step: '1' }, { group }), manager);
    await watch.until((events) => events.some((event) => event.startsWith('added')));
  });

  test('lists again when the server has forgotten the version (410), and tells what is gone', async () => {
    await using proxy = await startProxy();
    await using cluster = await throughProxy(proxy, { watchLife: 1 });
    await using direct = await opened();
    const group = fresh();
    const [stays, changes, goes, again] = ['stays', 'changes', 'goes', 'again'].map(
      (one) => `${group}-${one}`,
    );
    for (const name of [stays!, changes!, goes!, again!])
      await direct.apply(configMap(name, { step: '0' }, { group }), manager);
    await using told = follow(cluster, group);
    await told.until((events) => events.includes('synced'));

    // Answered by the proxy: a server that has just started remembers every version since the first.
    let blocked = true;
    proxy.fate = ({ path }) => {
      if (!path.includes('watch=true')) return undefined;
      if (blocked) return { kind: 'answer', status: 503 };
      proxy.fate = () => undefined;
      return { kind: 'answer', status: 410 };
    };
    proxy.cut();
    await direct.apply(configMap(changes!, { step: '1' }, { group }), manager);
    await direct.remove(idOf(goes!));
    await direct.remove(idOf(again!));
    await direct.apply(configMap(again!, { step: 'new' }, { group }), manager);
    blocked = false;
    await told.until((events) => events.filter((one) => one === 'synced').length === 2);
    const renewal = told.events.slice(told.events.indexOf('synced') + 1);
    expect(renewal.at(-1)).toBe('synced');
    expect(renewal.slice(0, -1).sort()).toEqual(
      [`modified ${changes} 1`, `deleted ${goes} 0`, `deleted ${again} 0`, `added ${again} new`].sort(),
    );
  });

  test('ends a watch without a word when its signal is aborted', async () => {
    await using cluster = await opened();
    const stop = new AbortController();
    const seen: WatchEvent[] = [];
    for await (const event of cluster.watch(labelled('none'), stop.signal)) {
      seen.push(event);
      stop.abort();
    }
    expect(seen).toEqual([{ type: 'synced' }]);
  });

  /** Follows a watch, and gives its events as lines. */
  function follow(cluster: Cluster, group: string) {
    const stop = new AbortController();
    const events: string[] = [];
    let wake = () => {};
    let fault: unknown;
    const line = (event: WatchEvent) =>
      event.type === 'synced'
        ? 'synced'
        : `${event.type} ${event.object.metadata.name} ${(event.object.data as Record<string, string>).step}`;
    const following = (async () => {
      try {
        for await (const event of cluster.watch(labelled(group), stop.signal)) {
          events.push(line(event));
          wake();
        }
      } catch (error) {
        fault = error;
        wake();
      }
    })();
    return {
      events,
      async until(holds: (events: readonly string[]) => boolean) {
        const late = AbortSignal.timeout(30_000);
        while (!holds(events)) {
          if (fault !== undefined) throw fault;
          await new Promise<void>((resolve, reject) => {
            wake = resolve;
            late.addEventListener('abort', () => reject(new Error(`told so far: ${events.join(', ')}`)));
          });
        }
      },
      async [Symbol.asyncDispose]() {
        stop.abort();
        await following;
      },
    };
  }
});

describeWith('pods through the cluster client', { kubernetes: lab, registry: images }, (have) => {
  let namespace: Awaited<ReturnType<typeof have.kubernetes.namespace>>;
  let cluster: Cluster;
  let pod: ObjectId;

  beforeAll(async () => {
    namespace = await have.kubernetes.namespace('client-pods');
    const { pinned } = await have.registry.publish({ version: 'client' });
    cluster = await openCluster({
      kubeconfig: have.kubernetes.kubeconfig,
      env: {},
      signal: AbortSignal.timeout(120_000),
      secret: () => {},
    });
    pod = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name, name: 'web' };
    const resources = { requests: { cpu: '10m', memory: '16Mi' } };
    await cluster.apply(
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'web', namespace: namespace.name },
        spec: { terminationGracePeriodSeconds: 0, containers: [{ name: 'web', image: pinned, resources }] },
      },
      manager,
    );
    const query = { apiVersion: 'v1', kind: 'Pod', namespace: namespace.name };
    for await (const event of cluster.watch(query, AbortSignal.timeout(60_000)))
      if (event.type !== 'synced' && (event.object.status as { phase?: string }).phase === 'Running') break;
  });
  afterAll(async () => {
    await cluster?.[Symbol.asyncDispose]();
    await namespace?.[Symbol.asyncDispose]();
  });

  test('runs a program and gives its exit code', async () => {
    const signal = AbortSignal.timeout(20_000);
    expect(await cluster.exec(pod, 'web', ['/program', 'exit', '7'], signal)).toMatchObject({ code: 7 });
    const unknown = await cluster.exec(pod, undefined, ['/program', 'nothing'], signal);
    expect(unknown).toEqual({ code: 2, stdout: '', stderr: 'no such mode: nothing\n' });
    await expect(cluster.exec(pod, undefined, ['/missing'], signal)).rejects.toBeInstanceOf(ApiError);
    await expect(
      cluster.exec({ ...pod, name: 'other' }, undefined, ['/program'], signal),
    ).rejects.toMatchObject({ status: 404 });
  });

  test('reads the end of a log', async () => {
    await expect.poll(() => cluster.logs(pod, { tail: 1 })).toMatch(/\S+\n$/);
    await expect(cluster.logs(pod, { tail: 1, previous: true })).rejects.toMatchObject({ status: 400 });
  });

  test('connects to a port', async () => {
    await using stream = await cluster.connect(pod, 8080);
    stream.write('GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n');
    expect(await text(stream)).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*client/);
  });

  test('leaves no connection to a pod open when it is closed', async () => {
    const own = await openCluster({
      kubeconfig: have.kubernetes.kubeconfig,
      env: {},
      signal: AbortSignal.timeout(60_000),
      secret: () => {},
    });
    const stream = await own.connect(pod, 8080);
    await Promise.all([once(stream, 'close'), own[Symbol.asyncDispose]()]);
  });

  test('says that nothing listens on a port', async () => {
    const stream = await cluster.connect(pod, 9);
    const [error] = await once(stream, 'error');
    expect(error).toMatchObject({
      code: 'ECONNREFUSED',
      message: `Cannot connect to port 9 of Pod ${namespace.name}/web: nothing listens there.`,
    });
  });
});
