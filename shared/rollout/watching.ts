import type { Cluster } from '../kubernetes/index.ts';
import type { AppliedObject } from './apply/change.ts';
import type { Follow } from './follow.ts';
import type { Observation, Patience } from './outcome.ts';
import { isWorkload } from './release/name.ts';
import { watchRollout } from './watch/watch.ts';

/** How long and how patiently workloads are watched. */
export interface Watching {
  readonly timeout: number;
  readonly patience: Patience;
}

/** Watches the workloads among objects that were applied. */
export async function watchApplied(
  cluster: Cluster,
  applied: readonly AppliedObject[],
  { timeout, patience }: Watching,
  { signal, onPhase, onProgress, onLine }: Follow,
): Promise<Observation> {
  const targets = applied.flatMap(({ object }) =>
    object !== undefined && isWorkload(object) ? [object] : [],
  );
  if (targets.length > 0) onPhase('watching', `watching ${counted(targets.length, 'workload')}`);
  return await watchRollout(cluster, targets, { timeout, patience, signal, onProgress, onLine });
}

export const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
