import type { EndpointSlice } from 'kubernetes-types/discovery/v1.d.ts';
import type { Cluster, KubeObject, ObjectId } from '../../kubernetes/index.ts';

/** A pod that a Service sends requests to, and the port there. */
export interface Endpoint {
  readonly pod: ObjectId;
  readonly port: number;
}

export type Found =
  | { readonly kind: 'endpoints'; readonly endpoints: readonly [Endpoint, ...Endpoint[]] }
  | { readonly kind: 'none'; readonly because: string };

/** The ready pods behind a port of a Service, as its EndpointSlices have them: what kube-proxy and gateways go by. */
export async function endpointsOf(
  cluster: Cluster,
  service: { readonly namespace: string; readonly name: string },
  port: string | undefined,
): Promise<Found> {
  const [found, slices] = await Promise.all([
    cluster.get({ apiVersion: 'v1', kind: 'Service', ...service }),
    cluster.list<KubeObject & EndpointSlice>({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      namespace: service.namespace,
      labelSelector: `kubernetes.io/service-name=${service.name}`,
    }),
  ]);
  if (found === undefined)
    return { kind: 'none', because: `there is no Service ${service.name} in ${service.namespace}` };
  const ports = (found.spec as { ports?: ServicePort[] } | undefined)?.ports ?? [];
  const wanted = portOf(ports, port);
  if (typeof wanted === 'string') return { kind: 'none', because: `Service ${service.name} ${wanted}` };
  const endpoints = readyEndpoints(slices, service.namespace, wanted.name ?? '');
  const [first, ...rest] = endpoints;
  return first === undefined
    ? { kind: 'none', because: `no pod behind Service ${service.name} is ready` }
    : { kind: 'endpoints', endpoints: [first, ...rest] };
}

interface ServicePort {
  readonly name?: string;
  readonly port: number;
  readonly protocol?: string;
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
    for (const { targetRef, conditions } of endpoints ?? []) {
      // A ready that is not stated is to be taken as true (API of EndpointSlice).
      if (targetRef?.kind !== 'Pod' || targetRef.name === undefined || conditions?.ready === false) continue;
      const pod = { apiVersion: 'v1', kind: 'Pod', namespace, name: targetRef.name };
      // A pod of two address families is in two slices.
      byPod.set(targetRef.uid ?? targetRef.name, { pod, port });
    }
  }
  return [...byPod.values()].sort((a, b) => (a.pod.name < b.pod.name ? -1 : 1));
}
