import type { Container, PodSpec as CorePodSpec, ResourceRequirements } from 'kubernetes-types/core/v1.d.ts';
import type { LabelSelector } from 'kubernetes-types/meta/v1.d.ts';
import {
  type FieldPath,
  groupOf,
  idOf,
  type KubeObject,
  type Manifest,
  type ObjectId,
} from '../../kubernetes/index.ts';

/** A pod's specification, with what came after the types that we have. */
export interface PodSpec extends CorePodSpec {
  /** Resources of the pod as a whole (KEP-2837, on by default from 1.34). */
  readonly resources?: ResourceRequirements;
}

export interface PlacedContainer {
  readonly container: Container;
  readonly path: FieldPath;
  /** `sidecar`: an init container that goes on running (restartPolicy Always). */
  readonly role: 'container' | 'init' | 'sidecar';
}

/** What makes pods, or is one, with its pod's specification at hand. */
export interface Workload {
  readonly object: KubeObject;
  readonly id: ObjectId;
  /** undefined for one that was read from the cluster. */
  readonly manifest: Manifest | undefined;
  /** Where its pod stands: `spec.template`, or nothing for a Pod. */
  readonly podPath: FieldPath;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  readonly containers: readonly PlacedContainer[];
}

const TEMPLATE: FieldPath = ['spec', 'template'];
/** Kinds that hold a pod's template, and where, by group and kind. `extensions` held some before 1.16. */
const POD_PATHS: Readonly<Record<string, FieldPath>> = {
  '/Pod': [],
  '/ReplicationController': TEMPLATE,
  'apps/Deployment': TEMPLATE,
  'apps/ReplicaSet': TEMPLATE,
  'apps/StatefulSet': TEMPLATE,
  'apps/DaemonSet': TEMPLATE,
  'extensions/Deployment': TEMPLATE,
  'extensions/ReplicaSet': TEMPLATE,
  'extensions/DaemonSet': TEMPLATE,
  'batch/Job': TEMPLATE,
  'batch/CronJob': ['spec', 'jobTemplate', 'spec', 'template'],
  'argoproj.io/Rollout': TEMPLATE,
};

export const isKind = (object: KubeObject, group: string, kind: string): boolean =>
  object.kind === kind && groupOf(object.apiVersion) === group;

/** Fields of an object, or none for what is no object: manifests are what people wrote. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : {};

export const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** The objects of a list, each with its index. */
const objectsOf = (value: unknown): [number, Readonly<Record<string, unknown>>][] =>
  listOf(value).flatMap((one, index) =>
    typeof one === 'object' && one !== null ? [[index, fieldsOf(one)]] : [],
  );

export const valueAt = (object: unknown, path: FieldPath): unknown =>
  path.reduce<unknown>(
    (value, step) => (typeof step === 'number' ? listOf(value)[step] : fieldsOf(value)[step]),
    object,
  );

/** The entries whose values are texts; numbers and booleans that YAML made of unquoted texts are refused by the API, not by us. */
export const textsOf = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(fieldsOf(value)).filter(
      (entry): entry is [string, string] => typeof entry[1] === 'string',
    ),
  );

export function workloadOf(object: KubeObject, manifest?: Manifest): Workload | undefined {
  const podPath = POD_PATHS[`${groupOf(object.apiVersion)}/${object.kind}`];
  if (podPath === undefined) return undefined;
  const pod = fieldsOf(valueAt(object, podPath));
  const metadata = fieldsOf(pod.metadata);
  const spec = fieldsOf(pod.spec) as unknown as PodSpec;
  return {
    object,
    id: idOf(object),
    manifest,
    podPath,
    labels: textsOf(metadata.labels),
    annotations: textsOf(metadata.annotations),
    spec,
    containers: placedContainers(spec, [...podPath, 'spec']),
  };
}

/** All containers of a pod, in the order in which they start. */
export function placedContainers(spec: PodSpec, path: FieldPath = ['spec']): PlacedContainer[] {
  const place = (list: 'initContainers' | 'containers', role: (one: Container) => PlacedContainer['role']) =>
    objectsOf(spec[list]).map(([index, fields]) => {
      const container = fields as unknown as Container;
      return { container, path: [...path, list, index], role: role(container) };
    });
  return [
    ...place('initContainers', (one) => (one.restartPolicy === 'Always' ? 'sidecar' : 'init')),
    ...place('containers', () => 'container'),
  ];
}

/** Whether a set of labels is let through (meta/v1 LabelSelector). An empty selector lets all through. */
export function matchesSelector(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return (
    matchesLabels(textsOf(selector.matchLabels), labels) &&
    listOf(selector.matchExpressions).every((expression) => matchesExpression(fieldsOf(expression), labels))
  );
}

export const matchesLabels = (
  wanted: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean => Object.entries(wanted).every(([key, value]) => labels[key] === value);

function matchesExpression(
  { key, operator, values }: Readonly<Record<string, unknown>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = labels[String(key)];
  if (operator === 'Exists') return value !== undefined;
  if (operator === 'DoesNotExist') return value === undefined;
  const listed = value !== undefined && listOf(values).includes(value);
  return operator === 'In' ? listed : operator === 'NotIn' ? !listed : false;
}

/** How many of `total` a number or a percentage is; undefined for what is neither (util/intstr). */
export function shareOf(given: unknown, total: number, round: 'up' | 'down'): number | undefined {
  if (typeof given === 'number') return given;
  const percent = typeof given === 'string' ? /^(\d+)%$/.exec(given) : null;
  if (percent === null) return undefined;
  const exact = (Number(percent[1]) * total) / 100;
  return round === 'up' ? Math.ceil(exact) : Math.floor(exact);
}
