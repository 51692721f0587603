import { buildx } from './buildx.ts';
import type { Contender } from './contender.ts';
import { dance } from './dance.ts';
import { floor } from './floor.ts';
import { ko } from './ko.ts';
import { slipwayBuildKit, slipwayHandedIn, slipwayLifted } from './slipway.ts';

export { BUILDER, type Contender, type Job } from './contender.ts';

/** All contenders, ours first; without ko where it was not built. */
export function contenders(koProgram: string | undefined): readonly Contender[] {
  return [
    slipwayLifted,
    slipwayHandedIn,
    slipwayBuildKit,
    buildx,
    dance,
    ...(koProgram === undefined ? [] : [ko(koProgram)]),
    floor,
  ];
}
