import type { ResolvedStage } from '../dockerfile/index.ts';

/** How messages call a stage: `"build"`, or `2` for one without a name. */
export function stageName(stage: ResolvedStage): string {
  return stage.name === undefined ? String(stage.index) : `"${stage.name}"`;
}

/** How messages call an instruction: as it was written, without the mark that its entry in the history carries. */
export function instructionOf({ createdBy }: { readonly createdBy: string }): string {
  return createdBy.replace(/ # buildkit$/, '');
}
