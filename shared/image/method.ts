import type { Lines, ResolvedStage, StageGraph } from '../dockerfile/index.ts';
import type { LiftedStage } from './request.ts';

/** How the files of a stage come to be. */
export type StageMethod =
  | { readonly kind: 'handed-in'; readonly directory: string }
  | { readonly kind: 'assembled' }
  /** Its commands are run on this machine if the proof holds that this gives the same; else a builder runs it. */
  | {
      readonly kind: 'lifted';
      readonly lifted: LiftedStage;
      readonly proved: boolean;
      /** Of the first RUN. */
      readonly lines: Lines;
    }
  | { readonly kind: 'builder'; readonly reason: string; readonly lines: Lines };

/** A stage with the way in which it is made. */
export interface StagePlan {
  readonly stage: ResolvedStage;
  readonly method: StageMethod;
}

/** Why a stage cannot be assembled although it has no RUN, or not be lifted, found out while trying. */
export type Refusals = ReadonlyMap<number, { readonly reason: string; readonly lines: Lines }>;

/** Stages that can be lifted, by name or number. */
type Lifted = Readonly<Record<string, LiftedStage>>;

/**
 * Decides for each stage that the target needs: files that are at hand are taken, a stage without RUN on a base without RUN is
 * assembled in this process, one that only compiles Go is lifted out of its container, everything else is BuildKit's.
 */
export function decideMethods(graph: StageGraph, refusals: Refusals, lifted: Lifted = {}): StagePlan[] {
  const decided = new Map<number, StageMethod>();
  for (const stage of graph.stages) decided.set(stage.index, decide(stage, graph, decided, refusals, lifted));
  return graph.stages.map((stage) => ({ stage, method: decided.get(stage.index)! }));
}

function decide(
  stage: ResolvedStage,
  graph: StageGraph,
  decided: ReadonlyMap<number, StageMethod>,
  refusals: Refusals,
  liftable: Lifted,
): StageMethod {
  const { base } = stage;
  if (base.kind === 'directory' && stage.steps.length === 0)
    return { kind: 'handed-in', directory: base.path };
  const builder = (reason: string, lines: Lines): StageMethod => ({ kind: 'builder', reason, lines });
  const refusal = refusals.get(stage.index);
  if (refusal !== undefined) return builder(refusal.reason, refusal.lines);
  if (stage.platform.os !== 'linux')
    return builder(`images for ${stage.platform.os} are not assembled`, stage.lines);
  const run = stage.steps.find((step) => step.kind === 'run');
  const lifted = liftable[stage.name ?? ''] ?? liftable[stage.index];
  if (run !== undefined && lifted !== undefined && stage.index !== graph.target)
    return { kind: 'lifted', lifted, proved: false, lines: run.lines };
  if (run !== undefined) return builder('RUN needs a container', run.lines);
  if (base.kind === 'directory') return builder('it starts from a folder', stage.lines);
  if (base.kind === 'stage' && decided.get(base.index)?.kind !== 'assembled')
    return builder(`it starts from stage ${base.index}, which is not assembled here`, stage.lines);
  return { kind: 'assembled' };
}

/** Whether the final stage waits for a builder, as a whole or for files that it copies. */
export function needsBuilder(graph: StageGraph, stages: readonly StagePlan[]): boolean {
  return builderStages(graph, stages).length > 0;
}

/** The stages whose commands have to be run, by a builder or lifted: those reached from the target without passing through another. */
export function builderStages(graph: StageGraph, stages: readonly StagePlan[]): StagePlan[] {
  const seen = new Set<number>();
  const found: StagePlan[] = [];
  const visit = (index: number): void => {
    if (seen.has(index)) return;
    seen.add(index);
    const plan = stages.find(({ stage }) => stage.index === index)!;
    if (plan.method.kind === 'builder' || plan.method.kind === 'lifted') found.push(plan);
    if (plan.method.kind === 'assembled') plan.stage.needs.forEach(visit);
  };
  visit(graph.target);
  return found;
}
