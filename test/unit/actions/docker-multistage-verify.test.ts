import { describe, expect, it } from 'vitest';
import { parseShare } from '../../../actions/docker-multistage/verify.ts';
import { Failure } from '../../../shared/host/index.ts';

describe('the input verify-reuse', () => {
  it.each([
    ['', 0],
    ['0%', 0],
    ['5%', 0.05],
    ['0.5 %', 0.005],
    ['100%', 1],
  ])('takes "%s"', (text, share) => expect(parseShare(text)).toBeCloseTo(share));

  it.each([
    ['5', 'such as 5%.'],
    ['0.05', 'such as 5%.'],
    ['120%', 'such as 100%.'],
    ['2,5%', 'such as 2.5%.'],
    ['often', 'such as 5%.'],
    ['-1%', 'such as 5%.'],
  ])('refuses "%s" with the nearest right answer', (text, answer) => {
    expect(() => parseShare(text)).toThrow(Failure);
    expect(() => parseShare(text)).toThrow(answer);
  });
});
