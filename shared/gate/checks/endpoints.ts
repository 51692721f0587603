import type { Service, ServicePort } from 'kubernetes-types/core/v1.d.ts';
import type { EndpointSlice, Endpoint as SliceEndpoint } from 'kubernetes-types/discovery/v1.d.ts';
import {
  ApiError,
  type Cluster,
  formatSelector,
  type KubeObject,
  type ObjectId,
} from '../../kubernetes/index.ts';
import { isReady, type PodObject } from './pods.ts';

/** A pod that a Service sends requests to, and the port there. */
export interface Endpoint {
  readonly pod: ObjectId;
  readonly port: number;
}

export type Found =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | { readonly kind: 'none'; readonly because: string };

/**
 * The ready pods behind a port of a Service, as its EndpointSlices have them: what kube-proxy and gateways go by. There are none to
 * ask as long as the slices lag behind the pods: a pod that is missing there gets no requests yet, and one that stops still does.
 */
export async function endpointsOf(
  cluster: Cluster,
  service: { readonly namespace: string; readonly name: string },
  port: string | undefined,
): Promise<Found> {
  const { namespace, name } = service;
  const found = await cluster.get<KubeObject & Service>({ apiVersion: 'v1', kind: 'Service', ...service });
  if (found === undefined) return none(`there is no Service ${name} in ${namespace}`);
  const wanted = portOf(found.spec?.ports ?? [], port);
  if (typeof wanted === 'string') return none(`Service ${name} ${wanted}`);
  // The slices first: a pod that gets ready in between is seen as missing and asked for again, never taken for asked.
  const slices = await cluster.list<KubeObject & EndpointSlice>({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    namespace,
    labelSelector: `kubernetes.io/service-name=${name}`,
  });
  // Such a Service has endpoints of pods that are not ready, and is meant to.
  const selector = found.spec?.publishNotReadyAddresses ? {} : (found.spec?.selector ?? {});
  const lag = lagBehind(slices, await readyPods(cluster, namespace, selector));
  if (lag !== undefined) return none(`the EndpointSlices of Service ${name} ${lag}`);
  const [first, ...rest] = readyEndpoints(slices, namespace, wanted.name ?? '');
  return first === undefined
    ? none(`no pod behind Service ${name} is ready`)
    : { kind: 'endpoints', endpoints: [first, ...rest] };
}

const none = (because: string): Found => ({ kind: 'none', because });

/** undefined where the Service selects nothing by itself, and where the token may not list pods. */
async function readyPods(
  cluster: Cluster,
  namespace: string,
  selector: Record<string, string>,
): Promise<readonly PodObject[] | undefined> {
  const labelSelector = formatSelector({ matchLabels: selector });
  if (labelSelector === '') return undefined;
  try {
    const pods = await cluster.list<PodObject>({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector });
    return pods.filter(isReady);
  } catch (error) {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  }
}

/** How slices differ from the ready pods that they are to name; undefined where they do not. */
export function lagBehind(
  slices: readonly EndpointSlice[],
  ready: readonly PodObject[] | undefined,
): string | undefined {
  if (ready === undefined) return undefined;
  const named = new Map(
    slices
      .flatMap(({ endpoints }) => endpoints ?? [])
      .flatMap((endpoint) =>
        isServing(endpoint) ? [[endpoint.targetRef.uid, endpoint.targetRef.name]] : [],
      ),
  );
  const uids = new Set(ready.map(({ metadata }) => metadata.uid));
  const missing = ready
    .filter(({ metadata }) => !named.has(metadata.uid))
    .map(({ metadata }) => metadata.name);
  const stopping = [...named].filter(([uid]) => !uids.has(uid)).map(([, name]) => name);
  if (missing.length > 0)
    return `do not have ${missing.slice(0, 3).join(', ')} yet, ready as ${missing.length === 1 ? 'it is' : 'they are'}`;
  return stopping.length > 0
    ? `still have ${stopping.slice(0, 3).join(', ')}, which is not ready any more`
    : undefined;
}

/** The port that is meant, or why there is none. */
function portOf(all: readonly ServicePort[], wanted: string | undefined): ServicePort | string {
  const ports = all.filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP');
  const texts = ports
    .map(({ name, port }) => (name === undefined ? `${port}` : `${port} (${name})`))
    .join(', ');
  if (wanted === undefined)
    return ports.length === 1 ? ports[0]! : `has the ports ${texts}; the check has to name one`;
  return (
    ports.find(({ name, port }) => name === wanted || String(port) === wanted) ??
    `has no port ${wanted}; it has ${texts}`
  );
}

export function readyEndpoints(
  slices: readonly EndpointSlice[],
  namespace: string,
  portName: string,
): Endpoint[] {
  const byPod = new Map<string, Endpoint>();
  for (const { ports, endpoints } of slices) {
    const port = ports?.find(({ name }) => (name ?? '') === portName)?.port;
    if (port === undefined) continue;
    for (const endpoint of endpoints ?? []) {
      if (!isServing(endpoint)) continue;
      const { name, uid } = endpoint.targetRef;
      const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name };
      // A pod of two address families is in two slices.
      byPod.set(uid ?? name, { pod, port });
    }
  }
  return [...byPod.values()].sort((a, b) => (a.pod.name < b.pod.name ? -1 : 1));
}

/** Whether an endpoint is a pod that gets requests. A ready that is not stated is to be taken as true (API of EndpointSlice). */
const isServing = (
  endpoint: SliceEndpoint,
): endpoint is SliceEndpoint & { readonly targetRef: { readonly name: string; readonly uid?: string } } =>
  endpoint.targetRef?.kind === 'Pod' &&
  endpoint.targetRef.name !== undefined &&
  endpoint.conditions?.ready !== false;
