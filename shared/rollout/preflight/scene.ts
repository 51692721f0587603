import {
  groupOf,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
} from '../../kubernetes/index.ts';
import type { ContainerDefaults, ResourceOptions } from './qos.ts';
import { readResources } from './qos.ts';
import type { AskedKind, DeclaredWorkload, LiveFacts, Problem, Scene } from './rule.ts';
import {
  fieldsOf,
  isKind,
  listOf,
  matchesLabels,
  matchesSelector,
  textsOf,
  type Workload,
  workloadOf,
} from './workload.ts';

export function sceneOf(manifests: readonly Manifest[], facts: LiveFacts | undefined): Scene {
  const workloads = manifests.flatMap((manifest) => {
    const workload = workloadOf(manifest.object, manifest);
    return workload === undefined ? [] : [{ ...workload, manifest }];
  });
  return { manifests, workloads, facts };
}

/** An object as it will be: of the manifests, or of the cluster where the manifests do not have it. */
export interface Known {
  readonly object: KubeObject;
  readonly id: ObjectId;
  readonly manifest: Manifest | undefined;
}

/** The objects of a kind that a namespace will have after the run; `unknown` says why those of the cluster are not among them. */
export function knownObjects(
  scene: Scene,
  kind: AskedKind,
  namespace: string | undefined,
): { readonly objects: readonly Known[]; readonly unknown: string | undefined } {
  const declared = scene.manifests
    .filter(({ object }) => object.kind === kind && object.metadata.namespace === namespace)
    .map((manifest) => ({ object: manifest.object, id: idOf(manifest.object), manifest }));
  const seen = scene.facts?.seen(kind, namespace);
  if (seen?.kind !== 'seen') return { objects: declared, unknown: seen?.because };
  const gone = new Set([...declared.map(({ id }) => id), ...(scene.facts?.pruned ?? [])].map(keyOf));
  const live = seen.objects
    .map((object) => ({ object, id: idOf(object), manifest: undefined }))
    .filter(({ id }) => !gone.has(keyOf(id)));
  return { objects: [...declared, ...live], unknown: undefined };
}

/** The notice that a rule gives in place of silence when it could not look. */
export function cannotTell(workload: DeclaredWorkload, what: string, because: string): Problem {
  return {
    manifest: workload.manifest,
    message: `${what} is unknown: ${because}.`,
    atMost: 'notice',
  };
}

/** The first workload of each namespace: what could not be read is said once a namespace. */
export function firstOfNamespaces(workloads: readonly DeclaredWorkload[]): DeclaredWorkload[] {
  const seen = new Set<string | undefined>();
  return workloads.filter(({ id }) => !seen.has(id.namespace) && seen.add(id.namespace));
}

/** The autoscalers that move a workload's replicas: HorizontalPodAutoscalers, and the ScaledObjects from which KEDA makes them. */
export function autoscalersOf(scene: Scene, workload: Workload): readonly Known[] {
  const scaled = scene.manifests
    .filter(({ object }) => isKind(object, 'keda.sh', 'ScaledObject'))
    .filter(({ object }) => object.metadata.namespace === workload.id.namespace)
    .map((manifest) => ({ object: manifest.object, id: idOf(manifest.object), manifest }));
  return [...knownObjects(scene, 'HorizontalPodAutoscaler', workload.id.namespace).objects, ...scaled].filter(
    ({ object }) => targets(object, workload.id),
  );
}

function targets(autoscaler: KubeObject, { kind, name, apiVersion }: ObjectId): boolean {
  const target = fieldsOf(fieldsOf(autoscaler.spec).scaleTargetRef);
  if (target.name !== name || (target.kind ?? 'Deployment') !== kind) return false;
  return typeof target.apiVersion !== 'string' || groupOf(target.apiVersion) === groupOf(apiVersion);
}

/** Services that send requests to a workload's pods. */
export function servicesOf(scene: Scene, workload: Workload): readonly Known[] {
  return knownObjects(scene, 'Service', workload.id.namespace).objects.filter(({ object }) => {
    const selector = selectorOfService(object);
    return selector !== undefined && matchesLabels(selector, workload.labels);
  });
}

/** undefined where the Service selects nothing by itself: ExternalName, or endpoints that someone else writes. */
export function selectorOfService(service: KubeObject): Readonly<Record<string, string>> | undefined {
  const spec = fieldsOf(service.spec);
  const selector = textsOf(spec.selector);
  return spec.type === 'ExternalName' || Object.keys(selector).length === 0 ? undefined : selector;
}

/** Budgets that count a workload's pods. */
export function budgetsOf(scene: Scene, workload: Workload): readonly Known[] {
  return knownObjects(scene, 'PodDisruptionBudget', workload.id.namespace).objects.filter(({ object }) => {
    const { selector } = fieldsOf(object.spec);
    return selector !== undefined && matchesSelector(fieldsOf(selector), workload.labels);
  });
}

/** How many pods a workload will have; a range where an autoscaler decides. */
export function replicasOf(scene: Scene, workload: Workload): { readonly min: number; readonly max: number } {
  const autoscaler = autoscalersOf(scene, workload)[0];
  if (autoscaler !== undefined) {
    const spec = fieldsOf(autoscaler.object.spec);
    const [low, high] =
      autoscaler.object.kind === 'ScaledObject'
        ? [spec.minReplicaCount, spec.maxReplicaCount]
        : [spec.minReplicas, spec.maxReplicas];
    const min = numberOr(low, autoscaler.object.kind === 'ScaledObject' ? 0 : 1);
    return { min, max: Math.max(min, numberOr(high, min)) };
  }
  const live = scene.facts?.live(workload.id);
  const count = numberOr(fieldsOf(workload.object.spec).replicas, numberOr(fieldsOf(live?.spec).replicas, 1));
  return { min: count, max: count };
}

const numberOr = (value: unknown, otherwise: number): number =>
  typeof value === 'number' ? value : otherwise;

/** What decides about a pod's resources beside its own words: LimitRanges and the server's version. */
export function resourceOptions(scene: Scene, namespace: string | undefined): ResourceOptions {
  const ranges = knownObjects(scene, 'LimitRange', namespace).objects;
  return {
    defaults: containerDefaults(ranges.map(({ object }) => object)),
    podLevel: honoursPodLevel(scene),
  };
}

/** Pod-level resources are an alpha of 1.32, off by default; on from 1.34. */
const honoursPodLevel = ({ facts }: Scene): boolean =>
  facts?.version === undefined || facts.version.minor >= 34;

function containerDefaults(ranges: readonly KubeObject[]): ContainerDefaults {
  const items = ranges
    .flatMap(({ spec }) => listOf(fieldsOf(spec).limits).map(fieldsOf))
    .filter(({ type }) => type === 'Container');
  // As the server fills in a LimitRange that it stores (SetDefaults_LimitRangeItem).
  const limitsOf = (item: (typeof items)[number]) =>
    readResources({ ...fieldsOf(item.max), ...fieldsOf(item.default) });
  return {
    limits: Object.assign({}, ...items.map(limitsOf)),
    requests: Object.assign(
      {},
      ...items.map((item) => ({
        ...readResources(item.min),
        ...limitsOf(item),
        ...readResources(item.defaultRequest),
      })),
    ),
  };
}
