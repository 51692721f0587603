import type { HorizontalPodAutoscaler, MetricSpec, MetricStatus } from 'kubernetes-types/autoscaling/v2.d.ts';
import { ApiError, type Cluster, type KubeObject, type ObjectId } from '../../kubernetes/index.ts';

/** A metric that an autoscaler goes by. */
export interface AutoscalerMetric {
  /** `cpu`, `memory of app`, `requests-per-second`. */
  readonly name: string;
  /** `80%`, `500m`. */
  readonly target: string;
  /** undefined: nothing was measured. */
  readonly current: string | undefined;
}

/** What a HorizontalPodAutoscaler does with a workload at this moment. */
export interface AutoscalerState {
  readonly name: string;
  readonly workload: ObjectId;
  readonly min: number;
  readonly max: number;
  readonly current: number;
  readonly desired: number;
  readonly metrics: readonly AutoscalerMetric[];
  /** What it says for itself when it cannot scale, or is at its bounds: `ScalingActive is False: FailedGetResourceMetric, …`. */
  readonly troubles: readonly string[];
}

/** The autoscalers of these workloads; undefined where the token may not see them or the cluster serves none. */
export async function readAutoscalers(
  cluster: Pick<Cluster, 'list'>,
  workloads: readonly ObjectId[],
): Promise<readonly AutoscalerState[] | undefined> {
  const namespaces = [...new Set(workloads.map(({ namespace }) => namespace))];
  const query = { apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler' };
  try {
    const lists = await Promise.all(namespaces.map((namespace) => cluster.list({ ...query, namespace })));
    return lists.flat().flatMap((object) => {
      const target = (object as Autoscaler).spec?.scaleTargetRef;
      const workload = workloads.find(
        ({ kind, name, namespace }) =>
          kind === target?.kind && name === target.name && namespace === object.metadata.namespace,
      );
      return workload === undefined ? [] : [stateOf(object as Autoscaler, workload)];
    });
  } catch (error) {
    if (error instanceof ApiError && [403, 404].includes(error.status)) return undefined;
    throw error;
  }
}

type Autoscaler = KubeObject & Pick<HorizontalPodAutoscaler, 'spec' | 'status'>;

function stateOf({ metadata, spec, status }: Autoscaler, workload: ObjectId): AutoscalerState {
  return {
    name: metadata.name,
    workload,
    min: spec?.minReplicas ?? 1,
    max: spec?.maxReplicas ?? 1,
    current: status?.currentReplicas ?? 0,
    desired: status?.desiredReplicas ?? 0,
    metrics: (spec?.metrics ?? []).map((metric) => metricOf(metric, status?.currentMetrics ?? [])),
    troubles: troublesOf(status),
  };
}

/** Healthy is AbleToScale True, ScalingActive True, ScalingLimited False. */
function troublesOf(status: Autoscaler['status']): string[] {
  const conditions = status?.conditions ?? [];
  // Before its first look it has said nothing, which is no sign of health.
  if (conditions.length === 0) return ['It has not looked at its metrics yet.'];
  return conditions
    .filter(({ type, status: value }) => value !== (type === 'ScalingLimited' ? 'False' : 'True'))
    .map(
      ({ type, status: value, reason, message }) =>
        `${type} is ${value}: ${[reason, message].filter(Boolean).join(', ')}`,
    );
}

interface Measure {
  readonly averageUtilization?: number;
  readonly averageValue?: string;
  readonly value?: string;
}

const show = ({ averageUtilization, averageValue, value }: Measure): string | undefined =>
  averageUtilization === undefined ? (averageValue ?? value) : `${averageUtilization}%`;

function metricOf(metric: MetricSpec, measured: readonly MetricStatus[]): AutoscalerMetric {
  const name = nameOf(metric);
  // The API server leaves metrics that it could not get out of the list, or gives one of no type.
  const own = measured.find((one) => one.type === metric.type && nameOf(one) === name);
  const status = own && detailOf(own)?.current;
  return { name, target: show(detailOf(metric)?.target ?? {}) ?? '', current: status && show(status) };
}

/** What every type of metric has, in the field of its name. */
interface Detail {
  readonly name?: string;
  readonly container?: string;
  readonly metric?: { readonly name: string };
  readonly target?: Measure;
  readonly current?: Measure;
}

function detailOf(metric: MetricSpec | MetricStatus): Detail | undefined {
  const field = metric.type.charAt(0).toLowerCase() + metric.type.slice(1);
  return (metric as unknown as Readonly<Record<string, Detail | undefined>>)[field];
}

function nameOf(metric: MetricSpec | MetricStatus): string {
  const { name, container, metric: custom } = detailOf(metric) ?? {};
  return `${name ?? custom?.name ?? metric.type}${container === undefined ? '' : ` of ${container}`}`;
}
