import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { isSuccess, lastLine, nothing, skippedLines, sum } from '../../runner/tally.ts';

const skip = (name: string, reason: string) => ({ tier: 'e2e', name, reason });

test('tallies add up', () => {
  const total = sum(
    { passed: 2, failed: 0, skipped: [skip('a', 'r')] },
    { passed: 3, failed: 1, skipped: [] },
  );
  expect(lastLine(total)).toBe('5 passed, 1 failed, 1 skipped');
});

test.for([
  [{ ...nothing, passed: 1 }, true],
  [{ ...nothing, passed: 1, failed: 1 }, false],
  [{ ...nothing, passed: 1, skipped: [skip('a', 'r')] }, true],
  [{ ...nothing, skipped: [skip('a', 'r')] }, false],
  [nothing, false],
] as const)('%j is a success: %s', ([tally, expected]) => {
  expect(isSuccess(tally)).toBe(expected);
});

test('skips stand under their reason', () => {
  const lines = skippedLines([skip('a', 'no root'), skip('b', 'no act'), skip('c', 'no root')]);
  expect(lines.map(stripVTControlCharacters)).toEqual([
    '○ no root',
    '    e2e: a',
    '    e2e: c',
    '○ no act',
    '    e2e: b',
  ]);
});
