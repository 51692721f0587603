import { didYouMean, Failure } from '../../host/index.ts';
import { ApiError, type ApiResource } from '../cluster.ts';
import type { ObjectId } from '../objects.ts';
import { objectPath } from './api-path.ts';
import { type Call, callJson, type Way } from './call.ts';
import type { Discovery } from './discovery.ts';

/** What all calls share that go to one cluster and end with one signal. */
export interface Calls {
  readonly way: Way;
  readonly signal: AbortSignal;
  /** Of objects that name none. */
  readonly defaultNamespace: string;
  readonly discovery: Pick<Discovery, 'find' | 'all'>;
  /** Seconds; see WATCH_LIFE. */
  readonly watchLife: number;
}

/** An object or a collection of a cluster: its kind as it is served, its path, and its words in messages. */
export interface Target {
  readonly resource: ApiResource;
  readonly namespace: string | undefined;
  readonly path: string;
  /** `deployments.apps/storefront in shop` */
  readonly words: string;
}

/** How the cluster serves a kind. Throws Failure where it does not. */
export async function served(
  { way, discovery }: Calls,
  { apiVersion, kind }: Pick<ObjectId, 'apiVersion' | 'kind'>,
): Promise<ApiResource> {
  const found = await discovery.find(apiVersion, kind);
  if (found !== undefined) return found;
  throw notServed(way.name, apiVersion, kind, await discovery.all());
}

export function targetOf(
  { defaultNamespace }: Calls,
  resource: ApiResource,
  id: Pick<ObjectId, 'name' | 'namespace'>,
  subresource?: string,
): Target {
  const namespace = resource.namespaced ? (id.namespace ?? defaultNamespace) : undefined;
  const path = objectPath(resource, { name: id.name, namespace }, subresource);
  return { resource, namespace, path, words: describe(resource, namespace, id.name) };
}

/** The target of an object of a kind that has to be served. */
export const findTarget = async (calls: Calls, id: ObjectId, subresource?: string): Promise<Target> =>
  targetOf(calls, await served(calls, id), id, subresource);

/** The JSON of a GET. */
export const getJson = <T>(
  { way, signal }: Pick<Calls, 'way' | 'signal'>,
  path: string,
  { what = `GET ${path.split('?')[0]}`, accept }: { what?: string; accept?: string | undefined } = {},
): Promise<T> => {
  const call: Call = { method: 'GET', path, repeatable: 'always', what, signal };
  return callJson<T>(way, accept === undefined ? call : { ...call, accept });
};

/** `deployments.apps/storefront in shop`. */
export function describe(
  { plural, group }: ApiResource,
  namespace: string | undefined,
  name?: string,
): string {
  const kind = group === '' ? plural : `${plural}.${group}`;
  return `${kind}${name === undefined ? '' : `/${name}`}${namespace === undefined ? '' : ` in ${namespace}`}`;
}

/** undefined where the answer is that there is none. */
export async function unlessMissing<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** Aborted when one of the two is. */
export const eitherOf = (one: AbortSignal, other: AbortSignal | undefined): AbortSignal =>
  other === undefined ? one : AbortSignal.any([one, other]);

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
