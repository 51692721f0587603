import type { Container, PodSpec } from 'kubernetes-types/core/v1.d.ts';
import type * as Meta from 'kubernetes-types/meta/v1.d.ts';
import type { KubeObject } from '../objects.ts';
import type { FieldPath } from './manifest.ts';

/** What pods are made from, in an object that makes them, and where in it. A pod is its own template. */
export interface PodTemplate {
  readonly path: FieldPath;
  readonly metadata: Meta.ObjectMeta | undefined;
  readonly spec: PodSpec;
}

/** A container of a pod template, and where in the object it is. */
export interface ContainerAt {
  /** From the object. */
  readonly path: FieldPath;
  readonly container: Container;
  readonly init: boolean;
}

/**
 * The pod template of an object: of a Pod, of a CronJob, and of everything that has one at `spec.template`, such as Deployments,
 * Jobs and custom resources (Argo's Rollout, Knative's Service). undefined where there is none.
 */
export function podTemplateOf(object: KubeObject): PodTemplate | undefined {
  const path = pathOf(object);
  const template = at(object, path);
  if (!isRecord(template) || !isRecord(template.spec) || !Array.isArray(template.spec.containers))
    return undefined;
  return {
    path,
    metadata: isRecord(template.metadata) ? template.metadata : undefined,
    spec: template.spec as unknown as PodSpec,
  };
}

function pathOf({ apiVersion, kind }: KubeObject): FieldPath {
  if (apiVersion === 'v1' && kind === 'Pod') return [];
  if (apiVersion === 'v1' && kind === 'PodTemplate') return ['template'];
  if (apiVersion.startsWith('batch/') && kind === 'CronJob')
    return ['spec', 'jobTemplate', 'spec', 'template'];
  return ['spec', 'template'];
}

/** Init containers (sidecars among them), then the containers. */
export function containersOf({ path, spec }: PodTemplate): ContainerAt[] {
  const list = (field: 'initContainers' | 'containers') =>
    (Array.isArray(spec[field]) ? spec[field] : []).flatMap((container, index): ContainerAt[] =>
      isRecord(container)
        ? [{ path: [...path, 'spec', field, index], container, init: field === 'initContainers' }]
        : [],
    );
  return [...list('initContainers'), ...list('containers')];
}

export const at = (value: unknown, path: FieldPath): unknown =>
  path.reduce<unknown>(
    (inner, step) =>
      typeof inner === 'object' && inner !== null
        ? (inner as Record<string | number, unknown>)[step]
        : undefined,
    value,
  );

/** A copy with another value at a path; all that is not on the path is shared. Objects that are missing on the way are made. */
export function withField<T>(value: T, path: FieldPath, field: unknown): T {
  const [step, ...rest] = path;
  if (step === undefined) return field as T;
  const inner = withField((value as Record<string | number, unknown> | undefined)?.[step], rest, field);
  if (Array.isArray(value)) return value.with(step as number, inner) as T;
  return { ...value, [step]: inner } as T;
}

export const isRecord = <T extends object = Record<string, unknown>>(value: unknown): value is T =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
