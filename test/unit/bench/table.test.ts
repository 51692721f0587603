import { expect, test } from 'vitest';
import { median, megabytes, seconds, table } from '../../bench/table.ts';

test('a table is Markdown whose columns stand in line', () => {
  expect(
    table(
      ['', 'ours s', 'ratio'],
      [
        ['cold', '12.5', '1.9 ×'],
        ['unchanged', '0.4', '10.1 ×'],
      ],
    ),
  ).toBe(
    [
      '|           | ours s |  ratio |',
      '| --------- | -----: | -----: |',
      '| cold      |   12.5 |  1.9 × |',
      '| unchanged |    0.4 | 10.1 × |',
    ].join('\n'),
  );
});

test.for([
  [[3], 3],
  [[9, 1, 2], 2],
  [[4, 1, 2, 100], 3],
] as const)('the median of %j is %d', ([values, expected]) => {
  expect(median(values)).toBe(expected);
});

test('figures have the digits that mean something', () => {
  expect([123, 4567, 12_345].map(seconds)).toEqual(['0.123', '4.57', '12.3']);
  expect([10_816_123, 1234].map(megabytes)).toEqual(['10.8', '0.001']);
});
