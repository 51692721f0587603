import { isAbsolute, relative, sep } from 'node:path';
import { formatPlatform } from '../oci/index.ts';
import { builderStages, type StagePlan } from './method.ts';
import { instructionOf, stageName } from './names.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';

/** A plan as people and programs read it. */
export interface PlanDescription {
  readonly dockerfile: string;
  readonly how: 'assembled' | 'builder';
  /** Why a builder makes the whole image: `Dockerfile, line 5: RUN needs a container`. */
  readonly because: string | null;
  /** Digest that names the image by all that it is made of; null when a builder has a part in it. */
  readonly key: string | null;
  /** What differs from the last image of this Dockerfile; empty when nothing does, null when none is known. */
  readonly changes: readonly string[] | null;
  readonly platforms: readonly {
    readonly platform: string;
    readonly base: string | null;
    readonly stages: readonly StageDescription[];
    /** The instructions whose files make layers of their own, with the number of members. */
    readonly layers: readonly { readonly instruction: string; readonly members: number }[] | null;
  }[];
  readonly warnings: readonly string[];
}

/** How one stage is made. */
export interface StageDescription {
  readonly stage: string;
  readonly line: number;
  readonly how: 'assembled' | 'handed in' | 'lifted' | 'builder';
  readonly detail: string;
}

/** Says how each stage is made and why, what layers come of it, and what the user should know. */
export function describePlan(plan: ImagePlan): PlanDescription {
  return {
    dockerfile: plan.dockerfile.path,
    how: plan.how,
    because: plan.because === undefined ? null : place(plan, plan.because.lines?.start, plan.because.reason),
    key: plan.key?.digest ?? null,
    changes: plan.changes ?? null,
    platforms: plan.platforms.map((platform) => ({
      platform: formatPlatform(platform.platform),
      base: platform.base?.descriptor.digest ?? null,
      stages: platform.stages.map((stage) => describeStage(plan, platform, stage)),
      layers:
        platform.final?.layers.map(({ step, members }) => ({
          instruction: instructionOf(step),
          members: members.length,
        })) ?? null,
    })),
    warnings: plan.warnings.map(({ message, lines }) => place(plan, lines?.start, message)),
  };
}

function place(plan: ImagePlan, line: number | undefined, text: string): string {
  return line === undefined ? text : `${plan.dockerfile.path}, line ${line}: ${text}`;
}

/** A folder as it was named, where it lies in the workspace. */
function shown(folder: string, workspace: string): string {
  const path = relative(workspace, folder);
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path) ? folder : path || '.';
}

function describeStage(
  plan: ImagePlan,
  platform: PlatformPlan,
  { stage, method }: StagePlan,
): StageDescription {
  const own = { stage: stageName(stage).replaceAll('"', ''), line: stage.lines.start };
  if (plan.how === 'builder') return { ...own, how: 'builder', detail: 'with the whole image' };
  switch (method.kind) {
    case 'handed-in':
      return { ...own, how: 'handed in', detail: shown(method.directory, plan.request.workspace) };
    case 'assembled':
      return {
        ...own,
        how: 'assembled',
        detail: stage.base.kind === 'image' ? `on ${stage.base.reference}` : `on ${stage.base.kind}`,
      };
    case 'lifted':
      return { ...own, how: 'lifted', detail: method.lifted.what };
    case 'builder':
      return builderStages(platform.graph, platform.stages).some((one) => one.stage === stage)
        ? {
            ...own,
            how: 'builder',
            detail: `line ${method.lines.start}: ${method.reason}; only what later stages copy is taken`,
          }
        : { ...own, how: 'builder', detail: 'as part of a later stage' };
  }
}
