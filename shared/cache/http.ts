import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | number>>;
  readonly body?: Buffer | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** An answer that is neither what was asked for nor worth another try. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;

  constructor(status: number, what: string, detail: string) {
    super(`${what} answered ${status}${detail === '' ? '' : `: ${detail}`}`);
    this.status = status;
  }
}

// Proxies as the environment names them, as every tool on a runner takes them.
const agentOptions = { keepAlive: true, maxSockets: 16, proxyEnv: process.env };
let agents: { readonly http: HttpAgent; readonly https: HttpsAgent } | undefined;

/** Milliseconds without a byte after which a connection counts as dead. */
const STALL = 20_000;

/** One exchange with the whole answer in memory: what is asked for here is small, or a range of some megabytes. */
export function exchange({ method, url, headers, body, signal }: HttpRequest): Promise<HttpAnswer> {
  agents ??= { http: new HttpAgent(agentOptions), https: new HttpsAgent(agentOptions) };
  const secure = url.startsWith('https:');
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      url,
      {
        method,
        agent: secure ? agents!.https : agents!.http,
        headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
        ...(signal && { signal }),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          if (!response.complete) reject(new Error('the connection broke off'));
          else
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: Buffer.concat(chunks),
            });
        });
      },
    );
    request.setTimeout(STALL, () => request.destroy(new Error(`no answer for ${STALL / 1000} s`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** A question is asked three times, which a service that is down costs one second; bytes that are under way deserve more. */
const ATTEMPTS = { question: 3, transfer: 5 } as const;

/**
 * Repeats an exchange while the service is busy or the connection breaks: 429 and 5xx, with growing pauses or the one it asks for.
 * Gives the last answer; throws when there was none.
 */
export async function persistently(
  request: HttpRequest,
  kind: keyof typeof ATTEMPTS = 'question',
): Promise<HttpAnswer> {
  for (let attempt = 1; ; attempt++) {
    const last = attempt === ATTEMPTS[kind];
    const answer = await exchange(request).catch((error: unknown) => {
      if (request.signal?.aborted || last) throw error;
      return undefined;
    });
    const busy = answer === undefined || answer.status === 429 || answer.status >= 500;
    if (!busy || last) return answer!;
    await pause(retryAfter(answer) ?? Math.min(2000, 200 * 4 ** (attempt - 1)), request.signal);
  }
}

function retryAfter(answer: HttpAnswer | undefined): number | undefined {
  const seconds = Number(answer?.headers['retry-after']);
  // A service that asks for minutes is one to go on without.
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 30) * 1000 : undefined;
}

function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
