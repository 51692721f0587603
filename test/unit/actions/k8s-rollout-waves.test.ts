import { describe, expect, it } from 'vitest';
import { runWaves, wavesOf } from '../../../actions/k8s-rollout/waves.ts';
import { Failure } from '../../../shared/host/index.ts';

const clusters = (count: number) => Array.from({ length: count }, (_, index) => `c${index + 1}`);

describe('waves', () => {
  it.each([
    [1, ['1', '25%', '100%'], [1]],
    [2, ['1', '25%', '100%'], [1, 1]],
    [5, ['1', '25%', '100%'], [1, 2, 2]],
    [40, ['1', '25%', '100%'], [1, 10, 29]],
    [9, ['25%'], [3, 3, 3]],
    [7, ['1', '2'], [1, 2, 2, 2]],
    [4, [], [4]],
    [3, ['33.4%'], [2, 1]],
    [0, ['1'], []],
  ])('of %i clusters by %j have %j', (count, sizes, lengths) => {
    const waves = wavesOf(clusters(count), sizes);
    expect(waves.map((wave) => wave.length)).toEqual(lengths);
    expect(waves.flat()).toEqual(clusters(count));
  });

  it.each(['0', '0%', '101%', '-1', '1.5', 'all', '%', ''])('are refused as "%s" in one sentence', (size) => {
    expect(() => wavesOf(['a'], [size])).toThrow(Failure);
    expect(() => wavesOf(['a'], [size])).toThrow(`Input "waves" has "${size}"; accepted are`);
  });
});

describe('running waves', () => {
  it('goes side by side inside a wave, and from one to the next in order', async () => {
    const log: string[] = [];
    let inside = 0;
    let most = 0;
    const results = await runWaves(
      [['a'], ['b', 'c']],
      async (target, wave) => {
        most = Math.max(most, ++inside);
        log.push(`${wave} ${target}`);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
        return true;
      },
      Boolean,
    );
    expect(log).toEqual(['1 a', '2 b', '2 c']);
    expect(most).toBe(2);
    expect(results.map(({ kind }) => kind)).toEqual(['done', 'done', 'done']);
  });

  it.each([
    ['does not pass', async () => false],
    ['breaks', async () => Promise.reject(new Error('gone'))],
  ])('holds the rest when one %s, after its neighbours came to their end', async (_, broken) => {
    const asked: string[] = [];
    const results = await runWaves(
      [['a'], ['b', 'c'], ['d', 'e']],
      async (target) => {
        asked.push(target);
        return target === 'b' ? await broken() : true;
      },
      Boolean,
    );
    expect(asked).toEqual(['a', 'b', 'c']);
    expect(results.slice(2)).toEqual([
      { kind: 'done', target: 'c', wave: 2, value: true },
      { kind: 'held', target: 'd', wave: 3 },
      { kind: 'held', target: 'e', wave: 3 },
    ]);
  });
});
