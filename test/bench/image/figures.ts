import { median } from '../table.ts';
import type { Coordinates, Sample } from './results.ts';

/** A number of a sample: bytes or milliseconds. */
export type Figure = (sample: Sample) => number;

/** What samples of one measurement come to: the median of those that count, or why there is none. */
export type Outcome =
  | { readonly kind: 'measured'; readonly rounds: number; readonly value: number }
  | { readonly kind: 'wrong'; readonly why: string }
  | { readonly kind: 'not measured' };

/** A measurement with a wrong round does not count: a contender that makes another image now and then has not made it. */
export function outcome(samples: readonly Sample[], at: Coordinates, figure: Figure): Outcome {
  const own = samples.filter(
    (sample) =>
      sample.example === at.example &&
      sample.shape === at.shape &&
      sample.scenario === at.scenario &&
      sample.contender === at.contender,
  );
  const wrong = own.find((sample) => sample.wrong !== undefined);
  if (wrong !== undefined) return { kind: 'wrong', why: wrong.wrong! };
  if (own.length === 0) return { kind: 'not measured' };
  return { kind: 'measured', rounds: own.length, value: median(own.map(figure)) };
}

export const wall: Figure = ({ milliseconds }) => milliseconds;
export const up: Figure = ({ traffic }) => traffic.registry.up + traffic.cache.up + traffic.modules.up;
export const down: Figure = ({ traffic }) =>
  traffic.registry.down + traffic.cache.down + traffic.modules.down;
