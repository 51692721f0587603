import { describe, expect, it } from 'vitest';
import { didYouMean, nearest } from '../../../shared/host/index.ts';

describe('nearest', () => {
  it.each([
    ['linxu/amd64', 'linux/amd64'],
    ['LINUX/ARM64', 'linux/arm64'],
    ['windows/amd', 'windows/amd64'],
    ['x', undefined],
    ['freebsd/mips64', undefined],
    ['', undefined],
  ])('of %j is %j', (given, found) =>
    expect(nearest(given, ['linux/amd64', 'linux/arm64', 'windows/amd64'])).toBe(found),
  );

  it('prefers the closest, not the first', () =>
    expect(nearest('tag', ['target', 'tags', 'tar'])).toBe('tags'));

  it('becomes half a sentence, or nothing', () => {
    expect(didYouMean('pln', ['plan'])).toBe(' Did you mean "plan"?');
    expect(didYouMean('pln', ['verbose'])).toBe('');
  });
});
