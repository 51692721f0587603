import { resultName } from '../builder/demand.ts';
import type { ImageIdentity } from '../identity/identity.ts';
import { stageName } from '../names.ts';
import type { ImagePlan } from '../plan.ts';
import { explainAround, explainStage, firstOf } from './explain.ts';
import type { EarlierKeys } from './key-memory.ts';

/** What differs from an earlier build, in words. */
export interface Changes {
  /** By name of stage and platform, what decides first in front; empty for a stage whose key is what it was. */
  readonly stages: ReadonlyMap<string, readonly string[]>;
  /** Of all that is written around the files: configuration, annotations, compression. */
  readonly around: readonly string[];
}

/** Compares the keys of a plan with those of an earlier build. A stage that the earlier build did not have is not told of. */
export function changesSince(plan: ImagePlan, { stages: before, image }: EarlierKeys): Changes {
  const stages = new Map<string, readonly string[]>();
  for (const { identity, graph, platform } of plan.platforms)
    for (const one of identity.stages) {
      const name = resultName(one.stage, platform);
      const then = before.get(name);
      if (then !== undefined && one.key !== undefined) stages.set(name, explainStage(one, then, graph));
    }
  const around = image === undefined || plan.key === undefined ? [] : explainAround(plan.key, image);
  return { stages, around };
}

/** All changes in a few sentences; a stage that differs because another one does is left to that one. */
export function inShort(changes: Changes, { platforms }: ImageIdentity): string[] {
  const several = platforms.some(({ stages }) => stages.length > 1);
  const told = platforms.flatMap(({ platform, stages }) =>
    stages.flatMap(({ stage }) => {
      const own = changes.stages.get(resultName(stage, platform)) ?? [];
      const causes = own.filter(
        (sentence) => !/^(stage \S+|the stage that it builds on) changed$/.test(sentence),
      );
      return causes.map((sentence) => (several ? `stage ${stageName(stage)}: ${sentence}` : sentence));
    }),
  );
  return firstOf([...told, ...changes.around]);
}
