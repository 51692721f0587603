import { parseQuantity, type Quantity } from '../../kubernetes/index.ts';
import type { QosClass } from './finding.ts';
import { fieldsOf, type PlacedContainer, type PodSpec, placedContainers } from './workload.ts';

/** Amounts by resource: `cpu`, `memory`, `ephemeral-storage`, … */
export type Resources = Readonly<Record<string, Quantity>>;

/** What a pod or a container asks for, and what it gets at most. */
export interface PodResources {
  readonly requests: Resources;
  readonly limits: Resources;
}

/** What a namespace's LimitRanges give containers that say nothing. */
export interface ContainerDefaults {
  readonly requests: Resources;
  readonly limits: Resources;
}

const NONE: ContainerDefaults = { requests: {}, limits: {} };

/** What decides about resources beside a pod's own words. */
export interface ResourceOptions {
  readonly defaults?: ContainerDefaults | undefined;
  /** Whether the server honours `resources` of the pod: Kubernetes 1.34 and later, by default. */
  readonly podLevel?: boolean | undefined;
}

export function readResources(given: unknown): Resources {
  return Object.fromEntries(
    Object.entries(fieldsOf(given)).flatMap(([name, value]) => {
      const amount = parseQuantity(value);
      return amount === undefined ? [] : [[name, amount]];
    }),
  );
}

/**
 * A container's resources as the API server stores them: what it says, then what the LimitRanges of its namespace give, and a
 * request that is missing is its limit. The server fills requests from limits before LimitRanges are asked, so that a limit that
 * was written goes before a default request.
 */
export function containerResources(
  { container }: Pick<PlacedContainer, 'container'>,
  defaults: ContainerDefaults = NONE,
): PodResources {
  const resources = fieldsOf(container.resources);
  const written = readResources(resources.limits);
  const limits = { ...defaults.limits, ...written };
  return { limits, requests: { ...defaults.requests, ...written, ...readResources(resources.requests) } };
}

/** The pod's own resources (KEP-2837), with their requests filled in; undefined where it has none. */
export function podLevelResources(spec: PodSpec, options: ResourceOptions): PodResources | undefined {
  if (options.podLevel === false || spec.resources === undefined || spec.resources === null) return undefined;
  const limits = readResources(spec.resources.limits);
  const given = readResources(spec.resources.requests);
  if (Object.keys(limits).length === 0) return { limits, requests: given };
  const containers = sumOver(spec, (one) => containerResources(one).requests);
  const own = Object.fromEntries(
    Object.entries(containers).filter(([name]) => name === 'cpu' || name === 'memory'),
  );
  return { limits, requests: { ...limits, ...own, ...given } };
}

/**
 * The service level that the kubelet gives a pod of this specification (pkg/apis/core/v1/helper/qos), after the defaults that the
 * API server sets. Init containers and sidecars count as any container does; resources of the pod go before all of theirs.
 */
export function qosOf(spec: PodSpec, options: ResourceOptions = {}): QosClass {
  const pod = podLevelResources(spec, options);
  const all =
    pod === undefined
      ? placedContainers(spec).map((one) => containerResources(one, options.defaults))
      : [pod];
  const requests = sum(all.map((one) => computeOf(one.requests)));
  const limits = sum(all.map((one) => computeOf(one.limits)));
  if (Object.keys(requests).length === 0 && Object.keys(limits).length === 0) return 'BestEffort';
  const limited = all.every(({ limits: own }) => Object.keys(computeOf(own)).length === 2);
  const equal = ['cpu', 'memory'].every((name) => requests[name] === limits[name]);
  return limited && equal ? 'Guaranteed' : 'Burstable';
}

/** What decides about the service level: cpu and memory above zero. */
const computeOf = ({ cpu = 0n, memory = 0n }: Resources): Resources => ({
  ...(cpu > 0n && { cpu }),
  ...(memory > 0n && { memory }),
});

/**
 * What a pod counts for in the scheduler and in quotas (component-helpers/resource): the sum of what runs at the same time, at the
 * moment of its start when that is most; the pod's own resources go before; its overhead comes on top.
 */
export function podResources(spec: PodSpec, options: ResourceOptions = {}): PodResources {
  const pod = podLevelResources(spec, options) ?? { requests: {}, limits: {} };
  const part = (kind: keyof PodResources): Record<string, Quantity> => ({
    ...sumOver(spec, (one) => containerResources(one, options.defaults)[kind]),
    ...pod[kind],
  });
  const overhead = readResources(spec.overhead);
  const limits = part('limits');
  const counted = Object.fromEntries(Object.entries(overhead).filter(([name]) => (limits[name] ?? 0n) > 0n));
  return { requests: sum([part('requests'), overhead]), limits: sum([limits, counted]) };
}

/** Containers and sidecars together, or an init container beside the sidecars before it, whichever is more. */
function sumOver(spec: PodSpec, resourcesOf: (one: PlacedContainer) => Resources): Record<string, Quantity> {
  const all = placedContainers(spec);
  let sidecars: Record<string, Quantity> = {};
  let starting: Record<string, Quantity> = {};
  for (const one of all) {
    if (one.role === 'container') continue;
    const during = sum([sidecars, resourcesOf(one)]);
    if (one.role === 'sidecar') sidecars = during;
    starting = most(starting, during);
  }
  const running = all.filter(({ role }) => role === 'container').map(resourcesOf);
  return most(sum([sidecars, ...running]), starting);
}

function sum(all: readonly Resources[]): Record<string, Quantity> {
  const total: Record<string, Quantity> = {};
  for (const one of all)
    for (const [name, amount] of Object.entries(one)) total[name] = (total[name] ?? 0n) + amount;
  return total;
}

function most(a: Resources, b: Resources): Record<string, Quantity> {
  const result: Record<string, Quantity> = { ...a };
  for (const [name, amount] of Object.entries(b)) if (amount > (result[name] ?? -1n)) result[name] = amount;
  return result;
}
