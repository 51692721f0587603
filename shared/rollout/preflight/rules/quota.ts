import {
  formatId,
  formatQuantity,
  type KubeObject,
  parseQuantity,
  type Quantity,
  sameQuantity,
} from '../../../kubernetes/index.ts';
import { containerResources, podResources, qosOf, type ResourceOptions, type Resources } from '../qos.ts';
import type { DeclaredWorkload, Problem, RuleDefinition, Scene } from '../rule.ts';
import { cannotTell, firstOfNamespaces, knownObjects, replicasOf, resourceOptions } from '../scene.ts';
import { fieldsOf, listOf, shareOf } from '../workload.ts';
import { missingDuringRoll } from './capacity.ts';
import { boundsOf, tooManyObjects } from './quota-objects.ts';

const ONE = 1_000_000_000n;

export const quota: RuleDefinition = {
  name: 'quota',
  level: 'error',
  finds:
    'a ResourceQuota with too little left for the pods and objects that the rollout adds, or that asks for requests or limits which a container does not have; a LimitRange that refuses a container',
  why: 'the API server refuses the pods, and the rollout hangs half way',
  fix: 'a larger quota, a smaller surge, or the missing field',
  *find(scene) {
    for (const workload of firstOfNamespaces(scene.workloads)) {
      const { namespace } = workload.id;
      const own = scene.workloads.filter(({ id }) => id.namespace === namespace);
      const quotas = knownObjects(scene, 'ResourceQuota', namespace);
      const ranges = knownObjects(scene, 'LimitRange', namespace);
      const options = resourceOptions(scene, namespace);
      for (const { object } of quotas.objects) yield* exceeded(scene, object, own, options);
      for (const { object } of ranges.objects) yield* outOfRange(object, own, options);
      const unknown = quotas.unknown ?? ranges.unknown;
      if (unknown !== undefined)
        yield cannotTell(workload, 'Whether the quota of the namespace holds the new pods', unknown);
    }
    const namespaces = new Set(scene.manifests.map(({ object }) => object.metadata.namespace));
    for (const namespace of namespaces)
      for (const { object } of knownObjects(scene, 'ResourceQuota', namespace).objects)
        yield* tooManyObjects(scene, object);
  },
};

/** How many pods a rollout of this workload has at the same time beyond those that count now. */
export function extraPods(scene: Scene, workload: DeclaredWorkload): number {
  const { kind } = workload.id;
  const live = scene.facts?.live(workload.id);
  const now = live === undefined ? 0 : currentPods(live);
  const spec = fieldsOf(workload.object.spec);
  const { min } = replicasOf(scene, workload);
  const wanted = live === undefined ? min : Math.max(min, replicasIsOpen(spec) ? now : 0);
  if (kind === 'StatefulSet' || kind === 'ReplicaSet' || kind === 'ReplicationController')
    return Math.max(0, wanted - now);
  if (kind === 'Job') return live === undefined ? Number(spec.parallelism ?? 1) : 0;
  if (kind === 'Pod') return live === undefined ? 1 : 0;
  if (kind !== 'Deployment') return 0;
  const { type, rollingUpdate } = fieldsOf(spec.strategy);
  if (live === undefined || type === 'Recreate') return Math.max(0, wanted - now);
  const { maxSurge, maxUnavailable } = fieldsOf(rollingUpdate);
  // A roll that may take a pod away first gets along without its surge, only slower.
  const needed = missingDuringRoll(wanted, maxSurge, maxUnavailable) > 0 ? 0 : 1;
  if (isInService(spec.template, fieldsOf(live.spec).template)) return Math.max(0, wanted - now);
  const surge = wanted === 0 ? 0 : Math.min(needed, shareOf(maxSurge ?? '25%', wanted, 'up') ?? 1);
  return Math.max(0, wanted - now) + surge;
}

/** Whether all that a template says is in the live one, which has the server's defaults besides: then no pod is replaced. */
function isInService(declared: unknown, live: unknown): boolean {
  if (Array.isArray(declared))
    return (
      Array.isArray(live) &&
      live.length === declared.length &&
      declared.every((one, index) => isInService(one, live[index]))
    );
  if (typeof declared === 'object' && declared !== null)
    return Object.entries(declared).every(([name, one]) => isInService(one, fieldsOf(live)[name]));
  return declared === live || (declared === null && live === undefined) || sameQuantity(declared, live);
}

const replicasIsOpen = ({ replicas }: Readonly<Record<string, unknown>>): boolean => replicas === undefined;

function currentPods(live: KubeObject): number {
  const { replicas } = fieldsOf(live.status);
  return typeof replicas === 'number' ? replicas : 0;
}

function* exceeded(
  scene: Scene,
  object: KubeObject,
  workloads: readonly DeclaredWorkload[],
  options: ResourceOptions,
): Iterable<Problem> {
  const { hard, used: counts } = boundsOf(scene, object);
  const counted = workloads.filter((workload) => inScope(object, workload, options));
  const added = counted.map((workload) => ({
    workload,
    pods: extraPods(scene, workload),
    use: usageOf(workload, options),
  }));
  for (const { workload } of added) yield* missingForQuota(object, Object.keys(hard), workload, options);
  for (const [name, limit] of Object.entries(hard)) {
    const [allowed, used] = [parseQuantity(limit), parseQuantity(counts[name]) ?? 0n];
    if (allowed === undefined) continue;
    const of = (one: (typeof added)[number]): Quantity => (one.use[name] ?? 0n) * BigInt(one.pods);
    const needed = added.reduce((sum, one) => sum + of(one), 0n);
    if (needed === 0n || used + needed <= allowed) continue;
    const largest = added.reduce((a, b) => (of(b) > of(a) ? b : a));
    yield {
      manifest: largest.workload.manifest,
      path: ['spec', 'strategy'],
      message: `ResourceQuota ${object.metadata.name} allows ${formatQuantity(allowed, name)} of ${name}, of which ${formatQuantity(used, name)} is used; the rollout adds ${formatQuantity(needed, name)} (${added
        .filter((one) => of(one) > 0n)
        .map(({ workload, pods }) => `${pods} more of ${formatId(workload.id)}`)
        .join(', ')}).`,
      fix: `# of the ResourceQuota, at least\nhard:\n  ${name}: ${JSON.stringify(formatQuantity(used + needed, name))}`,
    };
  }
}

/** What one pod counts for in a quota, by the quota's names (quota/v1/evaluator/core). */
function usageOf({ spec }: DeclaredWorkload, options: ResourceOptions): Resources {
  const { requests, limits } = podResources(spec, options);
  const plain = Object.entries(requests).filter(([name]) =>
    /^(?:cpu|memory|ephemeral-storage|hugepages-.*)$/.test(name),
  );
  return {
    pods: ONE,
    'count/pods': ONE,
    ...Object.fromEntries(plain),
    ...Object.fromEntries(Object.entries(requests).map(([name, amount]) => [`requests.${name}`, amount])),
    ...Object.fromEntries(Object.entries(limits).map(([name, amount]) => [`limits.${name}`, amount])),
  };
}

/** A quota on cpu or memory refuses pods with a container that does not say how much it takes. */
function* missingForQuota(
  object: KubeObject,
  names: readonly string[],
  { manifest, id, spec, containers }: DeclaredWorkload,
  options: ResourceOptions,
): Iterable<Problem> {
  if (options.podLevel !== false && spec.resources !== undefined) return;
  const needs = names.flatMap((name) => {
    const [, kind = 'requests', resource] = /^(?:(requests|limits)\.)?(cpu|memory)$/.exec(name) ?? [];
    return resource === undefined ? [] : [{ name, kind: kind as 'requests' | 'limits', resource }];
  });
  for (const placed of containers) {
    const own = containerResources(placed, options.defaults);
    const missing = needs.filter(({ kind, resource }) => own[kind][resource] === undefined);
    if (missing.length === 0) continue;
    yield {
      manifest,
      path: [...placed.path, 'resources'],
      message: `ResourceQuota ${object.metadata.name} counts ${missing.map(({ name }) => name).join(', ')}, and container ${placed.container.name} of ${formatId(id)} does not say how much it takes: its pods are refused.`,
      fix: [
        'resources:',
        ...(['requests', 'limits'] as const).flatMap((kind) => {
          const lines = missing.filter((one) => one.kind === kind);
          return lines.length === 0
            ? []
            : [
                `  ${kind}:`,
                ...lines.map(({ resource }) => `    ${resource}: ${resource === 'cpu' ? '100m' : '64Mi'}`),
              ];
        }),
      ].join('\n'),
    };
  }
}

/** Whether a quota counts these pods (ResourceQuota scopes). */
function inScope(object: KubeObject, { id, spec }: DeclaredWorkload, options: ResourceOptions): boolean {
  if (id.kind === 'CronJob') return false;
  const { scopes, scopeSelector } = fieldsOf(object.spec);
  const terms = [
    ...listOf(scopes).map((scopeName) => ({
      scopeName,
      operator: 'Exists',
      values: [] as readonly unknown[],
    })),
    ...listOf(fieldsOf(scopeSelector).matchExpressions).map((one) => {
      const { scopeName, operator, values } = fieldsOf(one);
      return { scopeName, operator, values: listOf(values) };
    }),
  ];
  const terminating = typeof spec.activeDeadlineSeconds === 'number';
  return terms.every(({ scopeName, operator, values }) => {
    if (scopeName === 'Terminating') return terminating;
    if (scopeName === 'NotTerminating') return !terminating;
    if (scopeName === 'BestEffort') return qosOf(spec, options) === 'BestEffort';
    if (scopeName === 'NotBestEffort') return qosOf(spec, options) !== 'BestEffort';
    if (scopeName === 'CrossNamespacePodAffinity') return reachesOtherNamespaces(spec);
    if (scopeName !== 'PriorityClass') return false;
    const name = spec.priorityClassName;
    if (operator === 'Exists') return name !== undefined;
    if (operator === 'DoesNotExist') return name === undefined;
    const listed = name !== undefined && values.includes(name);
    return operator === 'In' ? listed : !listed;
  });
}

/** Whether an affinity looks at pods of other namespaces (quota evaluator usesCrossNamespacePodAffinity). */
function reachesOtherNamespaces({ affinity }: DeclaredWorkload['spec']): boolean {
  const terms = [affinity?.podAffinity, affinity?.podAntiAffinity].flatMap((one) => [
    ...listOf(fieldsOf(one).requiredDuringSchedulingIgnoredDuringExecution),
    ...listOf(fieldsOf(one).preferredDuringSchedulingIgnoredDuringExecution).map(
      (weighted) => fieldsOf(weighted).podAffinityTerm,
    ),
  ]);
  return terms.some((term) => {
    const { namespaces, namespaceSelector } = fieldsOf(term);
    return listOf(namespaces).length > 0 || (namespaceSelector ?? undefined) !== undefined;
  });
}

/** Containers and pods that a LimitRange refuses (plugin/pkg/admission/limitranger). */
function* outOfRange(
  object: KubeObject,
  workloads: readonly DeclaredWorkload[],
  options: ResourceOptions,
): Iterable<Problem> {
  for (const item of listOf(fieldsOf(object.spec).limits).map(fieldsOf))
    for (const workload of workloads) {
      const subjects =
        item.type === 'Container'
          ? workload.containers.map((placed) => ({
              what: `container ${placed.container.name}`,
              path: [...placed.path, 'resources'],
              own: containerResources(placed, options.defaults),
            }))
          : item.type === 'Pod'
            ? [
                {
                  what: 'the pod',
                  path: [...workload.podPath, 'spec'],
                  own: podResources(workload.spec, options),
                },
              ]
            : [];
      for (const { what, path, own } of subjects)
        for (const broken of bounds(item, own))
          yield {
            manifest: workload.manifest,
            path,
            message: `LimitRange ${object.metadata.name} ${broken}, so ${what} of ${formatId(workload.id)} is refused.`,
          };
    }
}

function* bounds(
  item: Readonly<Record<string, unknown>>,
  { requests, limits }: { readonly requests: Resources; readonly limits: Resources },
): Iterable<string> {
  const show = (amount: Quantity | undefined, name: string) =>
    amount === undefined ? 'none' : formatQuantity(amount, name);
  for (const [name, given] of Object.entries(fieldsOf(item.min))) {
    const least = parseQuantity(given);
    const [request, limit] = [requests[name], limits[name]];
    if (
      least !== undefined &&
      (request === undefined || request < least || (limit !== undefined && limit < least))
    )
      yield `asks for at least ${String(given)} of ${name}, and the request is ${show(request, name)}`;
  }
  for (const [name, given] of Object.entries(fieldsOf(item.max))) {
    const most = parseQuantity(given);
    const [request, limit] = [requests[name], limits[name]];
    if (
      most !== undefined &&
      (limit === undefined || limit > most || (request !== undefined && request > most))
    )
      yield `allows at most ${String(given)} of ${name}, and the limit is ${show(limit, name)}`;
  }
  for (const [name, given] of Object.entries(fieldsOf(item.maxLimitRequestRatio))) {
    const ratio = parseQuantity(given);
    const [request = 0n, limit = 0n] = [requests[name], limits[name]];
    if (ratio !== undefined && (request === 0n || limit === 0n || limit * ONE > ratio * request))
      yield `allows a limit of at most ${String(given)} times the request for ${name} (request ${show(requests[name], name)}, limit ${show(limits[name], name)})`;
  }
}
