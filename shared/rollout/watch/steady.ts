import type { PodState, WorkloadState } from './model.ts';
import { belongsToRevision, templateOf } from './revision.ts';

/** Milliseconds that a container without a readiness probe has to stay up before it counts. */
const STEADY = 5000;

/**
 * When a workload that is complete by its counts is so by proof, as its pods tell it: a moment, Infinity while one of its pods is
 * not ready, undefined where nothing is left to wait for. Counts are a moment older than pods, and a container without a readiness
 * probe is ready from the moment it runs: one that crashes after half a second makes a Deployment available for that half second.
 * Such pods have to stay up; with probes, or `minReadySeconds`, they prove it themselves.
 */
export function steadyAt(workload: WorkloadState): number | undefined {
  const { live, id } = workload;
  if (id.kind === 'Job') return undefined;
  const isNew = belongsToRevision(workload);
  const pods = [...workload.pods.values()].filter((one) => isNew(one) && isStaying(one));
  if (pods.length === 0) return undefined;
  const since = pods.map(({ ready }) => ready ?? Number.POSITIVE_INFINITY);
  const { minReadySeconds = 0 } = (live?.spec ?? {}) as { minReadySeconds?: number };
  const containers = templateOf(live ?? workload.target)?.spec?.containers ?? [];
  const isProved = minReadySeconds > 0 || containers.every(({ readinessProbe }) => readinessProbe);
  return Math.max(...since) + (isProved ? 0 : STEADY);
}

/** Not on its way out, and not one that was evicted or ended and has a successor. */
const isStaying = ({ pod, deleting }: PodState): boolean =>
  deleting === undefined && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded';
