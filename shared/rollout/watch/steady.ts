import type { WorkloadState } from './model.ts';
import { belongsToRevision, templateOf } from './revision.ts';

/** Milliseconds that a container without a readiness probe has to stay up before it counts. */
const STEADY = 5000;

/**
 * When a workload that is complete by its counts is so by proof. A container without a readiness probe is ready from the moment it
 * runs, so one that crashes after half a second makes a Deployment available for that half second: its pods have to stay up. With
 * probes, or `minReadySeconds`, the pods prove it themselves. undefined: it is now.
 */
export function steadyAt(workload: WorkloadState): number | undefined {
  const { live, id } = workload;
  const { minReadySeconds = 0 } = (live?.spec ?? {}) as { minReadySeconds?: number };
  const containers = templateOf(live ?? workload.target)?.spec?.containers ?? [];
  if (id.kind === 'Job' || minReadySeconds > 0 || containers.every(({ readinessProbe }) => readinessProbe))
    return undefined;
  const isNew = belongsToRevision(workload);
  const since = [...workload.pods.values()].filter(isNew).flatMap(({ ready }) => ready ?? []);
  return since.length === 0 ? undefined : Math.max(...since) + STEADY;
}
