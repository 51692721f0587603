import { type Edit, edits } from './edits.ts';
import type { StageCase } from './stage-case.ts';

/** Cases that get every edit in the default run. */
const ALL_EDITS = 12;
/** Edits that each of the others gets. */
const SOME = 3;

/**
 * The edits that a case is put to. `SLIPWAY_FULL=1` takes all of them, `SLIPWAY_EDITS` those whose name holds a word; otherwise the
 * first cases get all, and the others a few in turn, so that each edit meets many cases.
 */
export function editsFor(one: StageCase, index: number): readonly Edit[] {
  const word = process.env.SLIPWAY_EDITS;
  if (word !== undefined) return edits.filter(({ name }) => name.includes(word));
  if (process.env.SLIPWAY_FULL === '1' || index < ALL_EDITS) return edits;
  const wanted = one.slow ? 2 : SOME;
  const turned = edits.map((_, at) => edits[(at * 4 + index * 7) % edits.length]!);
  return turned.slice(0, wanted);
}
