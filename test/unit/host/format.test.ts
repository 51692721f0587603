import { describe, expect, it } from 'vitest';
import { formatBytes, formatDuration } from '../../../shared/host/index.ts';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [14_234_567, '14.2 MB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [999_999_999, '1.0 GB'],
    [2.5e15, '2.5 PB'],
    [4e18, '4000.0 PB'],
    [-1536, '-1.5 kB'],
  ])('%d is %s', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('formatDuration', () => {
  it.each([
    [0, '0 ms'],
    [-3, '0 ms'],
    [12.4, '12 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [2_449, '2.4 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 0 s'],
    [185_000, '3 min 5 s'],
    [3_599_400, '59 min 59 s'],
    [3_599_600, '1 h 0 min'],
    [4_320_000, '1 h 12 min'],
  ])('%d ms is %s', (milliseconds, text) => expect(formatDuration(milliseconds)).toBe(text));
});
