import type { Duplex } from 'node:stream';
import { ApiError, type Cluster, formatId } from '../../kubernetes/index.ts';
import type { Check, CheckScope, GrpcCheck, HttpCheck, TcpCheck } from './check.ts';
import { dial } from './dial.ts';
import { type Endpoint, endpointsOf } from './endpoints.ts';
import { execOnce } from './exec.ts';
import { faultOf } from './faults.ts';
import { askHealth } from './grpc.ts';
import { askAddress, askHttp, type HttpAnswer } from './http.ts';

/** What one attempt of a check gave. */
export interface Answer {
  readonly kind: 'pass' | 'fail' | 'unknown';
  /** One sentence. */
  readonly message: string;
  readonly evidence?: string | undefined;
  /** It is none: the time was over. */
  readonly late?: boolean | undefined;
  /** Asking again would give the same. */
  readonly final?: boolean | undefined;
}

/** Where a check from the runner looks for a proxy. */
export type CheckEnvironment = Readonly<Record<string, string | undefined>>;

/** Pods that one check asks at most. */
const PODS = 5;

/** Asks once. Whatever goes wrong becomes an answer; only faults of Slipway itself are thrown. */
export async function attempt(
  cluster: Cluster,
  check: Check,
  scope: CheckScope,
  { env, signal }: { readonly env: CheckEnvironment; readonly signal: AbortSignal },
): Promise<Answer> {
  try {
    const here = cluster.within(signal);
    if (check.kind === 'exec') return await execOnce(here, check, scope, signal);
    if (check.from === 'runner') return await askFromRunner(check, env, signal);
    if (check.from === 'cluster') return await askThroughProxy(here, check, scope, signal);
    return await askPods(here, check, scope, signal);
  } catch (error) {
    return answerOf(error, signal);
  }
}

function answerOf(error: unknown, signal: AbortSignal): Answer {
  if (error instanceof ApiError)
    return error.status === 401 || error.status === 403
      ? {
          kind: 'unknown',
          message: `The cluster does not allow ${error.call}.`,
          evidence: error.message,
          final: true,
        }
      : { kind: 'fail', message: `The API server refused ${error.call}.`, evidence: error.message };
  if (signal.aborted) return { kind: 'fail', message: 'No answer in time.', late: true };
  // A broken connection is the answer of what was asked; these are faults of ours.
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
    throw error;
  return { kind: 'fail', ...faultOf(error) };
}

async function askPods(
  cluster: Cluster,
  check: HttpCheck | GrpcCheck | TcpCheck,
  scope: CheckScope,
  signal: AbortSignal,
): Promise<Answer> {
  const namespace = check.namespace ?? scope.namespace;
  const found = await endpointsOf(cluster, { namespace, name: check.host }, check.port);
  if (found.kind === 'none') return { kind: 'fail', message: `It cannot be asked: ${found.because}.` };
  const asked = found.endpoints.slice(0, PODS);
  const answers = await Promise.all(
    asked.map((endpoint) =>
      askPod(cluster, check, endpoint, signal).catch((error) => answerOf(error, signal)),
    ),
  );
  const worst = answers.find(({ kind }) => kind === 'fail') ?? answers.find(({ kind }) => kind === 'unknown');
  if (worst !== undefined) {
    const { pod } = asked[answers.indexOf(worst)]!;
    return { ...worst, message: `${formatId(pod)}: ${worst.message}` };
  }
  const all = found.endpoints.length;
  const pods =
    all === 1 ? 'the ready pod' : all > PODS ? `${PODS} of ${all} ready pods` : `all ${all} ready pods`;
  return {
    kind: 'pass',
    message: `${answers[0]!.message.replace(/\.$/, '')} from ${pods}.`,
    evidence: answers[0]!.evidence,
  };
}

async function askPod(
  cluster: Cluster,
  check: HttpCheck | GrpcCheck | TcpCheck,
  { pod, port }: Endpoint,
  signal: AbortSignal,
): Promise<Answer> {
  const connection = await cluster.connect(pod, port, signal);
  return await ask(check, connection, check.host, signal);
}

async function askFromRunner(
  check: HttpCheck | GrpcCheck | TcpCheck,
  env: CheckEnvironment,
  signal: AbortSignal,
): Promise<Answer> {
  if (check.kind === 'http') return judge(check, await askAddress(check, env, signal));
  const connection = await dial(check.host, Number(check.port), signal);
  return await ask(check, connection, check.host, signal);
}

/** Asks over a connection, and ends it. */
async function ask(
  check: HttpCheck | GrpcCheck | TcpCheck,
  connection: Duplex,
  host: string,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    switch (check.kind) {
      case 'tcp':
        return await greeting(connection, signal);
      case 'http':
        return judge(check, await askHttp({ ...check, host }, connection, signal));
      case 'grpc': {
        const status = await askHealth(
          { ...check, host, verify: check.from === 'runner' },
          connection,
          signal,
        );
        return {
          kind: status === 'SERVING' ? 'pass' : 'fail',
          message: status.startsWith('gRPC') ? `The call failed with ${status}.` : `The health is ${status}.`,
        };
      }
    }
  } finally {
    connection.destroy();
  }
}

/** Through the API server a refused port shows only once the connection is used: it must stay open for a moment. */
async function greeting(connection: Duplex, signal: AbortSignal): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const open = () => resolve({ kind: 'pass', message: 'The port is open.' });
    const timer = setTimeout(open, 300);
    const done = (end: () => void) => () => {
      clearTimeout(timer);
      end();
    };
    connection.once('data', done(open));
    connection.once('error', (error) => done(() => reject(error))());
    connection.once(
      'close',
      done(() => resolve({ kind: 'fail', message: 'The connection was closed at once.' })),
    );
    signal.addEventListener(
      'abort',
      done(() => reject(signal.reason)),
      { once: true },
    );
  });
}

async function askThroughProxy(
  cluster: Cluster,
  check: HttpCheck | GrpcCheck | TcpCheck,
  scope: CheckScope,
  signal: AbortSignal,
): Promise<Answer> {
  if (check.kind !== 'http') throw new Error('Only HTTP goes through the proxy of the API server.');
  const namespace = check.namespace ?? scope.namespace;
  const name = `${check.tls ? 'https:' : ''}${check.host}${check.port === undefined ? (check.tls ? ':' : '') : `:${check.port}`}`;
  const path = `/api/v1/namespaces/${namespace}/services/${name}/proxy${check.path}`;
  const answer = await cluster.fetch(path, { signal });
  const refusal = statusOf(answer.body);
  if (refusal === undefined) return judge(check, answer);
  if (answer.status === 401 || answer.status === 403)
    return {
      kind: 'unknown',
      message: 'The cluster does not allow get services/proxy.',
      evidence: refusal,
      final: true,
    };
  return { kind: 'fail', message: 'The API server could not ask the Service.', evidence: refusal };
}

/** The message of a Status, with which the API server answers for itself. */
function statusOf(body: string): string | undefined {
  try {
    const { kind, apiVersion, message } = JSON.parse(body) as Record<string, string>;
    return kind === 'Status' && apiVersion === 'v1' ? (message ?? 'no reason given') : undefined;
  } catch {
    return undefined;
  }
}

export function judge(check: Pick<HttpCheck, 'status' | 'body'>, { status, body }: HttpAnswer): Answer {
  const wanted = check.status
    .map(({ from, to }) => (from === to ? `${from}` : `${from / 100}xx`))
    .join(' or ');
  const start = body.trim().slice(0, 200).replace(/\s+/g, ' ');
  const evidence = start === '' ? undefined : `Body: ${start}`;
  if (!check.status.some(({ from, to }) => status >= from && status <= to))
    return { kind: 'fail', message: `Status ${status} in place of ${wanted}.`, evidence };
  if (check.body !== undefined && !body.includes(check.body))
    return {
      kind: 'fail',
      message: `Status ${status}, but the body does not hold "${check.body}".`,
      evidence,
    };
  return {
    kind: 'pass',
    message: `Status ${status}${check.body === undefined ? '' : ` with "${check.body}"`}.`,
  };
}
