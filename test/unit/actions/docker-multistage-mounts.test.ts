import { describe, expect, it } from 'vitest';
import { readMounts } from '../../../actions/docker-multistage/mounts.ts';

const read = (limit: string) =>
  readMounts({ 'cache-mounts': true, 'cache-mount-limit': limit, 'go-cache': false, 'no-cache': true });

describe('the input cache-mount-limit', () => {
  it.each([
    ['2GB', 2e9],
    ['500MB', 5e8],
    ['500 mb', 5e8],
    ['1.5g', 1.5e9],
    ['1GiB', 2 ** 30],
    ['1000000', 1e6],
  ])('%s', (text, bytes) => {
    expect(read(text)).toEqual({ carried: true, limit: bytes, goCache: false, fresh: true });
  });

  it.each([
    ['2 gigs', 'Did you mean "2GB"?'],
    ['1,5GB', 'Did you mean "1.5GB"?'],
    ['0', 'cache-mounts: false'],
    ['', 'accepted is a size such as 500MB or 2GB.'],
    ['-1GB', 'accepted is a size'],
  ])('refuses %j', (text, hint) => {
    expect(() => read(text)).toThrow(hint);
  });
});
