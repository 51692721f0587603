import { expect, it } from 'vitest';
import { formatQuantity, parseQuantity, sameQuantity } from '../../../shared/kubernetes/index.ts';

it.each([
  ['100m', 100_000_000n],
  [0.1, 100_000_000n],
  ['1', 1_000_000_000n],
  ['1Ki', 1_024_000_000_000n],
  ['1.5Gi', 1_610_612_736_000_000_000n],
  ['1e3', 1_000_000_000_000n],
  ['1E', 10n ** 27n],
  ['+2k', 2_000_000_000_000n],
  ['.5', 500_000_000n],
  ['1n', 1n],
  ['0.1n', 1n],
  ['', undefined],
  ['1 Gi', undefined],
  ['ten', undefined],
  [null, undefined],
])('quantity %s', (given, expected) => expect(parseQuantity(given)).toBe(expected));

it('writes quantities as people do', () => {
  expect(formatQuantity(parseQuantity('0.25')!, 'cpu')).toBe('250m');
  expect(formatQuantity(parseQuantity('2000m')!, 'cpu')).toBe('2');
  expect(formatQuantity(parseQuantity('65536Ki')!, 'requests.memory')).toBe('64Mi');
  expect(formatQuantity(parseQuantity('1000')!, 'memory')).toBe('1000');
  expect(formatQuantity(parseQuantity('3')!, 'pods')).toBe('3');
});

it.each([
  ['1000m', 1, true],
  ['1', '1.0', true],
  ['0.5', '500m', true],
  ['1Gi', '1024Mi', true],
  ['1G', '1Gi', false],
  ['1e3', '1k', true],
  ['100m', '100M', false],
  ['-1', '1', false],
  ['1.5Gi', '1536Mi', true],
  ['x', 'x ', false],
  ['', '', false],
])('%s and %s mean the same: %s', (one, other, same) => expect(sameQuantity(one, other)).toBe(same));
