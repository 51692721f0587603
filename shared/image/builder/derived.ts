import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import { formatPlatform, type Platform } from '../../oci/index.ts';
import type { Directory } from '../files/tree.ts';
import type { MountSeeds, SeededDockerfile } from '../mounts/mounts.ts';
import { once } from '../once.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import { type BuilderSettings, commonArguments, contextArguments } from './arguments.ts';
import { type BuildxRun, runBuildx } from './buildx.ts';
import { writeDockerfile } from './dockerfile.ts';
import { type HandedIn, handIn } from './hand-in.ts';
import { replaceStages, withStages } from './handover.ts';
import { holdBases, pinnedBases, pinnedContexts } from './pins.ts';
import type { BuildStep } from './progress.ts';
import type { BuilderRun, PinnedDigest } from './run.ts';

/** What a Dockerfile for a builder is derived from. */
export interface Derivation {
  readonly plan: ImagePlan;
  readonly platforms: readonly PlatformBuild[];
  readonly builder: BuilderRun;
  readonly pins: PinnedDigest;
  readonly seeds: MountSeeds | undefined;
  /** Folder of this build alone. */
  readonly folder: string;
  /** Stages that the builder was given already, by number. */
  readonly handedIn: Map<number, Promise<HandedIn>>;
  /** Why a builder is needed at all, for the message when there is none. */
  readonly need: string;
}

/** What of a platform's stages is run, and what is at hand. */
export interface PlatformBuild {
  readonly plan: PlatformPlan;
  readonly runs: readonly ResolvedStage[];
  /** The files of stages that are not run. */
  readonly atHand: ReadonlyMap<number, Directory>;
}

/** A Dockerfile that does what the user's does, and calls of a builder over it. */
export interface DerivedBuild {
  readonly settings: BuilderSettings;
  readonly call: (call: BuilderCall, task: Task) => Promise<readonly BuildStep[]>;
  /** Keeps what the cache mounts hold; to be called after a call that ran the stages, by trusted runs alone. */
  readonly keepMounts: (task: Task) => Promise<void>;
}

export interface BuilderCall extends Pick<BuildxRun, 'place' | 'consume'> {
  /** Stages that are added at the end. */
  readonly appended?: string;
  /** Arguments beside those that all calls over the Dockerfile have. */
  readonly args: readonly string[];
  /** The one platform that it is for; default: all of the build. */
  readonly only?: Platform;
  /** The stages have run already: what made them run in any case does not hold any more. */
  readonly again?: boolean;
}

/**
 * Derives the Dockerfile that a builder gets: stages that are at hand start with their files, bases are held to the digests that keys
 * were made from, cache mounts start from what an earlier run kept. All lines stay where they are.
 */
export async function deriveBuild(derivation: Derivation, task: Task): Promise<DerivedBuild> {
  const { folder } = derivation;
  await mkdir(folder, { recursive: true });
  let seeded = await seedMounts(derivation, task);
  let call = await callsOver(derivation, seeded);
  return {
    settings: derivation.builder.settings,
    call: async (one, own) => {
      try {
        return await call(one, own);
      } catch (error) {
        if (seeded === undefined || one.again || !seeded.blamed(error)) throw error;
        const why = (error as Error).message;
        own.log(`What cache mounts start from cannot be had, so they start from nothing: ${why}`);
        seeded = seeded.plain();
        call = await callsOver(derivation, seeded);
        return await call(one, own);
      }
    },
    keepMounts: async (own) => {
      if (seeded !== undefined) await keepSeeded(seeded, call, own);
    },
  };
}

/** Calls over the Dockerfile that is the user's but for what is at hand. */
async function callsOver(
  derivation: Derivation,
  seeded: SeededDockerfile | undefined,
): Promise<DerivedBuild['call']> {
  const { plan, builder, platforms } = derivation;
  const atHand = await contextsAtHand(derivation);
  const names = new Map([...atHand.keys()].map((index) => [index, `slipway-stage-${index}`]));
  const held = holdBases(
    seeded?.source ?? plan.dockerfile.source,
    plan.dockerfile,
    await basesOf(derivation),
  );
  const source = replaceStages(held, plan.dockerfile, names);
  const contexts = {
    ...plan.request.contexts,
    ...(await pinnedOf(derivation)),
    ...seeded?.contexts,
    ...Object.fromEntries([...atHand].map(([index, context]) => [names.get(index)!, context])),
  };
  const on = platforms.map(({ plan: { platform } }) => platform);
  return async ({ appended, args, only, again, place, consume }, task) => {
    const folder = join(derivation.folder, `call-${randomUUID()}`);
    await mkdir(folder, { recursive: true });
    const own = { noCache: false, noCacheFilters: [], pull: false };
    const settings = again ? { ...builder.settings, ...own } : builder.settings;
    const text = appended === undefined ? source : withStages(source, appended);
    return await runBuildx({
      settings,
      signal: builder.signal,
      task,
      need: derivation.need,
      dockerfile: plan.dockerfile.path,
      ...(place !== undefined && { place }),
      ...(consume !== undefined && { consume }),
      // biome-ignore format: one flag with its value a line
      args: [
        ...commonArguments(settings, plan.request),
        ...contextArguments({ ...plan.request, contexts }, on),
        '--platform', (only === undefined ? on : [only]).map(formatPlatform).join(','),
        '--build-arg', `SOURCE_DATE_EPOCH=${plan.request.epoch}`,
        ...args,
        '--file', await writeDockerfile(plan, text, folder),
        plan.request.context,
      ],
    });
  };
}

/** Cache mounts belong to one platform: a build for several leaves them to the builder. */
async function seedMounts(
  { plan, platforms, builder, seeds, folder }: Derivation,
  task: Task,
): Promise<SeededDockerfile | undefined> {
  const [one, ...more] = platforms;
  if (one === undefined || more.length > 0) return undefined;
  return await seeds?.prepare(
    {
      dockerfile: plan.dockerfile,
      graph: one.plan.graph,
      stages: one.runs,
      platform: one.plan.platform,
      temporary: folder,
      signal: builder.signal,
    },
    task,
  );
}

async function keepSeeded(seeded: SeededDockerfile, call: DerivedBuild['call'], task: Task): Promise<void> {
  await seeded.save(async ({ appended, target, output, consume }) => {
    const args = ['--provenance=false', '--target', target, '--output', output];
    await call({ appended, args, again: true, ...(consume !== undefined && { consume }) }, task);
  }, task);
}

async function pinnedOf({ plan, platforms, pins }: Derivation): Promise<Readonly<Record<string, string>>> {
  const all = await Promise.all(
    platforms.map(({ plan: { platform }, runs }) => pinnedContexts(plan, runs, platform, pins)),
  );
  return Object.assign({}, ...all);
}

async function basesOf({ plan, platforms, pins }: Derivation): Promise<ReadonlyMap<number, string>> {
  const run = new Set(platforms.flatMap(({ runs }) => runs.map(({ index }) => index)));
  // What one platform runs is a line of all of them.
  const stages = platforms.flatMap(({ plan: { graph } }) => graph.stages);
  return await pinnedBases(
    plan,
    stages.filter(({ index }) => run.has(index)),
    pins,
  );
}

/** The contexts of stages that are at hand for every platform: a line of the Dockerfile is the same for all of them. */
async function contextsAtHand(derivation: Derivation): Promise<ReadonlyMap<number, string>> {
  const { plan, platforms, builder, handedIn, folder } = derivation;
  const [first, ...others] = platforms;
  const common = [...(first?.atHand.keys() ?? [])].filter((index) =>
    others.every(({ atHand }) => atHand.has(index)),
  );
  const contexts = common.map(async (index) => {
    const handed = await once(handedIn, index, () => {
      const stages = platforms.map(({ plan: { platform }, atHand }) => ({
        platform,
        files: atHand.get(index)!,
      }));
      return handIn(stages, join(folder, `stage-${index}`), plan.digests, plan.request.epoch, builder);
    });
    return [index, handed.context] as const;
  });
  return new Map(await Promise.all(contexts));
}

/** Takes back what was put into an engine for builds. */
export async function releaseAll(handedIn: Map<number, Promise<HandedIn>>): Promise<void> {
  const all = [...handedIn.values()];
  handedIn.clear();
  for (const one of await Promise.allSettled(all))
    if (one.status === 'fulfilled') await one.value.release().catch(() => {});
}
