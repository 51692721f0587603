import type { ResolvedStage } from '../../dockerfile/index.ts';
import type { StagePlan } from '../method.ts';
import { withoutPattern } from '../steps.ts';

/** What one stage takes from another. */
export type Taking =
  /** Files at these paths, absolute and clean, and whatever lies below them: they can be handed over alone. */
  | { readonly kind: 'paths'; readonly from: number; readonly paths: readonly string[] }
  /** More than its files at some paths: its root file system, its configuration, or a folder with the mode and owner that it has. */
  | { readonly kind: 'whole'; readonly from: number };

/** All that a stage takes from other stages when a builder runs it, in the order of its instructions. */
export function takings({ base, steps }: ResolvedStage): Taking[] {
  const own: Taking[] = base.kind === 'stage' ? [{ kind: 'whole', from: base.index }] : [];
  for (const step of steps) {
    if (step.kind === 'run')
      // A copy of a folder has not its mode and owner, which a mount of it shows.
      for (const { from } of step.mounts)
        if (from?.kind === 'stage') own.push({ kind: 'whole', from: from.index });
    if ((step.kind === 'copy' || step.kind === 'add') && step.from.kind === 'stage') {
      const from = step.from.index;
      const paths = step.sources.map(withoutPattern);
      // The folders above what --parents brings come along with modes and owners of their own.
      own.push(
        step.parents || paths.includes('/') ? { kind: 'whole', from } : { kind: 'paths', from, paths },
      );
    }
  }
  return own;
}

/** The paths of a stage that are handed over, to stages that are assembled here and to stages that a builder runs; in byte order. */
export function crossingPaths(stages: readonly StagePlan[], index: number): string[] {
  const all = stages.flatMap(({ stage, method }) => {
    if (method.kind === 'handed-in') return [];
    return method.kind === 'assembled' ? pathsOfAssembled(stage, index) : pathsOf(takings(stage), index);
  });
  return [...new Set(all)].sort();
}

function pathsOf(all: readonly Taking[], index: number): readonly string[] {
  return all.flatMap((taking) => (taking.kind === 'paths' && taking.from === index ? taking.paths : []));
}

/** What is assembled here gets a stage as files, of which it may take all. */
function pathsOfAssembled({ steps }: ResolvedStage, index: number): string[] {
  return steps.flatMap((step) =>
    (step.kind === 'copy' || step.kind === 'add') && step.from.kind === 'stage' && step.from.index === index
      ? step.sources.map(withoutPattern)
      : [],
  );
}
