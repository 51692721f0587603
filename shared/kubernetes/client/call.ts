import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../host/index.ts';
import type { ApiError } from '../cluster.ts';
import { codeOf, connectionFailure } from './connection-fault.ts';
import type { CredentialSource, Credentials } from './credentials.ts';
import { type Ending, MOST_WAITING, type Repeatable, retryAfter, waitBefore } from './retry.ts';
import { errorOf } from './status.ts';
import { type ApiAnswer, type ApiRequest, type Transport, UNREACHED } from './transport.ts';

/** A request to the API, and what is known about it. */
export interface Call {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly repeatable: Repeatable;
  /** `PATCH deployments.apps/storefront in shop`, for messages. */
  readonly what: string;
  readonly signal: AbortSignal;
}

/** The way to one cluster with one user's credentials. */
export interface Way {
  readonly name: string;
  readonly server: string;
  readonly transport: Transport;
  readonly credentials: CredentialSource;
  readonly onWarning: (text: string) => void;
}

/** The server ends requests itself after 60 s. */
const SILENCE = 75_000;

/** Makes a call until it has an answer that counts, and gives its body's text. Throws ApiError, Failure, or the signal's reason. */
export async function callText(way: Way, call: Call): Promise<string> {
  let refused = false;
  const started = performance.now();
  for (let attempt = 0; ; attempt++) {
    call.signal.throwIfAborted();
    const credentials = await way.credentials.current();
    const outcome = await attemptOf(way, call, credentials);
    if (outcome.kind === 'done') return outcome.text;
    if (outcome.kind === 'unauthorised' && !refused && (await way.credentials.renew(credentials))) {
      refused = true;
      continue;
    }
    const pause =
      outcome.kind === 'unauthorised'
        ? undefined
        : waitBefore(outcome.ending, call.repeatable, {
            attempt,
            elapsed: performance.now() - started,
            most: way.transport.answered ? MOST_WAITING.known : MOST_WAITING.unknown,
            random: Math.random(),
          });
    if (pause === undefined) throw outcome.error;
    await wait(pause, undefined, { signal: call.signal }).catch(() => call.signal.throwIfAborted());
  }
}

/** The answer's JSON. */
export async function callJson<T>(way: Way, call: Call): Promise<T> {
  const text = await callText(way, call);
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Failure(
      `What answers for the cluster "${way.name}" at ${way.server} is no API server: its answer to ${call.what} is not JSON.`,
      { cause },
    );
  }
}

/** Bytes of an answer that is given as it is. */
const MOST_FETCHED = 2 ** 20;

/** One GET, whose answer is given whatever its status. */
export async function fetchOnce(
  way: Way,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly body: string }> {
  const request: ApiRequest = { method: 'GET', path, headers: { accept: '*/*' }, signal, silence: SILENCE };
  try {
    const answer = await way.transport.send(request, await way.credentials.current());
    return { status: answer.status, body: await textOf(answer, MOST_FETCHED) };
  } catch (error) {
    signal.throwIfAborted();
    throw error instanceof Failure ? error : connectionFailure(error, way);
  }
}

type Outcome =
  | { readonly kind: 'done'; readonly text: string }
  | { readonly kind: 'unauthorised'; readonly error: unknown }
  | { readonly kind: 'failed'; readonly ending: Ending; readonly error: unknown };

async function attemptOf(way: Way, call: Call, credentials: Credentials): Promise<Outcome> {
  try {
    const answer = await way.transport.send(requestOf(call), credentials);
    const text = await textOf(answer);
    tellWarnings(answer, way.onWarning);
    if (answer.status >= 200 && answer.status < 300) return { kind: 'done', text };
    const after = retryAfter(answer.headers['retry-after'], Date.now());
    const error = errorOf(answer.status, text, call.what, after);
    if (answer.status === 401) return { kind: 'unauthorised', error: unauthorised(error, way) };
    const { status, reason } = error;
    return { kind: 'failed', error, ending: { kind: 'answer', status, reason, retryAfter: after } };
  } catch (error) {
    call.signal.throwIfAborted();
    if (error instanceof Failure) throw error;
    const kind = (error as { [UNREACHED]?: boolean })[UNREACHED] ? 'unreached' : 'broken';
    return { kind: 'failed', error: connectionFailure(error, way), ending: { kind, code: codeOf(error) } };
  }
}

function requestOf(call: Call): ApiRequest {
  const body = call.body === undefined ? undefined : Buffer.from(JSON.stringify(call.body));
  return {
    method: call.method,
    path: call.path,
    body,
    headers: {
      ...(body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
      ...(call.accept !== undefined && { accept: call.accept }),
    },
    signal: call.signal,
    silence: SILENCE,
  };
}

/** The whole text of an answer, or its first bytes. */
export async function textOf(answer: ApiAnswer, most: number = Number.POSITIVE_INFINITY): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of answer.body as AsyncIterable<Buffer>) {
    parts.push(part);
    size += part.length;
    if (size >= most) break;
  }
  return Buffer.concat(parts).subarray(0, most).toString('utf8');
}

/** What a 401 means to the user: only new credentials help. */
export const unauthorised = (error: ApiError, { name }: Pick<Way, 'name'>): Failure =>
  new Failure(
    `The cluster "${name}" does not accept the credentials (401${error.message === 'Unauthorized' ? '' : `: ${error.message}`}): the token or certificate is wrong, expired, or of another cluster.`,
    { cause: error },
  );

/** `299 - "text"`, several in one header (RFC 7234, 5.5). */
export function warningsOf(header: string | undefined): string[] {
  const found = (header ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g);
  return [...found].map((match) => match[1]!.replaceAll(/\\(.)/g, '$1'));
}

function tellWarnings(answer: ApiAnswer, tell: (text: string) => void): void {
  for (const warning of warningsOf(answer.headers.warning)) tell(warning);
}
