import { expect, it } from 'vitest';
import { formatSelector } from '../../../shared/kubernetes/index.ts';

it('writes selectors as the API reads them', () => {
  expect(
    formatSelector({
      matchLabels: { app: 'web' },
      matchExpressions: [
        { key: 'tier', operator: 'In', values: ['a', 'b'] },
        { key: 'old', operator: 'DoesNotExist' },
        { key: 'zone', operator: 'NotIn', values: ['z'] },
        { key: 'team', operator: 'Exists' },
      ],
    }),
  ).toBe('app=web,tier in (a,b),!old,zone notin (z),team');
  expect(formatSelector(undefined)).toBe('');
});
