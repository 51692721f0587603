import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';

/** Keys and certificates of a cluster, all in one folder, and who may come in by a token. */
export interface Credentials {
  readonly folder: string;
  /** The file of the certificate authority. */
  readonly authority: string;
  /** From the name of a user to his token. */
  readonly tokens: Readonly<Record<string, string>>;
}

/** Those who have to be known before there is a cluster, with their groups. */
const users = {
  admin: 'system:masters',
  'system:kube-controller-manager': '',
  'system:kube-scheduler': '',
  'system:kube-proxy': '',
  'system:node:node': 'system:nodes',
  kwok: 'system:masters',
} as const;

export type ClusterUser = keyof typeof users;

export async function makeCredentials(folder: string, address: string): Promise<Credentials> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await openssl(folder, [...newKey('ca'), '-x509', '-subj', '/CN=lab', '-days', '30', '-out', 'ca.crt']);
  const names = `DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:${address},IP:198.19.0.1`;
  await Promise.all([
    sign(folder, 'apiserver', '/CN=kube-apiserver', `subjectAltName=${names}\nextendedKeyUsage=serverAuth`),
    sign(folder, 'kubelet-client', '/O=system:masters/CN=apiserver', 'extendedKeyUsage=clientAuth'),
    sign(folder, 'front-proxy', '/CN=front-proxy', 'extendedKeyUsage=clientAuth'),
    openssl(folder, ['genrsa', '-out', 'accounts.key', '2048']),
  ]);
  await openssl(folder, ['rsa', '-in', 'accounts.key', '-pubout', '-out', 'accounts.pub']);
  const tokens = Object.fromEntries(
    Object.keys(users).map((user) => [user, randomBytes(24).toString('hex')]),
  );
  const lines = Object.entries(users).map(([user, group]) => `${tokens[user]},${user},${user},"${group}"\n`);
  await writeFile(join(folder, 'tokens.csv'), lines.join(''), { mode: 0o600 });
  return { folder, authority: join(folder, 'ca.crt'), tokens };
}

/** Writes a kubeconfig for whoever has the token; JSON is YAML. */
export async function writeKubeconfig(
  file: string,
  { server, authority, token, namespace }: KubeconfigParts,
): Promise<string> {
  const context = { cluster: 'lab', user: 'lab', ...(namespace !== undefined && { namespace }) };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'lab',
    clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': authority } }],
    users: [{ name: 'lab', user: { token } }],
    contexts: [{ name: 'lab', context }],
  };
  await writeFile(file, JSON.stringify(config, undefined, 2), { mode: 0o600 });
  return file;
}

export interface KubeconfigParts {
  readonly server: string;
  /** Base64 of the authority's certificate. */
  readonly authority: string;
  readonly token: string;
  readonly namespace?: string;
}

export async function kubeconfigOf(
  { folder, authority, tokens }: Credentials,
  user: ClusterUser,
  server: string,
): Promise<string> {
  const data = (await readFile(authority)).toString('base64');
  const file = join(folder, `${user.replaceAll(':', '-')}.kubeconfig`);
  return writeKubeconfig(file, { server, authority: data, token: tokens[user]! });
}

async function sign(folder: string, name: string, subject: string, extensions: string): Promise<void> {
  await openssl(folder, [...newKey(name), '-subj', subject, '-out', `${name}.csr`]);
  await writeFile(join(folder, `${name}.ext`), extensions);
  // biome-ignore format: a flag with its value
  await openssl(folder, [
    'x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.crt', '-CAkey', 'ca.key',
    '-set_serial', `0x${randomBytes(8).toString('hex')}`, '-days', '30', '-extfile', `${name}.ext`, '-out', `${name}.crt`,
  ]);
}

const newKey = (name: string) =>
  // biome-ignore format: a flag with its value
  ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', `${name}.key`];

async function openssl(cwd: string, args: readonly string[]): Promise<void> {
  await run({ program: 'openssl', args, cwd, timeout: 30_000 });
}
