import { didYouMean, Failure } from '../../host/index.ts';
import {
  ApiError,
  type ApiResource,
  type ApplyOptions,
  type Cluster,
  type LogOptions,
  type Query,
  type RemoveOptions,
  type WatchEvent,
} from '../cluster.ts';
import { formatId, idOf, type KubeObject, type ObjectId } from '../objects.ts';
import { collectionPath, objectPath, type Parameters, selectorsOf, withParameters } from './api-path.ts';
import { type Call, callJson, callText, fetchOnce, type Way } from './call.ts';
import { Discovery } from './discovery.ts';
import { listAll } from './list.ts';
import { withSchemaCauses } from './schema-causes.ts';
import { parseVersion } from './version.ts';
import { watchAll } from './watch.ts';

type Written = 'POST' | 'PUT' | 'PATCH';

/** What all clusters share that are one: connections, credentials and what is known of its kinds. */
export interface Entered {
  readonly way: Way;
  /** Of objects that name none. */
  readonly defaultNamespace: string;
  readonly discovery: Discovery;
  /** Seconds; see WATCH_LIFE. */
  readonly watchLife: number;
  close(): void;
}

export const discoveryOf = (way: Way, signal: AbortSignal): Discovery =>
  new Discovery((path, accept) => getJson(way, path, signal, accept));

const getJson = <T>(way: Way, path: string, signal: AbortSignal, accept?: string): Promise<T> =>
  callJson<T>(way, {
    method: 'GET',
    path,
    repeatable: 'always',
    what: `GET ${path.split('?')[0]}`,
    signal,
    ...(accept !== undefined && { accept }),
  });

/** The words of the contract, as requests. Everything ends when the signal is aborted. */
export function clusterOf(entered: Entered, signal: AbortSignal): Cluster {
  const { way, defaultNamespace, discovery } = entered;
  const json = <T>(call: Omit<Call, 'signal'>) => callJson<T>(way, { ...call, signal });
  const ask = <T>(path: string) => getJson<T>(way, path, signal);

  const served = async (apiVersion: string, kind: string): Promise<ApiResource> => {
    const found = await discovery.find(apiVersion, kind);
    if (found !== undefined) return found;
    throw notServed(way.name, apiVersion, kind, await discovery.all());
  };
  const namespaceOf = (resource: ApiResource, namespace: string | undefined) =>
    resource.namespaced ? (namespace ?? defaultNamespace) : undefined;
  const pathOf = (resource: ApiResource, { name, namespace }: ObjectId, subresource?: string) =>
    objectPath(resource, { name, namespace: namespaceOf(resource, namespace) }, subresource);

  const write = async <T>(
    method: Written,
    path: string,
    body: unknown,
    given: { what: string; parameters?: Parameters; contentType?: string; repeatable: Call['repeatable'] },
  ) =>
    await json<T>({
      method,
      path: withParameters(path, given.parameters ?? {}),
      body,
      repeatable: given.repeatable,
      what: given.what,
      ...(given.contentType !== undefined && { contentType: given.contentType }),
    });

  const list = async (query: Query) => {
    const resource = await served(query.apiVersion, query.kind);
    const path = collectionPath(resource, query.namespace);
    return await listAll(
      (page) =>
        ask(
          withParameters(path, {
            ...selectorsOf(query),
            limit: page.limit || undefined,
            continue: page.continue,
          }),
        ),
      query,
    );
  };

  return {
    name: way.name,
    server: way.server,
    namespace: defaultNamespace,
    get traffic() {
      return way.transport.traffic();
    },
    version: async () => parseVersion(await ask('/version')),
    resource: (apiVersion, kind) => discovery.find(apiVersion, kind),
    resources: () => discovery.all(),

    async get<T extends KubeObject>(id: ObjectId) {
      const resource = await discovery.find(id.apiVersion, id.kind);
      if (resource === undefined) return undefined;
      return await unlessMissing(ask<T>(pathOf(resource, id)));
    },

    async list<T extends KubeObject>(query: Query) {
      return (await list(query)).items as readonly T[];
    },

    async *watch<T extends KubeObject>(query: Query, until: AbortSignal) {
      const resource = await served(query.apiVersion, query.kind);
      const path = collectionPath(resource, query.namespace);
      const events = watchAll({
        way,
        what: `WATCH ${describe(resource, query.namespace)}`,
        signal: eitherOf(signal, until),
        life: entered.watchLife,
        list: () => list(query),
        path: (from) =>
          withParameters(path, { ...selectorsOf(query), watch: true, allowWatchBookmarks: true, ...from }),
      });
      yield* events as AsyncGenerator<WatchEvent<T>>;
      signal.throwIfAborted();
    },

    async apply<T extends KubeObject>(object: KubeObject, options: ApplyOptions) {
      const resource = await served(object.apiVersion, object.kind);
      const applied = write<T>('PATCH', pathOf(resource, idOf(object)), object, {
        what: `APPLY ${describe(resource, namespaceOf(resource, object.metadata.namespace), object.metadata.name)}`,
        contentType: 'application/apply-patch+yaml',
        repeatable: 'always',
        parameters: {
          fieldManager: options.fieldManager,
          force: options.force ?? false,
          dryRun: options.dryRun ? 'All' : undefined,
          fieldValidation: 'Strict',
        },
      });
      return await applied.catch((error: unknown) => {
        throw error instanceof ApiError ? withSchemaCauses(error) : error;
      });
    },

    async create<T extends KubeObject>(object: KubeObject, options: { dryRun?: boolean } = {}) {
      const resource = await served(object.apiVersion, object.kind);
      const namespace = namespaceOf(resource, object.metadata.namespace);
      return await write<T>('POST', collectionPath(resource, namespace), object, {
        what: `CREATE ${describe(resource, namespace, object.metadata.name)}`,
        repeatable: options.dryRun ? 'always' : 'untaken',
        parameters: { dryRun: options.dryRun ? 'All' : undefined, fieldManager: FIELD_MANAGER },
      });
    },

    async replace<T extends KubeObject>(object: KubeObject) {
      const resource = await served(object.apiVersion, object.kind);
      return await write<T>('PUT', pathOf(resource, idOf(object)), object, {
        what: `REPLACE ${describe(resource, namespaceOf(resource, object.metadata.namespace), object.metadata.name)}`,
        repeatable: 'untaken',
        parameters: { fieldManager: FIELD_MANAGER },
      });
    },

    async patch<T extends KubeObject>(
      id: ObjectId,
      patch: readonly object[] | Readonly<Record<string, unknown>>,
      options: {
        fieldManager?: string | undefined;
        subresource?: string | undefined;
        dryRun?: boolean | undefined;
      } = {},
    ) {
      const resource = await served(id.apiVersion, id.kind);
      return await write<T>('PATCH', pathOf(resource, id, options.subresource), patch, {
        what: `PATCH ${describe(resource, namespaceOf(resource, id.namespace), id.name)}`,
        contentType: Array.isArray(patch) ? 'application/json-patch+json' : 'application/merge-patch+json',
        repeatable: options.dryRun ? 'always' : 'untaken',
        parameters: {
          fieldManager: options.fieldManager ?? FIELD_MANAGER,
          dryRun: options.dryRun ? 'All' : undefined,
        },
      });
    },

    async remove(id: ObjectId, options: RemoveOptions = {}) {
      const resource = await discovery.find(id.apiVersion, id.kind);
      if (resource === undefined) return false;
      const removed = await unlessMissing(
        json<object>({
          method: 'DELETE',
          path: pathOf(resource, id),
          repeatable: 'always',
          what: `DELETE ${describe(resource, namespaceOf(resource, id.namespace), id.name)}`,
          body: {
            kind: 'DeleteOptions',
            apiVersion: 'v1',
            propagationPolicy: options.propagation ?? 'Background',
            preconditions: { uid: options.uid, resourceVersion: options.resourceVersion },
            ...(options.dryRun && { dryRun: ['All'] }),
          },
        }),
      );
      return removed !== undefined;
    },

    async logs(pod: ObjectId, options: LogOptions) {
      const resource = await served(pod.apiVersion, pod.kind);
      return await callText(way, {
        method: 'GET',
        path: withParameters(pathOf(resource, pod, 'log'), {
          container: options.container,
          previous: options.previous,
          tailLines: options.tail,
          limitBytes: LOG_BYTES,
        }),
        accept: '*/*',
        repeatable: 'always',
        what: `GET the log of ${formatId(pod)}`,
        signal,
      });
    },

    async connect(pod, port, until) {
      const { forwardPort } = await import('./port-forward.ts');
      const resource = await served(pod.apiVersion, pod.kind);
      const path = withParameters(pathOf(resource, pod, 'portforward'), { ports: port });
      return await forwardPort(way, { path, pod, port, signal: eitherOf(signal, until) });
    },

    async exec(pod, container, command, until) {
      const { execInPod } = await import('./exec.ts');
      const resource = await served(pod.apiVersion, pod.kind);
      const path = withParameters(pathOf(resource, pod, 'exec'), {
        container,
        command,
        stdout: true,
        stderr: true,
      });
      return await execInPod(way, { path, pod, signal: eitherOf(signal, until) });
    },

    fetch: (path, options = {}) =>
      fetchOnce(
        way,
        path,
        AbortSignal.any([signal, ...(options.signal === undefined ? [] : [options.signal])]),
      ),

    request: <T>(method: 'GET' | Written, path: string, body?: object) =>
      json<T>({
        method,
        path,
        ...(body !== undefined && { body }),
        repeatable: method === 'GET' ? 'always' : 'untaken',
        what: `${method} ${path.split('?')[0]}`,
      }),

    within: (until) => clusterOf({ ...entered, close: () => {} }, eitherOf(signal, until)),

    async [Symbol.asyncDispose]() {
      entered.close();
    },
  };
}

/** Owner of fields that are written without server-side apply and no manager is named for. */
const FIELD_MANAGER = 'slipway';
/** Bytes of a log that are worth reading. */
const LOG_BYTES = 1024 * 1024;

/** `deployments.apps/storefront in shop`. */
function describe({ plural, group }: ApiResource, namespace: string | undefined, name?: string): string {
  const kind = group === '' ? plural : `${plural}.${group}`;
  return `${kind}${name === undefined ? '' : `/${name}`}${namespace === undefined ? '' : ` in ${namespace}`}`;
}

function notServed(
  cluster: string,
  apiVersion: string,
  kind: string,
  known: readonly ApiResource[],
): Failure {
  const versionOf = ({ group, version }: ApiResource) => (group === '' ? version : `${group}/${version}`);
  const others = known.filter((one) => one.kind === kind).map(versionOf);
  const kinds = new Set(known.map((one) => one.kind));
  const hint =
    others.length > 0
      ? ` It serves ${kind} in ${others.join(', ')}.`
      : `${didYouMean(kind, kinds)} Is its CustomResourceDefinition missing?`;
  return new Failure(`The cluster "${cluster}" serves no ${kind} in ${apiVersion}.${hint}`);
}

const eitherOf = (one: AbortSignal, other: AbortSignal | undefined): AbortSignal =>
  other === undefined ? one : AbortSignal.any([one, other]);

async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
