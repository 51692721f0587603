import type { Task } from '../host/index.ts';
import { candidatesOf, demandOf, keyOf } from './builder/demand.ts';
import type { Delivery } from './deliver.ts';
import type { Story } from './describe.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import type { StageOutcome } from './result.ts';
import type { FoundResult, StageResults } from './results/results.ts';
import { changesSince } from './reuse/changes.ts';
import { rememberedKeys } from './reuse/key-memory.ts';
import { openKeyTags } from './reuse/key-tag.ts';
import { findInLayouts, findInRegistries } from './reuse/reuse.ts';

/** Where a plan looks for what earlier runs left. */
export interface LookAhead {
  readonly deliveries: readonly Delivery[];
  /** Whether registries are asked for the image by the tag of its key. */
  readonly keyTags: boolean;
  readonly results: StageResults | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What would come of a plan if it were carried out now: nothing is made, restored or written. */
export async function lookAhead(plan: ImagePlan, where: LookAhead, task: Task): Promise<Story> {
  const [there, earlier] = [await whereImageIs(plan, where, task), await where.results?.previous(task)];
  const local = rememberedKeys(plan.request);
  const known = earlier !== undefined && earlier.size > 0 ? { stages: earlier, image: local?.image } : local;
  const changes = known === undefined ? undefined : changesSince(plan, known);
  if (there !== 'no') return { there, changes };
  const outcomes = await Promise.all(plan.platforms.map((one) => outcomesFor(plan, one, where, task)));
  return { there, changes, outcomes: outcomes.flat() };
}

async function whereImageIs(
  plan: ImagePlan,
  { deliveries, keyTags, signal }: LookAhead,
  task: Task,
): Promise<'image' | 'layers' | 'no'> {
  const tags = openKeyTags(plan.identity.files?.digest, { read: keyTags, write: false }, signal, task);
  const found =
    (await findInLayouts(plan, deliveries)) ?? (await findInRegistries(plan, deliveries, tags, task));
  return found?.kind ?? 'no';
}

/** What would become of the stages that have to be run, or whose results are stored. */
async function outcomesFor(
  plan: ImagePlan,
  platform: PlatformPlan,
  { results }: LookAhead,
  task: Task,
): Promise<StageOutcome[]> {
  if (plan.how === 'builder') return [];
  const candidates = candidatesOf(platform);
  const found = new Map<number, FoundResult>();
  const wanted = [...candidates.values()].flatMap(({ index, name, identity, paths }) => {
    const key = keyOf(identity?.key, paths);
    return key === undefined ? [] : [{ index, name, key }];
  });
  const stored = wanted.length === 0 ? undefined : await results?.find(wanted, task);
  for (const { index, key } of wanted) {
    const one = stored?.get(key);
    if (one !== undefined) found.set(index, one);
  }
  const roots = [...candidates.values()].filter(({ isRoot }) => isRoot).map(({ index }) => index);
  const { runs, takes } = demandOf(platform.stages, candidates, roots, {
    isReady: () => false,
    canBeHad: (index) => found.has(index) || candidates.get(index)?.lifted !== undefined,
  });
  const on = platform.platform;
  const taken = [...takes].map((stage): StageOutcome => {
    const result = found.get(stage);
    if (result === undefined) return { platform: on, stage, how: 'lifted' };
    return { platform: on, stage, how: 'restored', where: result.where, size: result.size };
  });
  return [...taken, ...[...runs].map((stage): StageOutcome => ({ platform: on, stage, how: 'built' }))];
}
