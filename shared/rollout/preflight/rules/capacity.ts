import { type FieldPath, formatId } from '../../../kubernetes/index.ts';
import { containerResources, podLevelResources, type ResourceOptions } from '../qos.ts';
import type { DeclaredWorkload, Problem, RuleDefinition, Scene } from '../rule.ts';
import {
  autoscalersOf,
  budgetsOf,
  cannotTell,
  firstOfNamespaces,
  knownObjects,
  replicasOf,
  resourceOptions,
} from '../scene.ts';
import { fieldsOf, listOf, shareOf } from '../workload.ts';

const ROLLING_FIX = `strategy:
  type: RollingUpdate
  rollingUpdate:
    maxSurge: 1
    maxUnavailable: 0`;

/** How many of `replicas` pods a roll may take away, rounded as the controller does (deployment/util ResolveFenceposts). */
export function missingDuringRoll(replicas: number, maxSurge: unknown, maxUnavailable: unknown): number {
  const surge = shareOf(maxSurge ?? '25%', replicas, 'up');
  const unavailable = shareOf(maxUnavailable ?? '25%', replicas, 'down');
  if (surge === undefined || unavailable === undefined || replicas === 0) return 0;
  // Percentages that both round to nothing would never get on: the controller takes one pod away then.
  return Math.min(replicas, surge === 0 && unavailable === 0 ? 1 : unavailable);
}

const pods = (count: number) => (count === 1 ? '1 pod' : `${count} pods`);
const capacity = (missing: number, total: number) =>
  `${Math.floor(((total - missing) / total) * 100)} % capacity during the roll`;

export const capacityDrop: RuleDefinition = {
  name: 'capacity-drop',
  level: 'warning',
  finds:
    'an update strategy that takes pods away before new ones are ready: `maxUnavailable` above 0 after the controller’s rounding, `Recreate`, `OnDelete`, a StatefulSet of one pod',
  why: 'fewer pods serve the same requests while the rollout lasts, and for as long as it hangs',
  fix: '`maxSurge: 1`, `maxUnavailable: 0`',
  *find(scene) {
    for (const workload of scene.workloads) {
      if (workload.id.kind === 'Deployment') yield* deploymentDrop(scene, workload);
      else if (workload.id.kind === 'StatefulSet') yield* statefulSetDrop(scene, workload);
      else if (workload.id.kind === 'DaemonSet') yield* daemonSetDrop(workload);
    }
  },
};

function* deploymentDrop(
  scene: Scene,
  { manifest, id, object, ...rest }: DeclaredWorkload,
): Iterable<Problem> {
  const strategy = fieldsOf(fieldsOf(object.spec).strategy);
  const { min, max } = replicasOf(scene, { manifest, id, object, ...rest });
  if (max === 0) return;
  if (strategy.type === 'Recreate') {
    yield {
      manifest,
      path: ['spec', 'strategy', 'type'],
      message: `Recreate stops ${max === 1 ? 'the only pod' : `all ${max} pods`} of ${formatId(id)} before the first new one starts: 0 % capacity during the roll.`,
      fix: ROLLING_FIX,
    };
    return;
  }
  const { maxSurge, maxUnavailable } = fieldsOf(strategy.rollingUpdate);
  const [missing, total] = worst([min, max], (count) => missingDuringRoll(count, maxSurge, maxUnavailable));
  if (missing === 0) return;
  const written =
    maxUnavailable === undefined
      ? 'maxUnavailable is 25 % where it is not set'
      : `maxUnavailable is ${String(maxUnavailable)}`;
  yield {
    manifest,
    path: ['spec', 'strategy', 'rollingUpdate', 'maxUnavailable'],
    message: `${missing} of ${pods(total)} of ${formatId(id)} may be missing: ${capacity(missing, total)} (${written}).`,
    fix: ROLLING_FIX,
  };
}

/** The count at which the largest share is missing, with what is missing there. */
function worst(counts: readonly number[], missingOf: (count: number) => number): [number, number] {
  const all = counts.filter((count) => count > 0).map((count): [number, number] => [missingOf(count), count]);
  return all.reduce((a, b) => (b[0] / b[1] > a[0] / a[1] ? b : a), all[0] ?? [0, 1]);
}

function* statefulSetDrop(scene: Scene, workload: DeclaredWorkload): Iterable<Problem> {
  const { manifest, id, object } = workload;
  const strategy = fieldsOf(fieldsOf(object.spec).updateStrategy);
  if (strategy.type === 'OnDelete') yield onDelete(workload);
  const { max } = replicasOf(scene, workload);
  if (max === 0 || strategy.type === 'OnDelete') return;
  // Honoured by default from 1.35. The API's page says that percentages are rounded up; the controller rounds them down, to at least
  // one (statefulset getStatefulSetMaxUnavailable).
  const { maxUnavailable } = fieldsOf(strategy.rollingUpdate);
  const missing = Math.min(max, Math.max(1, shareOf(maxUnavailable ?? 1, max, 'down') ?? 1));
  const gated = (scene.facts?.version?.minor ?? Number.POSITIVE_INFINITY) < 35;
  if (missing > 1)
    yield {
      manifest,
      path: ['spec', 'updateStrategy', 'rollingUpdate', 'maxUnavailable'],
      message: `${missing} of ${pods(max)} of ${formatId(id)} may be missing: ${capacity(missing, max)}${gated ? ', where the server honours maxUnavailable of StatefulSets (an alpha feature until 1.34)' : ''}.`,
      fix: 'updateStrategy:\n  type: RollingUpdate\n  rollingUpdate:\n    maxUnavailable: 1',
      ...(gated && { atMost: 'notice' as const }),
    };
  else if (max === 1)
    yield {
      manifest,
      path: ['spec', 'replicas'],
      message: `A StatefulSet stops a pod before it starts the next: ${formatId(id)} has 1 pod, so 0 % capacity during the roll.`,
      fix: 'replicas: 2',
      atMost: 'notice',
    };
}

function* daemonSetDrop(workload: DeclaredWorkload): Iterable<Problem> {
  const { manifest, id, object } = workload;
  const strategy = fieldsOf(fieldsOf(object.spec).updateStrategy);
  if (strategy.type === 'OnDelete') yield onDelete(workload);
  if (strategy.type === 'OnDelete') return;
  const { maxUnavailable, maxSurge } = fieldsOf(strategy.rollingUpdate);
  const surges = shareOf(maxSurge ?? 0, 100, 'up') !== 0;
  if (surges || shareOf(maxUnavailable ?? 1, 100, 'up') === 0) return;
  const many = maxUnavailable !== undefined && maxUnavailable !== 1;
  yield {
    manifest,
    path: ['spec', 'updateStrategy', 'rollingUpdate', 'maxUnavailable'],
    message: many
      ? `Pods of ${formatId(id)} may be missing on ${typeof maxUnavailable === 'number' ? `${maxUnavailable} nodes` : `${String(maxUnavailable)} of the nodes`} at a time during the roll.`
      : `One node at a time is without its pod of ${formatId(id)} during the roll.`,
    // A pod that takes a port of its node cannot be there twice.
    ...(!usesHostPort(workload) && {
      fix: 'updateStrategy:\n  type: RollingUpdate\n  rollingUpdate:\n    maxSurge: 1\n    maxUnavailable: 0',
    }),
    ...(!many && { atMost: 'notice' as const }),
  };
}

const usesHostPort = ({ spec, containers }: DeclaredWorkload): boolean =>
  spec.hostNetwork === true ||
  containers.some(({ container }) =>
    listOf(container.ports).some((port) => fieldsOf(port).hostPort !== undefined),
  );

const onDelete = ({ manifest, id }: DeclaredWorkload): Problem => ({
  manifest,
  path: ['spec', 'updateStrategy', 'type'],
  message: `OnDelete replaces no pod of ${formatId(id)} by itself: the new version serves nowhere until someone deletes the old pods.`,
  fix: 'updateStrategy:\n  type: RollingUpdate',
});

export const disruptionBudget: RuleDefinition = {
  name: 'disruption-budget',
  level: 'warning',
  finds:
    'a PodDisruptionBudget that never lets one of the workload’s pods go: `minAvailable` of all replicas, `maxUnavailable: 0`',
  why: 'a node with such a pod cannot be drained: upgrades and scale-downs of nodes wait until someone deletes the pod by hand',
  fix: 'a second replica with `maxUnavailable: 1`',
  *find(scene) {
    for (const workload of scene.workloads) {
      if (!['Deployment', 'StatefulSet', 'ReplicaSet', 'ReplicationController'].includes(workload.id.kind))
        continue;
      for (const budget of budgetsOf(scene, workload)) {
        const blocked = blocking(fieldsOf(budget.object.spec), replicasOf(scene, workload));
        if (blocked === undefined) continue;
        const { field, count } = blocked;
        yield {
          manifest: budget.manifest ?? workload.manifest,
          ...(budget.manifest !== undefined && { path: ['spec', field] }),
          message: `${formatId(budget.id)} (${field}: ${String(fieldsOf(budget.object.spec)[field])}) lets none of the ${pods(count)} of ${formatId(workload.id)} go: the drain of a node that has one waits for ever.`,
          fix: count === 1 ? `# with replicas: 2 or more\nmaxUnavailable: 1` : 'maxUnavailable: 1',
        };
      }
    }
    for (const workload of firstOfNamespaces(scene.workloads)) {
      const { unknown } = knownObjects(scene, 'PodDisruptionBudget', workload.id.namespace);
      if (unknown !== undefined)
        yield cannotTell(workload, 'Whether a PodDisruptionBudget of the cluster blocks', unknown);
    }
  },
};

/** The field by which a budget lets no pod go, at the smallest count of pods; percentages are rounded up (disruption controller). */
function blocking(
  { minAvailable, maxUnavailable }: Readonly<Record<string, unknown>>,
  { min }: { readonly min: number },
): { readonly field: 'minAvailable' | 'maxUnavailable'; readonly count: number } | undefined {
  if (min === 0) return undefined;
  if (maxUnavailable !== undefined)
    return shareOf(maxUnavailable, min, 'up') === 0 ? { field: 'maxUnavailable', count: min } : undefined;
  const wanted = shareOf(minAvailable ?? 1, min, 'up');
  return wanted !== undefined && wanted >= min ? { field: 'minAvailable', count: min } : undefined;
}

export const autoscalerReplicas: RuleDefinition = {
  name: 'autoscaler-replicas',
  level: 'notice',
  finds: '`replicas` of a workload whose count an autoscaler moves',
  why: 'every `kubectl apply` sets the count back, in the middle of a peak too; Slipway leaves the field out when it applies',
  fix: 'leave `replicas` out',
  *find(scene) {
    for (const workload of scene.workloads) {
      const { replicas } = fieldsOf(workload.object.spec);
      const autoscaler = autoscalersOf(scene, workload)[0];
      if (typeof replicas !== 'number' || autoscaler === undefined) continue;
      const { min, max } = replicasOf(scene, workload);
      yield {
        manifest: workload.manifest,
        path: ['spec', 'replicas'],
        message: `replicas: ${replicas} stands beside ${formatId(autoscaler.id)}, which moves the count of ${formatId(workload.id)} between ${min} and ${max}; it is left out here, but kubectl apply would set it back to ${replicas}.`,
        fix: `# no replicas: ${autoscaler.id.name} sets them`,
      };
    }
    for (const workload of firstOfNamespaces(scene.workloads)) {
      const { unknown } = knownObjects(scene, 'HorizontalPodAutoscaler', workload.id.namespace);
      if (unknown !== undefined)
        yield cannotTell(workload, 'Whether an autoscaler of the cluster moves replicas', unknown);
    }
  },
};

export const autoscalerRequest: RuleDefinition = {
  name: 'autoscaler-request',
  level: 'warning',
  finds: 'an autoscaler on the utilization of cpu or memory whose pods have a container without that request',
  why: 'utilization is a share of the request: without one the metric has no value and the autoscaler never scales',
  fix: '`resources.requests` for that resource in each container',
  *find(scene) {
    for (const workload of scene.workloads) {
      const options = resourceOptions(scene, workload.id.namespace);
      for (const autoscaler of autoscalersOf(scene, workload))
        for (const { resource, only } of utilizations(fieldsOf(autoscaler.object.spec)))
          for (const { what, path } of withoutRequest(workload, resource, only, options))
            yield {
              manifest: workload.manifest,
              path: [...path, 'resources', 'requests'],
              message: `${formatId(autoscaler.id)} scales on the utilization of ${resource}, but ${what} of ${formatId(workload.id)} requests none: the metric has no value and nothing is scaled.`,
              fix: `resources:\n  requests:\n    ${resource}: ${resource === 'cpu' ? '100m' : '64Mi'}`,
            };
    }
  },
};

/** What lacks the request that a utilization is a share of (podautoscaler calculateRequests). */
function withoutRequest(
  { podPath, spec, containers }: DeclaredWorkload,
  resource: string,
  only: string | undefined,
  options: ResourceOptions,
): { readonly what: string; readonly path: FieldPath }[] {
  const pod = podLevelResources(spec, options)?.requests ?? {};
  // Requests of the pod as a whole go before those of its containers, unless one is named.
  if (only === undefined && Object.keys(pod).length > 0)
    return pod[resource] === undefined ? [{ what: 'the pod as a whole', path: [...podPath, 'spec'] }] : [];
  return containers
    .filter(({ role, container }) => role !== 'init' && (only === undefined || only === container.name))
    .filter((placed) => containerResources(placed, options.defaults).requests[resource] === undefined)
    .map(({ container, path }) => ({ what: `container ${container.name}`, path }));
}

/** The resources whose utilization an autoscaler looks at, and the one container if it names one (autoscaling/v1 and v2). */
function utilizations(
  spec: Readonly<Record<string, unknown>>,
): { resource: string; only: string | undefined }[] {
  const first =
    spec.targetCPUUtilizationPercentage === undefined ? [] : [{ resource: 'cpu', only: undefined }];
  const metrics = listOf(spec.metrics).flatMap((one) => {
    const metric = fieldsOf(one);
    const source = fieldsOf(metric.type === 'ContainerResource' ? metric.containerResource : metric.resource);
    const relative =
      fieldsOf(source.target).type === 'Utilization' || source.targetAverageUtilization !== undefined;
    if (!relative || (metric.type !== 'Resource' && metric.type !== 'ContainerResource')) return [];
    const only = metric.type === 'ContainerResource' ? String(source.container) : undefined;
    return [{ resource: String(source.name), only }];
  });
  return [...first, ...metrics];
}
