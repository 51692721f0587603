import type {
  Node,
  NodeSelectorRequirement,
  Pod,
  ResourceRequirements,
  Taint,
  Toleration,
} from 'kubernetes-types/core/v1.d.ts';

/** Taints that come and go with the state of a node. */
const PASSING = /^(?:node\.kubernetes\.io|node\.cloudprovider\.kubernetes\.io)\//;

/** Whether a node could take a pod if it were empty and well. What we do not model counts as possible. */
export function couldHold(node: Node, pod: Pod): boolean {
  return (
    hasRoom(node, pod) &&
    isSelected(node, pod) &&
    toleratesAll(node.spec?.taints ?? [], pod.spec?.tolerations ?? [])
  );
}

function hasRoom(node: Node, pod: Pod): boolean {
  const allocatable = node.status?.allocatable ?? {};
  return [...requestsOf(pod)].every(([resource, wanted]) => wanted <= quantity(allocatable[resource] ?? '0'));
}

/** What the scheduler reserves: the sum of the containers, or an init container that asks for more. */
function requestsOf(pod: Pod): Map<string, number> {
  const { spec } = pod;
  const total = new Map<string, number>();
  const raise = (resources: ResourceRequirements | undefined, join: (old: number, own: number) => number) => {
    for (const [resource, amount] of Object.entries(resources?.requests ?? {}))
      total.set(resource, join(total.get(resource) ?? 0, quantity(amount)));
  };
  for (const container of spec?.containers ?? []) raise(container.resources, (old, own) => old + own);
  for (const container of spec?.initContainers ?? [])
    raise(container.resources, container.restartPolicy === 'Always' ? (old, own) => old + own : Math.max);
  raise(podResources(pod), (_, own) => own);
  return total;
}

const UNITS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** A quantity of the API as a number: `250m` is 0.25, `32Mi` is 33554432. */
export function quantity(text: string | number): number {
  const [, number, unit] = /^([+-]?[\d.]+(?:[eE][+-]?\d+)?)([a-zA-Z]*)$/.exec(String(text)) ?? [];
  return number === undefined ? Number.NaN : Number(number) * (UNITS[unit ?? ''] ?? Number.NaN);
}

function isSelected({ metadata }: Node, { spec }: Pod): boolean {
  const labels = metadata?.labels ?? {};
  if (Object.entries(spec?.nodeSelector ?? {}).some(([name, value]) => labels[name] !== value)) return false;
  const terms =
    spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  return (
    terms === undefined ||
    terms.some(({ matchExpressions = [] }) => matchExpressions.every((one) => matches(labels, one)))
  );
}

function matches(
  labels: Readonly<Record<string, string>>,
  { key, operator, values = [] }: NodeSelectorRequirement,
): boolean {
  const value = labels[key];
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return true;
  }
}

const toleratesAll = (taints: readonly Taint[], tolerations: readonly Toleration[]): boolean =>
  taints.every(
    (taint) =>
      taint.effect === 'PreferNoSchedule' ||
      PASSING.test(taint.key) ||
      tolerations.some(
        ({ key, operator, value, effect }) =>
          (key === undefined || key === taint.key) &&
          (!effect || effect === taint.effect) &&
          (operator === 'Exists' || (value ?? '') === (taint.value ?? '')),
      ),
  );

/** Resources of the pod as a whole (since Kubernetes 1.32; newer than the types that we compile with). */
export const podResources = ({ spec }: Pod): ResourceRequirements | undefined =>
  (spec as { resources?: ResourceRequirements } | undefined)?.resources;
