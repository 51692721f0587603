import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { credentialsOf } from '../../../../shared/kubernetes/client/credentials.ts';
import type { Entrance } from '../../../../shared/kubernetes/client/entrance.ts';
import type { ServerEntry, UserEntry } from '../../../../shared/kubernetes/client/kubeconfig.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'slipway-credentials-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** Credentials of a user, at a time that the test owns. */
function source(user: Partial<UserEntry>, cluster: Partial<ServerEntry> = {}) {
  const entrance: Entrance = {
    name: 'staging',
    namespace: 'default',
    cluster: {
      server: 'https://api.example.com',
      insecure: false,
      certificateAuthority: { data: 'PEM' },
      ...cluster,
    },
    user: { name: 'ci', impersonate: {}, ...user },
  };
  const secrets: string[] = [];
  const clock = { now: Date.parse('2026-01-01T00:00:00Z') };
  const credentials = credentialsOf(entrance, {
    env: { PATH: process.env.PATH },
    signal: new AbortController().signal,
    secret: (value) => secrets.push(value),
    now: () => clock.now,
  });
  const bearer = async () => (await credentials.current()).headers.Authorization;
  return { credentials, secrets, clock, bearer };
}

test('a token is masked before it is used, and there is no other when it is refused', async () => {
  const { credentials, secrets, bearer } = source({ token: 'abc' });
  expect(await bearer()).toBe('Bearer abc');
  expect(secrets).toEqual(['abc']);
  expect(await credentials.renew(await credentials.current())).toBe(false);
});

test('a name and password are masked in both their forms', async () => {
  const { secrets, bearer } = source({ basic: { username: 'me', password: 'pass' } });
  expect(await bearer()).toBe('Basic bWU6cGFzcw==');
  expect(secrets).toEqual(['pass', 'bWU6cGFzcw==']);
});

test('a token file is read again after a while, and at once when its token is refused', async () => {
  const file = join(folder, 'token');
  await writeFile(file, 'one\n');
  const { credentials, bearer, clock } = source({ tokenFile: file });
  expect(await bearer()).toBe('Bearer one');
  await writeFile(file, 'two');
  expect(await bearer()).toBe('Bearer one');
  clock.now += 11_000;
  expect(await bearer()).toBe('Bearer two');
  await writeFile(file, 'three');
  expect(await credentials.renew(await credentials.current())).toBe(true);
  expect(await bearer()).toBe('Bearer three');
  await writeFile(file, '');
  clock.now += 11_000;
  await expect(bearer()).rejects.toThrow('is empty');
});

test('a plugin is told what the kubeconfig holds for it, and none is run that asks somebody', async () => {
  const program = 'console.log(JSON.stringify({ status: { token: process.env.KUBERNETES_EXEC_INFO } }))';
  const { exec } = await plugin(program, { provideClusterInfo: true });
  const { bearer } = source({ exec }, { execConfig: { shoot: 'shop' } });
  const said = JSON.parse(String(await bearer()).replace('Bearer ', ''));
  expect(said.spec.cluster.config).toEqual({ shoot: 'shop' });
  await expect(source({ exec: { ...exec, interactiveMode: 'Always' } }).bearer()).rejects.toThrow(
    'which asks somebody at a terminal (interactiveMode: Always)',
  );
});

const plugin = async (program: string, more: object = {}) => {
  const file = join(folder, 'plugin.mjs');
  await writeFile(file, program);
  return {
    exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [file], ...more },
  };
};
const counting = (status: string) => `
  import { existsSync, readFileSync, writeFileSync } from 'node:fs';
  const file = process.env.COUNTER;
  const count = existsSync(file) ? Number(readFileSync(file, 'utf8')) + 1 : 1;
  writeFileSync(file, String(count));
  const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
  console.log(JSON.stringify({ apiVersion: info.apiVersion, kind: 'ExecCredential', status: ${status} }));`;

test('a plugin is run once until its token ends', async () => {
  const env = [{ name: 'COUNTER', value: join(folder, 'count') }];
  const program = counting('{ token: `t${count}`, expirationTimestamp: "2026-01-01T01:00:00Z" }');
  const { bearer, secrets, clock, credentials } = source(await plugin(program, { env }));
  expect(await Promise.all([bearer(), bearer()])).toEqual(['Bearer t1', 'Bearer t1']);
  clock.now += 59 * 60_000;
  expect(await bearer()).toBe('Bearer t1');
  clock.now += 31_000;
  // This one ends in 29 s: it is used for the half of them.
  expect(await bearer()).toBe('Bearer t2');
  clock.now += 14_000;
  const refused = await credentials.current();
  expect(await Promise.all([credentials.renew(refused), credentials.renew(refused)])).toEqual([true, true]);
  expect(await bearer()).toBe('Bearer t3');
  expect(secrets).toEqual(expect.arrayContaining(['t1', 't2', 't3']));
});

test('a plugin learns of the cluster when it asks to, and may hand out a certificate', async () => {
  const env = [{ name: 'COUNTER', value: join(folder, 'count') }];
  const program = counting('{ clientCertificateData: JSON.stringify(info.spec), clientKeyData: "KEY" }');
  const { credentials, secrets } = source(await plugin(program, { env, provideClusterInfo: true }));
  const { certificate, key } = await credentials.current();
  expect(JSON.parse(certificate!)).toEqual({
    interactive: false,
    cluster: {
      server: 'https://api.example.com',
      'certificate-authority-data': Buffer.from('PEM').toString('base64'),
    },
  });
  expect(key).toBe('KEY');
  expect(secrets).toContain('KEY');
});

test('a plugin that is not installed is named with its hint', async () => {
  const exec = {
    command: 'gke-gcloud-auth-plugin-missing',
    installHint: 'Install it with\n  gcloud components install.',
  };
  await expect(source({ exec }).bearer()).rejects.toThrow(
    'The context "staging" gets its credentials from the program "gke-gcloud-auth-plugin-missing", which is not installed on this machine. Install it with gcloud components install.',
  );
});

test.each([
  ['console.error("no login"); process.exit(3)', 'which ended with 3: no login'],
  ['console.log("hello")', 'did not print an ExecCredential'],
  ['console.log(JSON.stringify({ status: {} }))', 'handed out neither a token nor a certificate'],
])('a plugin that fails: %s', async (program, message) => {
  await expect(source(await plugin(program)).bearer()).rejects.toThrow(message);
});

test('an OpenID Connect login is renewed at its provider when it ends or is refused', async () => {
  const token = (name: string, exp: number) =>
    `x.${Buffer.from(JSON.stringify({ name, exp })).toString('base64url')}.x`;
  const hour = Date.parse('2026-01-01T01:00:00Z') / 1000;
  const forms: string[] = [];
  const provider = createServer(async (request, response) => {
    const { port } = provider.address() as AddressInfo;
    if (request.method === 'GET') {
      response.end(JSON.stringify({ token_endpoint: `http://127.0.0.1:${port}/token` }));
      return;
    }
    forms.push(await text(request));
    if (forms.length === 3) response.writeHead(400).end('{"error":"invalid_grant"}');
    else
      response.end(
        JSON.stringify({ id_token: token(`n${forms.length}`, hour * 2), refresh_token: `r${forms.length}` }),
      );
  });
  await new Promise<void>((done) => provider.listen(0, '127.0.0.1', done));
  try {
    const held = token('held', hour);
    const oidc = {
      'idp-issuer-url': `http://127.0.0.1:${(provider.address() as AddressInfo).port}/`,
      'client-id': 'cli',
      'client-secret': 'shh',
      'refresh-token': 'r0',
      'id-token': held,
    };
    const { bearer, clock, credentials, secrets } = source({ oidc });
    expect(await bearer()).toBe(`Bearer ${held}`);
    clock.now = hour * 1000;
    expect(await bearer()).toBe(`Bearer ${token('n1', hour * 2)}`);
    await credentials.renew(await credentials.current());
    expect(await bearer()).toBe(`Bearer ${token('n2', hour * 2)}`);
    expect(forms.map((form) => new URLSearchParams(form).get('refresh_token'))).toEqual(['r0', 'r1']);
    expect(secrets).toEqual(expect.arrayContaining([held, 'r0', 'shh', 'r1', 'r2']));
    await expect(credentials.renew(await credentials.current())).rejects.toThrow(
      'it answered 400 invalid_grant; log in again',
    );
  } finally {
    provider.close();
    provider.closeAllConnections();
  }
});

test('an OpenID Connect login that cannot be renewed', async () => {
  await expect(source({ oidc: {} }).bearer()).rejects.toThrow('has expired and cannot be renewed');
});
