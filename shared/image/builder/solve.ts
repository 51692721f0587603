import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTar } from '../../content/index.ts';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import { treeOfMembers } from '../files/base.ts';
import { Shelf } from '../files/shelf.ts';
import type { Directory } from '../files/tree.ts';
import type { MountSeeds, SeededDockerfile, SolveAgain } from '../mounts/mounts.ts';
import { instructionOf } from '../names.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import { cacheArguments, commonArguments, contextArguments } from './arguments.ts';
import { runBuildx } from './buildx.ts';
import { withoutPattern } from './crossing.ts';
import { writeDockerfile } from './dockerfile.ts';
import {
  HANDOVER,
  handedOver,
  handoverStage,
  linesBefore,
  replaceStages,
  type WantedPath,
  wantedPaths,
  withStages,
} from './handover.ts';
import { pinnedContexts } from './pins.ts';
import type { BuildStep } from './progress.ts';
import type { BuilderRun, PinnedDigest } from './run.ts';

/** One call of a builder that runs stages and hands over files of them. */
export interface Solve {
  readonly plan: ImagePlan;
  readonly platform: PlatformPlan;
  readonly builder: BuilderRun;
  readonly pins: PinnedDigest;
  readonly seeds: MountSeeds | undefined;
  /** What is wanted of which stages, by number. */
  readonly wanted: ReadonlyMap<number, readonly string[]>;
  /** Stages that this runs, those that are wanted and those that they need. */
  readonly runs: readonly ResolvedStage[];
  /** Stages that are at hand, with the named contexts that have their files. */
  readonly replaced: ReadonlyMap<number, string>;
  /** Name of this call among those of its platform. */
  readonly name: string;
  /** Why a builder is needed at all, for the message when there is none. */
  readonly need: string;
}

/** What came of it. */
export interface Solved {
  readonly files: ReadonlyMap<number, Directory>;
  readonly steps: readonly BuildStep[];
  /** Keeps what the cache mounts hold now; to be called at once, on the same builder, by trusted runs alone. */
  readonly keepMounts: ((task: Task) => Promise<void>) | undefined;
}

/**
 * Runs stages in a builder and takes from them what is wanted, not their layers: the Dockerfile gets one more stage, which copies just
 * that into an empty image, and that comes back as a tar stream, so that owners, modes and links survive.
 */
export async function solve(request: Solve, task: Task): Promise<Solved> {
  const { plan, platform, builder } = request;
  const folder = join(builder.temporary, request.name);
  await mkdir(folder, { recursive: true });
  const seeded = await request.seeds?.prepare(
    {
      dockerfile: plan.dockerfile,
      stages: request.runs,
      platform: platform.platform,
      temporary: folder,
      signal: builder.signal,
    },
    task,
  );
  const call = await prepareCall(request, seeded, folder);
  const wanted = wantedPaths(request.wanted);
  const shelf = new Shelf(join(folder, 'files'));
  const members: Parameters<typeof treeOfMembers>[0][number][] = [];
  const steps = await call({
    appended: handoverStage(wanted, plan.dockerfile.directives.escape),
    target: HANDOVER,
    output: 'type=tar,dest=-',
    again: false,
    task,
    place: (line) => placeOf(request, wanted, line),
    consume: async (stdout) => {
      for await (const { entry, content } of readTar(stdout))
        members.push(
          entry.type === 'file' ? { entry, content: await shelf.take(content, entry.size) } : { entry },
        );
    },
  });
  const all = treeOfMembers(members);
  const files = new Map(
    [...request.wanted.keys()].map((stage) => [stage, handedOver(all, wanted, stage)] as const),
  );
  const keepMounts =
    seeded === undefined ? undefined : (own: Task) => seeded.save(solveAgain(call, own), own);
  return { files, steps, keepMounts };
}

interface Call {
  readonly appended: string;
  readonly target: string;
  readonly output: string;
  /** The steps have run before: what made them run in any case does not hold any more. */
  readonly again: boolean;
  readonly task: Task;
  readonly place?: NonNullable<Parameters<typeof runBuildx>[0]['place']>;
  readonly consume?: NonNullable<Parameters<typeof runBuildx>[0]['consume']>;
}

type MakeCall = (call: Call) => Promise<readonly BuildStep[]>;

/** All that is the same in every call over the Dockerfile of this solve. */
async function prepareCall(
  request: Solve,
  seeded: SeededDockerfile | undefined,
  folder: string,
): Promise<MakeCall> {
  const { plan, platform, builder, replaced, runs } = request;
  const names = new Map([...replaced.keys()].map((index) => [index, `slipway-stage-${index}`]));
  const source = replaceStages(seeded?.source ?? plan.dockerfile.source, plan.dockerfile, names);
  const pinned = await pinnedContexts(plan, runs, platform.platform, request.pins);
  const contexts = {
    ...plan.request.contexts,
    ...pinned,
    ...seeded?.contexts,
    ...Object.fromEntries([...replaced].map(([index, context]) => [names.get(index)!, context])),
  };
  let calls = 0;
  return async ({ appended, target, output, again, task, place, consume }) => {
    const own = join(folder, `call-${++calls}`);
    await mkdir(own, { recursive: true });
    const settings = again
      ? { ...builder.settings, noCache: false, noCacheFilters: [], pull: false }
      : builder.settings;
    return await runBuildx({
      settings,
      signal: builder.signal,
      task,
      need: request.need,
      dockerfile: plan.dockerfile.path,
      ...(place !== undefined && { place }),
      ...(consume !== undefined && { consume }),
      // biome-ignore format: one flag with its value a line
      args: [
        ...commonArguments(settings, plan.request),
        ...(again ? [] : cacheArguments(settings, 'files')),
        ...contextArguments({ ...plan.request, contexts }, [platform.platform]),
        '--provenance=false',
        '--platform', formatPlatform(platform.platform),
        '--target', target,
        '--file', await writeDockerfile(plan, withStages(source, appended), own),
        '--output', output,
        plan.request.context,
      ],
    });
  };
}

function solveAgain(call: MakeCall, task: Task): SolveAgain {
  return async (more) => {
    await call({ ...more, again: true, task });
  };
}

/** The user's COPY that a line of the added stage carries out in part. */
function placeOf(
  { plan, platform }: Solve,
  wanted: readonly WantedPath[],
  line: number,
): { readonly instruction: string; readonly line: number } | undefined {
  const asked = wanted[line - linesBefore(plan.dockerfile.source) - 2];
  if (asked === undefined) return undefined;
  const step = platform.stages
    .flatMap(({ stage }) => stage.steps)
    .find(
      (one) =>
        (one.kind === 'copy' || one.kind === 'add') &&
        one.from.kind === 'stage' &&
        one.from.index === asked.stage &&
        one.sources.some((source) => withoutPattern(source) === asked.path),
    );
  if (step === undefined) return undefined;
  return { instruction: instructionOf(step), line: step.lines.start };
}
