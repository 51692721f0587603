import type { Cluster } from '../cluster.ts';
import { callJson, fetchOnce } from './call.ts';
import { podsOf } from './pods.ts';
import { readingOf } from './reading.ts';
import { type Calls, eitherOf, getJson } from './served.ts';
import { parseVersion } from './version.ts';
import { writingOf } from './writing.ts';

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
    within: (until) => clusterOf({ ...calls, signal: eitherOf(signal, until) }, () => {}),
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
