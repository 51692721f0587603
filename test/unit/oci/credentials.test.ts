import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Failure } from '../../../shared/host/index.ts';
import { dockerCredentials, parseReference, withLogins } from '../../../shared/oci/index.ts';

let home: string;
let secrets: string[];

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'slipway-home-'));
  secrets = [];
});
afterEach(() => rm(home, { recursive: true, force: true }));

const base64 = (text: string) => Buffer.from(text).toString('base64');

async function login(reference: string, env: Record<string, string> = {}) {
  const credentials = dockerCredentials({ secret: (value) => secrets.push(value), env, home });
  return await credentials.login(parseReference(reference));
}

async function file(path: string, content: unknown): Promise<string> {
  const full = join(home, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, typeof content === 'string' ? content : JSON.stringify(content));
  return full;
}

/** A credential helper that is a shell script, on a PATH of its own. */
async function helper(name: string, script: string): Promise<Record<string, string>> {
  const path = await file(`bin/docker-credential-${name}`, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return { PATH: `${dirname(path)}:${process.env.PATH}` };
}

const password = (username: string, secret: string) => ({ kind: 'password', username, password: secret });

describe('credentials', () => {
  it('are anonymous where there is no file', async () => {
    expect(await login('ghcr.io/org/app')).toEqual({ kind: 'anonymous' });
  });

  it.each([
    ['ghcr.io', 'ghcr.io/org/app'],
    ['https://ghcr.io', 'ghcr.io/org/app'],
    ['https://ghcr.io/v2/', 'ghcr.io/org/app'],
    ['https://index.docker.io/v1/', 'alpine'],
    ['docker.io', 'alpine'],
    ['registry-1.docker.io', 'alpine'],
    ['localhost:5000', 'localhost:5000/app'],
  ])('are found under %s for %s', async (key, reference) => {
    await file('.docker/config.json', { auths: { other: {}, [key]: { auth: base64('me:se:cret') } } });
    expect(await login(reference)).toEqual(password('me', 'se:cret'));
    expect(secrets).toEqual([base64('me:se:cret'), 'se:cret']);
  });

  it('come from DOCKER_CONFIG before the home folder', async () => {
    await file('.docker/config.json', { auths: { 'ghcr.io': { auth: base64('home:x') } } });
    await file('elsewhere/config.json', { auths: { 'ghcr.io': { auth: base64('there:x') } } });
    expect(await login('ghcr.io/a/b', { DOCKER_CONFIG: join(home, 'elsewhere') })).toEqual(
      password('there', 'x'),
    );
  });

  it('come from the file of REGISTRY_AUTH_FILE first, and from that of Podman last', async () => {
    const auth = await file('auth.json', { auths: { 'quay.io': { auth: base64('first:x') } } });
    await file('.docker/config.json', { auths: { 'quay.io': { auth: base64('docker:x') } } });
    await file('run/containers/auth.json', { auths: { 'ghcr.io': { auth: base64('podman:x') } } });
    const env = { REGISTRY_AUTH_FILE: auth, XDG_RUNTIME_DIR: join(home, 'run') };
    expect(await login('quay.io/a/b', env)).toEqual(password('first', 'x'));
    expect(await login('ghcr.io/a/b', env)).toEqual(password('podman', 'x'));
  });

  it('may be for one repository, and the most specific wins', async () => {
    await file('.docker/config.json', {
      auths: {
        'quay.io': { auth: base64('all:x') },
        'quay.io/org': { auth: base64('org:x') },
        'quay.io/org/app': { auth: base64('app:x') },
      },
    });
    expect(await login('quay.io/org/app:1')).toEqual(password('app', 'x'));
    expect(await login('quay.io/org/other')).toEqual(password('org', 'x'));
    expect(await login('quay.io/elsewhere/app')).toEqual(password('all', 'x'));
  });

  it('may be an identity token, a bearer token, or two fields', async () => {
    await file('.docker/config.json', {
      auths: {
        'a.example': { auth: base64('me:x'), identitytoken: 'refresh' },
        'b.example': { registrytoken: 'bearer' },
        'c.example': { username: 'me', password: 'pw' },
        'd.example': {},
      },
    });
    expect(await login('a.example/x')).toEqual({ kind: 'identity', token: 'refresh' });
    expect(await login('b.example/x')).toEqual({ kind: 'bearer', token: 'bearer' });
    expect(await login('c.example/x')).toEqual(password('me', 'pw'));
    expect(await login('d.example/x')).toEqual({ kind: 'anonymous' });
    expect(secrets).toContain('refresh');
    expect(secrets).toContain('bearer');
  });

  it('come from the helper of a registry before the common store, and are given the server on their input', async () => {
    await file('.docker/config.json', { credHelpers: { 'ghcr.io': 'mine' }, credsStore: 'common' });
    const env = await helper(
      'mine',
      `read -r s || true; printf '{"ServerURL":"%s","Username":"u-%s","Secret":"top"}' "$s" "$s"`,
    );
    await helper('common', `read -r s || true; printf '{"Username":"<token>","Secret":"id"}'`);
    expect(await login('ghcr.io/a/b', env)).toEqual(password('u-ghcr.io', 'top'));
    expect(await login('alpine', env)).toEqual({ kind: 'identity', token: 'id' });
    expect(secrets).toEqual(['top', 'id']);
  });

  it('are anonymous where the helper has none', async () => {
    await file('.docker/config.json', { credsStore: 'none' });
    const env = await helper('none', 'echo "credentials not found in native keychain"; exit 1');
    expect(await login('ghcr.io/a/b', env)).toEqual({ kind: 'anonymous' });
  });

  it('given by hand win over files', async () => {
    await file('.docker/config.json', { auths: { 'ghcr.io': { auth: base64('file:x') } } });
    const files = dockerCredentials({ secret: () => {}, env: {}, home });
    const credentials = withLogins(
      { 'ghcr.io': { kind: 'password', username: 'hand', password: 'y' } },
      files,
    );
    expect(await credentials.login(parseReference('ghcr.io/a/b'))).toEqual(password('hand', 'y'));
    expect(credentials.origin).toBe('~/.docker/config.json');
  });

  const broken: [string, unknown, string][] = [
    [
      'text that is no JSON',
      '{\n  "auths": {\n    "ghcr.io": {"auth": hunter2}\n',
      'config.json is no valid JSON.',
    ],
    ['text that ends early', '{\n  "auths": {\n', 'config.json is no valid JSON: look at line 3.'],
    ['a list', [], 'config.json is no JSON object.'],
    ['auths that are text', { auths: 'x' }, 'config.json has a "auths" that is no object.'],
    [
      'an auth that is no base64',
      { auths: { 'ghcr.io': { auth: 'hunter2!' } } },
      'has an "auth" for "ghcr.io" that is not base64 of USER:PASSWORD.',
    ],
    [
      'an auth without a colon',
      { auths: { 'ghcr.io': { auth: base64('hunter2') } } },
      'that is not base64 of USER:PASSWORD.',
    ],
    [
      'an auth that is a number',
      { auths: { 'ghcr.io': { auth: 7 } } },
      'has a "auth" for "ghcr.io" that is no text.',
    ],
    ['a helper that is missing', { credHelpers: { 'ghcr.io': 'gone' } }, 'docker-credential-gone, which'],
    [
      'a helper that is a path',
      { credHelpers: { 'ghcr.io': '../evil' } },
      'The credential helper "../evil", which',
    ],
  ];
  it.each(broken)('are refused for %s, and no secret is told', async (_, content, sentence) => {
    await file('.docker/config.json', content);
    const error = await login('ghcr.io/org/app').catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).message).toContain(sentence);
    expect((error as Failure).message).toContain('config.json');
    expect((error as Failure).message).not.toContain('hunter2');
  });

  it.each([
    ['echo not json', 'gave an answer that is no JSON.'],
    ['echo "{}"', 'gave an answer without Username and Secret.'],
    ['echo "the vault is closed" >&2; exit 3', 'left with code 3: the vault is closed.'],
  ])('are refused for a helper that does %j', async (script, sentence) => {
    await file('.docker/config.json', { credsStore: 'odd' });
    await expect(login('ghcr.io/org/app', await helper('odd', script))).rejects.toThrow(sentence);
  });
});
