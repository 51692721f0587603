import { ExecError, run } from '../../exec/index.ts';
import { Failure } from '../../host/index.ts';
import { type CredentialContext, readPem } from './credentials.ts';
import type { Entrance } from './entrance.ts';
import type { ExecPlugin } from './kubeconfig.ts';

/** What a plugin handed out. */
export interface PluginCredentials {
  readonly token?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined;
}

/** Plugins talk to clouds; one that waits for somebody to log in would wait for ever. */
const PATIENCE = 60_000;
const NEWEST = 'client.authentication.k8s.io/v1';

/** Runs a plugin (client.authentication.k8s.io, ExecCredential) as kubectl does in a process without a terminal. */
export async function runExecPlugin(
  plugin: ExecPlugin,
  entrance: Entrance,
  { env, signal, secret }: CredentialContext,
): Promise<PluginCredentials> {
  if (plugin.interactiveMode === 'Always')
    throw new Failure(
      `The context "${entrance.name}" gets its credentials from the program "${plugin.command}", which asks somebody at a terminal (interactiveMode: Always); here, use a login that asks nobody.`,
    );
  const apiVersion = plugin.apiVersion ?? NEWEST;
  const finished = await run({
    program: plugin.command,
    args: plugin.args ?? [],
    env: {
      ...env,
      ...Object.fromEntries((plugin.env ?? []).map(({ name, value }) => [name, value])),
      KUBERNETES_EXEC_INFO: JSON.stringify(await execInfo(plugin, apiVersion, entrance)),
    },
    signal,
    timeout: PATIENCE,
    keep: 2 ** 20,
  }).catch((error: unknown) => {
    throw signal.aborted ? signal.reason : pluginFailure(error, plugin, entrance);
  });
  return parseCredential(finished.stdout.toString('utf8'), plugin, secret);
}

async function execInfo(plugin: ExecPlugin, apiVersion: string, { cluster }: Entrance): Promise<object> {
  const authority = plugin.provideClusterInfo ? await readPem(cluster.certificateAuthority) : undefined;
  return {
    apiVersion,
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(plugin.provideClusterInfo && {
        cluster: {
          server: cluster.server,
          ...(cluster.tlsServerName !== undefined && { 'tls-server-name': cluster.tlsServerName }),
          ...(cluster.insecure && { 'insecure-skip-tls-verify': true }),
          ...(authority !== undefined && {
            'certificate-authority-data': Buffer.from(authority).toString('base64'),
          }),
          ...(cluster.proxyUrl !== undefined && { 'proxy-url': cluster.proxyUrl }),
          ...(cluster.execConfig !== undefined && { config: cluster.execConfig }),
        },
      }),
    },
  };
}

function pluginFailure(error: unknown, { command, installHint }: ExecPlugin, { name }: Entrance): unknown {
  if (!(error instanceof ExecError)) return error;
  const whose = `The context "${name}" gets its credentials from the program "${command}"`;
  const hint = installHint === undefined ? '' : ` ${installHint.trim().replaceAll(/\s*\n\s*/g, ' ')}`;
  if (error.reason === 'missing')
    return new Failure(`${whose}, which is not installed on this machine.${hint}`, { cause: error });
  const said = error.stderr.trim().split('\n').slice(-3).join(' ').slice(-500);
  const how =
    error.reason === 'timeout'
      ? `which did not end within ${PATIENCE / 1000} s`
      : `which ended with ${error.code}`;
  return new Failure(`${whose}, ${how}${said === '' ? '.' : `: ${said}`}`, { cause: error });
}

function parseCredential(
  text: string,
  { command }: ExecPlugin,
  secret: (value: string) => void,
): PluginCredentials {
  const status = statusOf(text);
  if (status === undefined)
    throw new Failure(
      `The program "${command}", which hands out credentials, did not print an ExecCredential with a status.`,
    );
  const field = (key: string) =>
    typeof status[key] === 'string' && status[key] !== '' ? (status[key] as string) : undefined;
  const token = field('token');
  const key = field('clientKeyData');
  const certificate = field('clientCertificateData');
  if (token !== undefined) secret(token);
  if (key !== undefined) secret(key);
  if (token === undefined && (certificate === undefined || key === undefined))
    throw new Failure(`The program "${command}" handed out neither a token nor a certificate with its key.`);
  const expires = Date.parse(field('expirationTimestamp') ?? '');
  return { token, certificate, key, expires: Number.isNaN(expires) ? undefined : expires };
}

function statusOf(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as { status?: Record<string, unknown> } | null;
    return typeof value?.status === 'object' ? value.status : undefined;
  } catch {
    return undefined;
  }
}
