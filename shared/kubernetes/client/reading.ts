import type { Cluster, Query, WatchEvent } from '../cluster.ts';
import type { KubeObject, ObjectId } from '../objects.ts';
import { collectionPath, selectorsOf, withParameters } from './api-path.ts';
import { listAll } from './list.ts';
import { type Calls, describe, eitherOf, getJson, served, targetOf, unlessMissing } from './served.ts';
import { watchAll } from './watch.ts';

/** Calls that change nothing. */
export function readingOf(calls: Calls): Pick<Cluster, 'get' | 'list' | 'watch'> {
  const list = async (query: Query) => {
    const resource = await served(calls, query);
    const path = collectionPath(resource, query.namespace);
    const what = `LIST ${describe(resource, query.namespace)}`;
    const page = (limit: number, next: string | undefined) =>
      withParameters(path, { ...selectorsOf(query), limit: limit || undefined, continue: next });
    return await listAll((given) => getJson(calls, page(given.limit, given.continue), { what }), query);
  };
  return {
    async get<T extends KubeObject>(id: ObjectId) {
      const resource = await calls.discovery.find(id.apiVersion, id.kind);
      if (resource === undefined) return undefined;
      const { path, words } = targetOf(calls, resource, id);
      return await unlessMissing(getJson<T>(calls, path, { what: `GET ${words}` }));
    },

    async list<T extends KubeObject>(query: Query) {
      return (await list(query)).items as readonly T[];
    },

    async *watch<T extends KubeObject>(query: Query, until: AbortSignal) {
      const resource = await served(calls, query);
      const path = collectionPath(resource, query.namespace);
      const events = watchAll({
        way: calls.way,
        what: `WATCH ${describe(resource, query.namespace)}`,
        signal: eitherOf(calls.signal, until),
        life: calls.watchLife,
        list: () => list(query),
        path: (from) =>
          withParameters(path, { ...selectorsOf(query), watch: true, allowWatchBookmarks: true, ...from }),
      });
      yield* events as AsyncGenerator<WatchEvent<T>>;
      if (!until.aborted) calls.signal.throwIfAborted();
    },
  };
}
