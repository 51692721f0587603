import { setTimeout as wait } from 'node:timers/promises';
import { Failure } from '../../host/index.ts';
import { ApiError, type WatchEvent } from '../cluster.ts';
import { textOf, unauthorised, type Way } from './call.ts';
import { codeOf, Unreachable } from './connection-fault.ts';
import type { ObjectList } from './list.ts';
import { retryAfter } from './retry.ts';
import { errorOf, errorOfStatus } from './status.ts';
import { Watched, type WireEvent } from './watched.ts';

/**
 * Seconds after which the server ends a watch, having sent a bookmark just before. Short, because over HTTP/1.1 this is what shows
 * that a connection is dead that both ends, or something between them, believe alive: one that says nothing for longer is dead.
 */
export const WATCH_LIFE = 30;
/** How much longer than asked for a watch may live before it counts as dead. */
const LATE = 1.2;
/** Milliseconds between attempts: at first, and at most. */
const FIRST = 200;
const LONGEST = 10_000;
/** Milliseconds that a server may ask for, at most. */
const LONGEST_ASKED = 60_000;
/** Milliseconds. */
const TOO_SHORT = 500;

export interface WatchCall {
  readonly way: Way;
  /** For messages: `WATCH pods in shop`. */
  readonly what: string;
  readonly signal: AbortSignal;
  /** Seconds; see WATCH_LIFE. */
  readonly life: number;
  list(): Promise<ObjectList>;
  /** Path of the watch from a version on. */
  path(parameters: { resourceVersion: string; timeoutSeconds: number }): string;
}

/** Lists, then watches, for as long as somebody takes events; see Cluster.watch. */
export async function* watchAll(call: WatchCall): AsyncGenerator<WatchEvent> {
  const watched = new Watched();
  let synced = false;
  let failures = 0;
  while (!call.signal.aborted) {
    const started = performance.now();
    let asked = 0;
    try {
      if (watched.resourceVersion === '') yield* watched.relist(await call.list());
      synced = true;
      for await (const event of eventsFrom(call, watched.resourceVersion)) {
        failures = 0;
        yield* watched.take(event);
      }
      // The server ended it, as it was asked to. Something between may end all watches at once, though.
      if (performance.now() - started > TOO_SHORT) continue;
    } catch (error) {
      if (call.signal.aborted) return;
      if (isExpired(error)) watched.resourceVersion = '';
      else if (!mayPass(error, synced)) throw error;
      asked = error instanceof ApiError ? Math.min(error.retryAfter ?? 0, LONGEST_ASKED) : 0;
    }
    failures += 1;
    // Not all watches that were refused at once may come back at once.
    const spread = 0.5 + Math.random() / 2;
    const pause = asked + Math.min(FIRST * 2 ** (failures - 1), LONGEST) * spread;
    await wait(pause, undefined, { signal: call.signal }).catch(() => {});
  }
}

/** The version is older than what the server remembers: only a new list helps. */
const isExpired = (error: unknown): boolean =>
  error instanceof ApiError &&
  (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone');

/** A server that cannot be reached is waited for once it has been reached: how long is for the caller to say, by the signal. */
function mayPass(error: unknown, synced: boolean): boolean {
  if (error instanceof ApiError) return error.status === 429 || error.status >= 500;
  if (error instanceof Unreachable) return synced;
  return !(error instanceof Failure) && codeOf(error) !== '';
}

async function* eventsFrom(
  call: WatchCall,
  resourceVersion: string,
): AsyncGenerator<Exclude<WireEvent, { type: 'ERROR' }>> {
  const answer = await open(call, resourceVersion);
  try {
    for await (const line of linesOf(answer.body)) {
      const event = JSON.parse(line) as WireEvent;
      if (event.type === 'ERROR') throw errorOfStatus(event.object, call.what);
      yield event;
    }
  } finally {
    answer.body.destroy();
  }
}

/** The answer to a watch. New credentials are taken once when those at hand are refused. */
async function open({ way, what, signal, life, path }: WatchCall, resourceVersion: string) {
  for (let refused = false; ; refused = true) {
    const credentials = await way.credentials.current();
    const answer = await way.transport.send(
      {
        method: 'GET',
        path: path({ resourceVersion, timeoutSeconds: life }),
        signal,
        silence: life * 1000 * LATE,
        watch: true,
      },
      credentials,
    );
    if (answer.status === 200) return answer;
    const after = retryAfter(answer.headers['retry-after'], Date.now());
    const error = errorOf(answer.status, await textOf(answer), what, after);
    if (answer.status !== 401) throw error;
    if (refused || !(await way.credentials.renew(credentials))) throw unauthorised(error, way);
  }
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const parts: Buffer[] = [];
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      parts.push(chunk.subarray(start, end));
      yield Buffer.concat(parts).toString('utf8');
      parts.length = 0;
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  // A line that was cut off is no event; the next watch sends it whole.
}
