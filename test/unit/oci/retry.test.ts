import { describe, expect, it } from 'vitest';
import { Failure } from '../../../shared/host/index.ts';
import { type Clock, DEFAULT_RETRIES, Passing, retryAfter, retrying } from '../../../shared/oci/retry.ts';

/** A clock that remembers how long it was asked to wait, with a chance of `chance`. */
function clock(chance = 1): Clock & { readonly waits: number[] } {
  const waits: number[] = [];
  return {
    waits,
    now: () => 0,
    random: () => chance,
    sleep: async (milliseconds) => void waits.push(milliseconds),
  };
}

const passing = (after?: number) => new Passing(new Failure('busy'), after);

describe('retrying', () => {
  it('ends with the first success', async () => {
    const time = clock();
    const result = await retrying(
      async (number) => {
        if (number < 2) throw passing();
        return number;
      },
      { clock: time },
    );
    expect(result).toBe(2);
    expect(time.waits).toEqual([250, 500]);
  });

  it('gives up after the attempts with what was wrong last', async () => {
    const time = clock();
    let count = 0;
    const work = retrying(
      async () => {
        count += 1;
        throw passing();
      },
      { clock: time },
    );
    await expect(work).rejects.toThrow(new Failure('busy'));
    expect(count).toBe(DEFAULT_RETRIES.attempts);
    expect(time.waits).toEqual([250, 500, 1000, 2000, 4000]);
  });

  it('leaves half of a wait to chance', async () => {
    const time = clock(0);
    await retrying(async (number) => (number === 0 ? Promise.reject(passing()) : 0), { clock: time });
    expect(time.waits).toEqual([125]);
  });

  it('waits as long as the server asks', async () => {
    const time = clock();
    await retrying(async (number) => (number === 0 ? Promise.reject(passing(7_000)) : 0), { clock: time });
    expect(time.waits).toEqual([7_000]);
  });

  it('does not wait for a server that asks too much', async () => {
    const time = clock();
    await expect(retrying(() => Promise.reject(passing(3_600_000)), { clock: time })).rejects.toThrow(
      Failure,
    );
    expect(time.waits).toEqual([]);
  });

  it('does not repeat what will not pass', async () => {
    let count = 0;
    const work = retrying(
      async () => {
        count += 1;
        throw new Failure('denied');
      },
      { clock: clock() },
    );
    await expect(work).rejects.toThrow('denied');
    expect(count).toBe(1);
  });
});

describe('retryAfter', () => {
  it.each([
    ['5', 5_000],
    [' 0 ', 0],
    ['Tue, 24 Nov 2026 11:00:10 GMT', 10_000],
    ['Tue, 24 Nov 2026 10:00:00 GMT', 0],
    ['soon', undefined],
    [undefined, undefined],
  ])('%j', (header, expected) => {
    expect(retryAfter(header, Date.parse('2026-11-24T11:00:00Z'))).toBe(expected);
  });
});
