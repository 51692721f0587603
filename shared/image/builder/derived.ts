import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import type { MountSeeds, SeededDockerfile } from '../mounts/mounts.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import { type BuilderSettings, commonArguments, contextArguments } from './arguments.ts';
import { type BuildxRun, runBuildx } from './buildx.ts';
import { writeDockerfile } from './dockerfile.ts';
import { replaceStages, withStages } from './handover.ts';
import { pinnedContexts } from './pins.ts';
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
  /** Why a builder is needed at all, for the message when there is none. */
  readonly need: string;
}

/** What of a platform's stages is run, and what is at hand. */
export interface PlatformBuild {
  readonly plan: PlatformPlan;
  readonly runs: readonly ResolvedStage[];
  /** Stages that are not run, with the named contexts that have their files. */
  readonly atHand: ReadonlyMap<number, string>;
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
  const stages = stagesAtHand(platforms);
  const source = replaceStages(seeded?.source ?? plan.dockerfile.source, plan.dockerfile, stages.names);
  const contexts = {
    ...plan.request.contexts,
    ...(await pinnedOf(derivation)),
    ...seeded?.contexts,
    ...stages.contexts,
  };
  const on = platforms.map(({ plan: { platform } }) => platform);
  return async ({ appended, args, again, place, consume }, task) => {
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
        '--platform', on.map(formatPlatform).join(','),
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

/** The stages that are at hand for every platform: a line of the Dockerfile is the same for all of them. */
function stagesAtHand(platforms: readonly PlatformBuild[]): {
  readonly names: ReadonlyMap<number, string>;
  readonly contexts: Readonly<Record<string, string>>;
} {
  const [first, ...others] = platforms;
  const common = [...(first?.atHand.keys() ?? [])].filter((index) =>
    others.every(({ atHand }) => atHand.has(index)),
  );
  const names = new Map(common.map((index) => [index, `slipway-stage-${index}`]));
  const contexts = platforms.flatMap(({ plan: { platform }, atHand }) =>
    common.map((index) => {
      const name = names.get(index)!;
      return [
        others.length === 0 ? name : `${name}::${formatPlatform(platform)}`,
        atHand.get(index)!,
      ] as const;
    }),
  );
  return { names, contexts: Object.fromEntries(contexts) };
}
