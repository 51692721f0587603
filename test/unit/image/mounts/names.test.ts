import { describe, expect, it } from 'vitest';
import { seedNames } from '../../../../shared/image/mounts/names.ts';
import { needsTrimNote } from '../../../../shared/image/mounts/trim.ts';
import { mountIds } from '../../../../shared/image/mounts/warm.ts';

const run = {
  subject: ['org/app', 'Dockerfile', ''],
  branch: 'feature/x',
  baseBranch: 'main',
  defaultBranch: 'main',
};

describe('names of seeds', () => {
  it('are tags: of the own branch, its base, the default branch', () => {
    const names = seedNames(run, '/root/.cache/go-build', 'linux/amd64');
    expect(names).toHaveLength(2);
    expect(names[0]).toMatch(/^slipway-mount-[0-9a-f]{16}-feature_x-[0-9a-f]{8}$/);
    expect(names[1]).toMatch(/-main-[0-9a-f]{8}$/);
    for (const name of seedNames({ ...run, branch: `ü/${'x'.repeat(300)}` }, 'id', 'linux/arm64/v8'))
      expect(name).toMatch(/^[\w][\w.-]{0,127}$/);
  });

  it('tell mounts, platforms, Dockerfiles and branches apart', () => {
    const one = (more: object, id = 'a', platform = 'linux/amd64') =>
      seedNames({ ...run, ...more }, id, platform)[0];
    const all = [
      one({}),
      one({}, 'b'),
      one({}, 'a', 'linux/arm64'),
      one({ subject: ['x'] }),
      one({ branch: 'feature_x' }),
      one({ branch: undefined }),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('the mounts of a builder', () => {
  it('are read from its list, whatever their commands say', () => {
    const text = `ID: x
Description:  cached mount /x from exec /bin/sh -c ls | wc -l with id "//x"
Type: exec.cachemount

ID: y
Description:  cached mount /y from exec /bin/sh -c one
two with id "ns/named"
Type: exec.cachemount
ID: z
Description:  mount / from exec /bin/sh -c true
`;
    expect(mountIds(text)).toEqual(['/x', 'named']);
  });
});

describe('the note of the last trim', () => {
  it('is laid over seeds of some days', () => {
    expect(needsTrimNote(1_000_000, 1_000_000 + 2 * 86_400)).toBe(false);
    expect(needsTrimNote(1_000_000, 1_000_000 + 4 * 86_400)).toBe(true);
  });
});
