import { describe, expect, it } from 'vitest';
import { excludedByName, isSourceFile, packageClause } from '../../../shared/go/source-files.ts';

const linux = { os: 'linux', arch: 'amd64' };

describe('files that a package is made of', () => {
  it.each(['a.go', 'a_linux.go', 'asm_amd64.s', 'h.h', 'lib.syso', 'x.S', 'y.swigcxx'])(
    '%s is one',
    (name) => {
      expect(isSourceFile(name)).toBe(true);
    },
  );
  it.each(['a_test.go', '_a.go', '.a.go', 'README.md', 'go.mod', 'a.gox', 'go', '.go', 'data.txt'])(
    '%s is none',
    (name) => {
      expect(isSourceFile(name)).toBe(false);
    },
  );

  it.each([
    ['a.go', false],
    ['a_linux.go', false],
    ['a_windows.go', true],
    ['a_amd64.go', false],
    ['a_arm64.s', true],
    ['a_linux_amd64.go', false],
    ['a_linux_arm64.go', true],
    ['a_windows_amd64.go', true],
    ['linux.go', false],
    ['windows.go', false],
    ['a_unix.go', false],
    ['a_foo.go', false],
    ['a_windows_foo.go', false],
    ['a.b_windows.go', false],
  ])('%s left out for linux/amd64: %j', (name, expected) => {
    expect(excludedByName(name, linux)).toBe(expected);
  });

  it('android takes what is for linux, and a tag may be called as a system is', () => {
    expect(excludedByName('a_linux.go', { os: 'android', arch: 'arm64' })).toBe(false);
    expect(excludedByName('a_windows.go', linux, ['windows'])).toBe(false);
  });

  it.each([
    ['package main', 'main'],
    ['// c\n\n/* package not */\npackage  main // x\nimport "x"', 'main'],
    ['//go:build ignore\n\npackage main', 'main'],
    ['\ufeffpackage lib\n', 'lib'],
    ['/* a\n*/ /* b */package größe', 'größe'],
    ['', undefined],
    ['import "x"\npackage main', undefined],
    ['// package main', undefined],
  ])('the clause of %j is %j', (source, name) => {
    expect(packageClause(source)?.name).toBe(name);
  });

  it('reads a long comment in one go', () => {
    const source = `${'// a line\n'.repeat(20_000)}/*${' *'.repeat(20_000)}*/\npackage main`;
    expect(packageClause(source)?.name).toBe('main');
    expect(packageClause(source.slice(0, -4))).toBeUndefined();
  });
});
