import { isAbsolute, relative, sep } from 'node:path';
import type { Lines, ResolvedStage } from '../dockerfile/index.ts';
import { formatPlatform } from '../oci/index.ts';
import { resultName } from './builder/demand.ts';
import type { StageIdentity } from './identity/identity.ts';
import { builderStages, type StagePlan } from './method.ts';
import { goCacheMounts } from './mounts/go-cache.ts';
import { instructionOf, stageName } from './names.ts';
import type { Because, ImagePlan, PlatformPlan } from './plan.ts';
import type { StageOutcome } from './result.ts';
import { type Changes, inShort } from './reuse/changes.ts';

/** A plan as people and programs read it. */
export interface PlanDescription {
  readonly dockerfile: string;
  readonly how: 'assembled' | 'builder';
  /** Why a builder makes the whole image: `Dockerfile, line 5: RUN needs a container`. */
  readonly because: string | null;
  /** Whether the image is where it is to be already, or its layers are; null while nobody has looked. */
  readonly there: 'image' | 'layers' | 'no' | null;
  /** Digest that names the image by all that it is made of; null where something decides that no key can hold. */
  readonly key: string | null;
  /** What differs from the last build, in a few sentences; empty when nothing does, null when none is known. */
  readonly changes: readonly string[] | null;
  readonly platforms: readonly {
    readonly platform: string;
    readonly base: string | null;
    readonly stages: readonly StageDescription[];
    /** The instructions whose files make layers of their own, with the number of members. */
    readonly layers: readonly { readonly instruction: string; readonly members: number }[] | null;
  }[];
  /** What is done beside what the Dockerfile says, such as cache mounts that are added. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
}

/** How one stage is made. */
export interface StageDescription {
  readonly stage: string;
  readonly line: number;
  readonly how: 'assembled' | 'handed in' | 'lifted' | 'builder';
  readonly detail: string;
  /** Digest that names its files by all that they are made of. */
  readonly key: string | null;
  /** Why it has no key and is made in any case. */
  readonly unkeyed: string | null;
  /** Why its key holds for max-age only. */
  readonly aging: string | null;
  /** What became of it, or would; null where that is not known. */
  readonly result: StageResult | null;
  /** What differs from the last build, what decides first in front; empty when nothing does, null where that is not known. */
  readonly changes: readonly string[] | null;
}

/** What became of a stage. `reused` came with the image or its layers, which were there already. */
export interface StageResult {
  readonly kind: 'reused' | StageOutcome['how'];
  /** Where a restored one was found. */
  readonly where: string | null;
  /** Bytes that restoring it moved. */
  readonly size: number | null;
}

/** What is known of an image beyond its plan. */
export interface Story {
  readonly there?: PlanDescription['there'] | undefined;
  readonly outcomes?: readonly StageOutcome[] | undefined;
  readonly changes?: Changes | undefined;
}

/** Says how each stage is made and why, what layers come of it, and what the user should know. */
export function describePlan(plan: ImagePlan, story: Story = {}): PlanDescription {
  const { changes, there = null } = story;
  return {
    dockerfile: plan.dockerfile.path,
    how: plan.how,
    because: plan.because === undefined ? null : place(plan, plan.because),
    there,
    key: plan.key?.digest ?? null,
    changes: changes === undefined ? null : inShort(changes, plan.identity),
    platforms: plan.platforms.map((platform) => ({
      platform: formatPlatform(platform.platform),
      base: platform.base?.descriptor.digest ?? null,
      stages: platform.stages.map((stage) => describeStage(plan, platform, stage, story)),
      layers:
        platform.final?.layers.map(({ step, members }) => ({
          instruction: instructionOf(step),
          members: members.length,
        })) ?? null,
    })),
    notes: notesOf(plan),
    warnings: plan.warnings.map(({ message, lines }) => place(plan, { reason: message, lines })),
  };
}

function notesOf(plan: ImagePlan): string[] {
  if (!plan.request.goCache) return [];
  const all = plan.platforms.flatMap(({ graph }) => goCacheMounts(plan.dockerfile, graph).notes);
  return [...new Set(all.map(({ message, lines }) => place(plan, { reason: message, lines })))];
}

function place(plan: ImagePlan, { reason, lines }: Because): string {
  return lines === undefined ? reason : `${plan.dockerfile.path}, line ${lines.start}: ${reason}`;
}

/** A folder as it was named, where it lies in the workspace. */
function shown(folder: string, workspace: string): string {
  const path = relative(workspace, folder);
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path) ? folder : path || '.';
}

function describeStage(
  plan: ImagePlan,
  platform: PlatformPlan,
  stagePlan: StagePlan,
  story: Story,
): StageDescription {
  const { stage } = stagePlan;
  const identity = platform.identity.stages.find((one) => one.stage.index === stage.index);
  return {
    stage: stageName(stage).replaceAll('"', ''),
    line: stage.lines.start,
    ...methodOf(plan, platform, stagePlan, story),
    ...keyOf(plan, identity),
    result: resultOf(plan, platform, stagePlan, story),
    changes: story.changes?.stages.get(resultName(stage, platform.platform)) ?? null,
  };
}

function keyOf(
  plan: ImagePlan,
  identity: StageIdentity | undefined,
): Pick<StageDescription, 'key' | 'unkeyed' | 'aging'> {
  const { key, unkeyed, aging } = identity ?? {};
  return {
    key: key?.digest ?? null,
    unkeyed: unkeyed === undefined ? null : place(plan, unkeyed),
    aging: key === undefined || aging === undefined ? null : place(plan, aging),
  };
}

function methodOf(
  plan: ImagePlan,
  platform: PlatformPlan,
  { stage, method }: StagePlan,
  story: Story,
): Pick<StageDescription, 'how' | 'detail'> {
  if (plan.how === 'builder') return { how: 'builder', detail: 'with the whole image' };
  switch (method.kind) {
    case 'handed-in':
      return { how: 'handed in', detail: shown(method.directory, plan.request.workspace) };
    case 'assembled': {
      const { base } = stage;
      return { how: 'assembled', detail: `on ${base.kind === 'image' ? base.reference : base.kind}` };
    }
    case 'lifted':
      return method.proved || outcomeOf(platform, stage, story)?.how === 'lifted'
        ? { how: 'lifted', detail: method.lifted.what }
        : { how: 'builder', detail: runBy(platform, stage, 'RUN needs a container', method.lines) };
    case 'builder':
      return { how: 'builder', detail: runBy(platform, stage, method.reason, method.lines) };
  }
}

function runBy({ graph, stages }: PlatformPlan, stage: ResolvedStage, reason: string, lines: Lines): string {
  return builderStages(graph, stages).some((one) => one.stage === stage)
    ? `line ${lines.start}: ${reason}; only what later stages copy is taken`
    : 'as part of a later stage';
}

function outcomeOf({ platform }: PlatformPlan, { index }: ResolvedStage, { outcomes }: Story) {
  const on = formatPlatform(platform);
  return outcomes?.find((one) => one.stage === index && formatPlatform(one.platform) === on);
}

function resultOf(
  plan: ImagePlan,
  platform: PlatformPlan,
  { stage, method }: StagePlan,
  story: Story,
): StageResult | null {
  const { there, outcomes } = story;
  const only = (kind: StageResult['kind']): StageResult => ({ kind, where: null, size: null });
  const outcome = outcomeOf(platform, stage, story);
  if (outcome !== undefined)
    return { kind: outcome.how, where: outcome.where ?? null, size: outcome.size ?? null };
  if (there === 'image' || there === 'layers') return only('reused');
  if (outcomes === undefined) return null;
  if (plan.how === 'builder') return only('built');
  switch (method.kind) {
    case 'handed-in':
      return only('handed in');
    case 'assembled':
      return only('assembled');
    default:
      return null; // Nobody needed it, for what it was needed for was there.
  }
}
