import { describe, expect, it } from 'vitest';
import { type Clock, Link } from '../../bench/image/link.ts';

/** A clock that stands still until someone sleeps. */
function clock(): Clock & { time: number } {
  return {
    time: 0,
    now() {
      return this.time;
    },
    async sleep(milliseconds) {
      this.time += milliseconds;
    },
  };
}

describe('a link', () => {
  it('passes at its rate, however the bytes are cut', async () => {
    for (const part of [1_000, 65_536, 1_000_000]) {
      const own = clock();
      const link = new Link(100e6, own);
      for (let sent = 0; sent < 50e6; sent += part) await link.pass(part);
      // Half a second; the queue may be ahead by two milliseconds, the last part may go beyond.
      expect(own.time).toBeGreaterThan(497);
      expect(own.time).toBeLessThan(512);
    }
  });

  it('is shared: two who send together take as long as one who sends twice as much', async () => {
    let waiting = 0;
    const own: Clock = {
      now: () => 0,
      async sleep(milliseconds) {
        waiting = milliseconds;
      },
    };
    const link = new Link(1e6, own);
    await Promise.all([link.pass(500_000), link.pass(500_000)]);
    expect(waiting).toBe(1000);
  });

  it('does not save up what was not used', async () => {
    const own = clock();
    const link = new Link(1e6, own);
    own.time = 60_000;
    await link.pass(1e6);
    expect(own.time).toBe(61_000);
  });

  it('without a rate lets everything pass at once', async () => {
    const own = clock();
    await new Link(undefined, own).pass(1e12);
    expect(own.time).toBe(0);
  });
});
