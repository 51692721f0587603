import { describe, expect, it } from 'vitest';
import { buildArguments, type GoFlags, loadingArguments, settleFlags } from '../../../shared/go/flags.ts';

const settle = (flags: Partial<GoFlags>) => settleFlags(flags, () => ({ version: '1.0' }));

describe('flags of go build', () => {
  it('have the defaults of a release', () => {
    expect(buildArguments(settle({}))).toEqual(['-trimpath=true', '-buildvcs=false', '-ldflags=-s -w']);
    expect(settle({}).cgo).toBe(false);
  });

  it('say all that was asked for', () => {
    const flags = settle({
      ldflags: '',
      stamp: ['main.v={{version}}', 'main.n=a b'],
      tags: ['b', 'a', 'a'],
      trimpath: false,
      buildvcs: 'auto',
      gcflags: 'all=-N -l',
      asmflags: '-S',
      mod: 'vendor',
      race: true,
      cover: true,
      coverPackages: ['./...'],
      pgo: 'prof.pgo',
      buildmode: 'pie',
      extra: ['-msan', '-overlay=o.json'],
    });
    expect(buildArguments(flags)).toEqual([
      '-tags=a,b',
      '-mod=vendor',
      '-race',
      '-buildmode=pie',
      '-msan',
      '-overlay=o.json',
      '-trimpath=false',
      '-buildvcs=auto',
      "-ldflags=-X main.v=1.0 -X 'main.n=a b'",
      '-gcflags=all=-N -l',
      '-asmflags=-S',
      '-cover',
      '-coverpkg=./...',
      '-pgo=prof.pgo',
    ]);
    expect(loadingArguments(flags)).toEqual(buildArguments(flags).slice(0, 6));
    expect(flags.cgo).toBe(true);
  });

  it('ask for facts only where a template does', () => {
    const never = () => {
      throw new Error('asked');
    };
    expect(() => settleFlags({ ldflags: '-s', stamp: ['main.v=1'] }, never)).not.toThrow();
    expect(() => settleFlags({ ldflags: '-X main.v={{version}}' }, never)).toThrow('asked');
  });

  it.each<[string, Partial<GoFlags>, string]>([
    ['race without cgo', { race: true, cgo: 'off' }, 'The race detector needs cgo: set "cgo" to auto or on'],
    [
      'an unknown mode',
      { buildmode: 'pei' },
      'Build mode "pei" is none of exe, pie, default. Did you mean "pie"?',
    ],
    [
      'packages to cover without cover',
      { coverPackages: ['./...'] },
      '"cover-packages" names packages to measure, but "cover" is false.',
    ],
    [
      'a flag that is an input',
      { extra: ['-ldflags=-s'] },
      'Flag -ldflags has its own input: use "ldflags".',
    ],
    ['the output', { extra: ['-o=x'] }, 'Flag -o has its own input: use "output".'],
    ['a flag of ours', { extra: ['-json'] }, 'Flag -json belongs to go-build itself and cannot be given.'],
    ['a word that is no flag', { extra: ['msan'] }, 'Flag "msan" is not written as -name or -name=value'],
    [
      'a tag with a comma',
      { tags: ['a b'] },
      'Build tag "a b" is not a word of letters, digits, dots and underscores.',
    ],
  ])('refuse %s', (_, flags, message) => {
    expect(() => settle(flags)).toThrow(message);
  });
});
