import { describe, expect, it } from 'vitest';
import { aims } from '../../bench/image/aims.ts';
import { scenarios } from '../../bench/image/examples.ts';
import { outcome, wall } from '../../bench/image/figures.ts';
import { memoryBelow } from '../../bench/image/memory.ts';
import type { Traffic } from '../../bench/image/proxy.ts';
import { merge, type Sample } from '../../bench/image/results.ts';
import { report } from '../../bench/image/tables.ts';

const traffic = (up: number, down: number): Traffic => ({ up, down, requests: 3, connections: 1, kinds: {} });

function sample(contender: string, milliseconds: number, more: Partial<Sample> = {}): Sample {
  return {
    ...{ example: 'beacon', shape: 'loopback', scenario: 'leaf file', contender, round: 0, milliseconds },
    ...{ boot: 0, steps: {}, memory: 100e6, load: 0, at: '2026-01-01T00:00:00Z', on: 'a machine' },
    traffic: { registry: traffic(1e6, 2e6), cache: traffic(0, 0), modules: traffic(0, 0) },
    ...more,
  };
}

const leaf = { example: 'beacon', shape: 'loopback', scenario: 'leaf file', contender: 'slipway' } as const;

describe('an outcome', () => {
  it('is the median over the rounds of one measurement alone', () => {
    const others = [sample('buildx', 1), sample('slipway', 1, { scenario: 'cold' })];
    const rounds = [3000, 1000, 2000].map((time, round) => sample('slipway', time, { round }));
    expect(outcome([...others, ...rounds], leaf, wall)).toEqual({ kind: 'measured', rounds: 3, value: 2000 });
  });

  it('is wrong where one round is wrong, however fast it was', () => {
    const rounds = [sample('slipway', 10), sample('slipway', 1, { round: 1, wrong: 'another image' })];
    expect(outcome(rounds, leaf, wall)).toEqual({ kind: 'wrong', why: 'another image' });
  });

  it('says when there is none', () => {
    expect(outcome([], leaf, wall)).toEqual({ kind: 'not measured' });
  });
});

describe('the aims', () => {
  const row = (samples: readonly Sample[], aim: string) =>
    aims(samples)
      .split('\n')
      .find((line) => line.includes(aim) && line.includes('lifted'))
      ?.split('|')
      .map((cell) => cell.trim())
      .slice(3, -1);

  it('compare with the share of the other that is asked for', () => {
    const samples = [sample('slipway', 8000), sample('buildx', 140_000)];
    expect(row(samples, '1/14')).toEqual(['at most 1/14 of (a)', '10.0', '8.00', 'yes']);
    expect(row([sample('slipway', 11_000), samples[1]!], '1/14')?.at(-1)).toBe('no');
  });

  it('are neither met nor missed without the other', () => {
    expect(row([sample('slipway', 8000)], '1/14')).toEqual([
      'at most 1/14 of (a)',
      'not measured',
      '8.00',
      '',
    ]);
  });

  it('are not met by a wrong image', () => {
    const samples = [sample('slipway', 1, { wrong: 'another image' }), sample('buildx', 140_000)];
    expect(row(samples, '1/14')?.slice(2)).toEqual(['failed', 'no']);
  });

  it('leave the start of the builder out where it is up', () => {
    const unchanged = { scenario: 'unchanged' } as const;
    const samples = [sample('slipway', 400, unchanged), sample('buildx', 1300, { ...unchanged, boot: 1000 })];
    expect(row(samples, 'builder that is up')).toEqual([
      'not slower than (a) on a builder that is up',
      '0.300',
      '0.400',
      'no',
    ]);
  });

  it('count the bytes of both directions and all servers', () => {
    const few = {
      registry: traffic(4_000, 5_000),
      cache: traffic(500, 0),
      modules: traffic(0, 0),
    };
    const samples = [sample('slipway', 200, { scenario: 'unchanged', traffic: few })];
    expect(row(samples, '20 KB')).toEqual(['at most 20 KB', '20.0 KB', '9.5 KB', 'yes']);
  });
});

describe('the report', () => {
  it('has a column for each contender that was measured and a row for each scenario, in their order', () => {
    const text = report([
      sample('buildx', 130_000, { scenario: 'cold' }),
      sample('slipway', 6000),
      sample('buildx', 120_000),
    ]);
    const lines = text.split('\n').map((line) => line.replaceAll(' ', ''));
    expect(lines).toContain('||lifted|(a)buildx|');
    expect(lines).toContain('|cold||130.0|');
    expect(lines).toContain('|leaffile|6.00|120.0|');
    expect(text).toContain('a machine. Load average before the runs: 0.0 to 0.0.');
    expect(scenarios.indexOf('cold')).toBeLessThan(scenarios.indexOf('leaf file'));
  });
});

it('replaces all rounds of what was measured again, and keeps the rest', () => {
  const before = [
    sample('slipway', 1),
    sample('slipway', 2, { round: 1 }),
    sample('ko', 3),
    sample('slipway', 4, { shape: 'shaped' }),
  ];
  expect(merge(before, [sample('slipway', 9)]).map(wall)).toEqual([3, 4, 9]);
});

it('sums the memory of descendants, but not of the root and not below what is excluded', () => {
  const tree = [
    { pid: 10, parent: 1, resident: 1000 },
    { pid: 11, parent: 10, resident: 100 },
    { pid: 12, parent: 11, resident: 10 },
    { pid: 13, parent: 10, resident: 5 },
    { pid: 14, parent: 13, resident: 3 },
    { pid: 20, parent: 1, resident: 7000 },
  ];
  expect(memoryBelow(tree, 10, new Set([13]))).toBe(110);
});
