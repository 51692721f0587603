import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { inParallel } from '../../../../shared/rollout/apply/in-parallel.ts';

const items = Array.from({ length: 40 }, (_, index) => index);

it('gives results in order, with a bounded number under way', async () => {
  let now = 0;
  let most = 0;
  const results = await inParallel(items, async (item) => {
    most = Math.max(most, ++now);
    await wait(item % 3);
    now--;
    return item * 2;
  });
  expect(results).toEqual(items.map((item) => item * 2));
  expect(most).toBe(16);
});

it('throws when what was under way has ended, and begins nothing more', async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const working = inParallel(items, async (item) => {
    begun.push(item);
    await wait(item === 3 ? 0 : 10);
    if (item === 3) throw new Error('cancelled');
    ended.push(item);
  });
  await expect(working).rejects.toThrow('cancelled');
  expect(begun).toHaveLength(16);
  expect(ended).toHaveLength(15);
});
