import type { ResolvedStage, StageGraph, Step } from '../dockerfile/index.ts';

/** The target and the stages that it builds on, the lowest first. */
export function chainOf({ stages, target }: StageGraph): ResolvedStage[] {
  const chain: ResolvedStage[] = [];
  let index: number | undefined = target;
  while (index !== undefined) {
    const stage: ResolvedStage = stages.find((one) => one.index === index)!;
    chain.unshift(stage);
    index = stage.base.kind === 'stage' ? stage.base.index : undefined;
  }
  return chain;
}

/** The steps that make the layers which an image has above its base, one each. */
export function layerSteps(graph: StageGraph): Step[] {
  return chainOf(graph).flatMap(({ steps }) => steps.filter(({ kind }) => kind !== 'config'));
}
