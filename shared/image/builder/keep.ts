import type { Task } from '../../host/index.ts';
import type { StageResults } from '../results/results.ts';
import type { MadeStages } from './stages.ts';

/** Where and how stages are kept. */
export interface Keeping {
  readonly results: StageResults | undefined;
  /** Whether the files of the build context are still those that the keys are made from. */
  readonly confirm: () => Promise<boolean>;
  readonly signal: AbortSignal | undefined;
}

/**
 * Keeps what stages of an image came out as, for all its platforms, and what cache mounts hold; for trusted runs alone. It saves later
 * runs time and is no condition of this one: what goes wrong is told, and only cancellation is thrown.
 */
export async function keepStages(
  made: readonly MadeStages[],
  { results, confirm, signal }: Keeping,
  task: Task,
): Promise<void> {
  const guarded = async (otherwise: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      if (signal?.aborted) throw error;
      task.log(`${otherwise}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  const mounts = made.flatMap(({ keepMounts }) => keepMounts);
  await Promise.all([
    guarded('Results of stages are not kept', () => keepResults(made, results, confirm, task)),
    ...mounts.map((keep) => guarded('Cache mounts are not kept', () => keep(task))),
  ]);
}

async function keepResults(
  made: readonly MadeStages[],
  results: StageResults | undefined,
  confirm: () => Promise<boolean>,
  task: Task,
): Promise<void> {
  if (results === undefined || !results.writable || made.length === 0) return;
  const late = await Promise.all(made.map(async (one) => (await one.late?.(task)) ?? []));
  // The builder was given the build context once more for these, as it is now.
  const believed = late.flat().length > 0 && (await confirm()) ? late.flat() : [];
  const all = [...made.flatMap((one) => one.results), ...believed];
  await results.save(all, new Map(made.flatMap(({ keys }) => [...keys])), task);
}
