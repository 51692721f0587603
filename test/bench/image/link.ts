import { setTimeout as sleep } from 'node:timers/promises';

/** What a network is like. */
export interface Shape {
  /** Bytes a second, in each direction, for all connections together. */
  readonly bytesPerSecond: number;
  /** Milliseconds that an answer takes at least, and the opening of a connection too. */
  readonly roundTrip: number;
}

export type ShapeName = 'loopback' | 'shaped';

/** `loopback` adds nothing. `shaped` is a hosted runner's way to a registry of the same region. */
export const shapes: Readonly<Record<ShapeName, Shape | undefined>> = {
  loopback: undefined,
  shaped: { bytesPerSecond: 100e6, roundTrip: 5 },
};

/** Time as a link sees it: tests bring their own. */
export interface Clock {
  /** Milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<unknown>;
}

const machineClock: Clock = { now: () => performance.now(), sleep: (milliseconds) => sleep(milliseconds) };

/** Bytes that may pass ahead of the rate, as a network card's queue lets them: a timer cannot wait for less than this. */
const QUEUE_MILLISECONDS = 2;

/**
 * One direction of a network: what passes waits for its turn behind all that came before it, whoever sent it. Nothing is lost and
 * nothing overtakes, so the rate is exact over any time longer than the queue.
 */
export class Link {
  rate: number | undefined;
  readonly #clock: Clock;
  #free = 0;

  constructor(bytesPerSecond: number | undefined, clock: Clock = machineClock) {
    this.rate = bytesPerSecond;
    this.#clock = clock;
  }

  /** Resolves when that many bytes have passed. */
  async pass(bytes: number): Promise<void> {
    if (this.rate === undefined) return;
    const now = this.#clock.now();
    this.#free = Math.max(now, this.#free) + (bytes / this.rate) * 1000;
    const ahead = this.#free - now;
    if (ahead > QUEUE_MILLISECONDS) await this.#clock.sleep(ahead);
  }
}
