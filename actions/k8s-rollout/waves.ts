import { Failure } from '../../shared/host/index.ts';

/**
 * Divides clusters into waves. Each size is a number of clusters or a percentage of all of them, rounded up; the last one is
 * repeated until every cluster has its wave. Sizes that are not needed any more are left out.
 */
export function wavesOf<T>(all: readonly T[], sizes: readonly string[]): readonly (readonly T[])[] {
  const counts = sizes.map((size) => countOf(size, all.length));
  const waves: (readonly T[])[] = [];
  for (let start = 0; start < all.length; ) {
    const count = counts[Math.min(waves.length, counts.length - 1)] ?? all.length;
    waves.push(all.slice(start, start + count));
    start += count;
  }
  return waves;
}

function countOf(size: string, all: number): number {
  const match = /^(\d+(?:\.\d+)?)\s*(%?)$/.exec(size);
  const value = Number(match?.[1]);
  const fits = match !== null && value > 0 && (match[2] === '%' ? value <= 100 : Number.isInteger(value));
  if (!fits)
    throw new Failure(
      `Input "waves" has "${size}"; accepted are numbers of clusters, such as 1, and percentages of all of them, such as 25%.`,
    );
  return match[2] === '%' ? Math.ceil((all * value) / 100) : value;
}

/** What became of one cluster: `held` when an earlier wave failed and nothing was asked of it. */
export type WaveResult<T, R> =
  | { readonly kind: 'done'; readonly target: T; readonly wave: number; readonly value: R }
  | { readonly kind: 'broken'; readonly target: T; readonly wave: number; readonly error: unknown }
  | { readonly kind: 'held'; readonly target: T; readonly wave: number };

/**
 * Does `work` for the targets of a wave side by side, and for the next wave once all of them passed. A target whose work throws
 * does not stop its neighbours, because half a rollout has to come to its end; it stops the waves after it.
 */
export async function runWaves<T, R>(
  waves: readonly (readonly T[])[],
  work: (target: T, wave: number) => Promise<R>,
  passed: (value: R) => boolean,
): Promise<readonly WaveResult<T, R>[]> {
  const results: WaveResult<T, R>[] = [];
  let stopped = false;
  for (const [index, targets] of waves.entries()) {
    const wave = index + 1;
    const one = async (target: T): Promise<WaveResult<T, R>> => {
      if (stopped) return { kind: 'held', target, wave };
      try {
        return { kind: 'done', target, wave, value: await work(target, wave) };
      } catch (error) {
        return { kind: 'broken', target, wave, error };
      }
    };
    const own = await Promise.all(targets.map(one));
    results.push(...own);
    stopped ||= !own.every((result) => result.kind === 'done' && passed(result.value));
  }
  return results;
}
