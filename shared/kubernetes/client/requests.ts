import type { Cluster } from '../cluster.ts';
import { callJson, fetchOnce } from './call.ts';
import { podsOf } from './pods.ts';
import { readingOf } from './reading.ts';
import { type Calls, eitherOf, getJson } from './served.ts';
import { parseVersion } from './version.ts';
import { writingOf } from './writing.ts';

/** Calls that end with a signal, while what they share with others, discovery and logins, goes on without them. */
function callsWithin(calls: Calls, until: AbortSignal): Calls {
  const { way, discovery } = calls;
  const signal = eitherOf(calls.signal, until);
  return {
    ...calls,
    signal,
    way: {
      ...way,
      credentials: {
        current: () => orAborted(way.credentials.current(), signal),
        renew: (refused) => orAborted(way.credentials.renew(refused), signal),
      },
    },
    discovery: {
      find: (apiVersion, kind) => orAborted(discovery.find(apiVersion, kind), signal),
      all: () => orAborted(discovery.all(), signal),
    },
  };
}

/** What is waited for, or the signal's reason once it is aborted. */
function orAborted<T>(awaited: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
    awaited.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The words of the contract, as requests. `close` is what disposing does. */
export function clusterOf(calls: Calls, close: () => void): Cluster {
  const { way, signal, discovery } = calls;
  return {
    name: way.name,
    server: way.server,
    namespace: calls.defaultNamespace,
    get traffic() {
      return way.transport.traffic();
    },
    within: (until) => clusterOf(callsWithin(calls, until), () => {}),
    version: async () => parseVersion(await getJson(calls, '/version')),
    resource: (apiVersion, kind) => discovery.find(apiVersion, kind),
    resources: () => discovery.all(),
    ...readingOf(calls),
    ...writingOf(calls),
    ...podsOf(calls),
    fetch: (path, options = {}) => fetchOnce(way, path, eitherOf(signal, options.signal)),
    request: (method, path, body) =>
      callJson(way, {
        method,
        path,
        ...(body !== undefined && { body }),
        repeatable: method === 'GET' ? 'always' : 'untaken',
        what: `${method} ${path.split('?')[0]}`,
        signal,
      }),
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}
