import { describe, expect, it } from 'vitest';
import { Key } from '../../../shared/content/index.ts';

const parts = {
  base: 'sha256:aa',
  files: { 'a.go': '1', 'b.go': '2' },
  args: ['x', 'y'],
  platform: 'linux/amd64',
  none: null,
};

describe('Key', () => {
  it('is the same whatever the order in which parts are named', () => {
    const { platform, ...rest } = parts;
    expect(Key.of({ platform, ...rest, files: { 'b.go': '2', 'a.go': '1' } }).digest).toBe(
      Key.of(parts).digest,
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ['a value', { platform: 'linux/arm64' }],
    ['the order of a list', { args: ['y', 'x'] }],
    ['where one text ends and the next begins', { args: ['xy', ''] }],
    ['a name', { files: { 'a.go': '1', 'c.go': '2' } }],
    ['a missing part', { files: { 'a.go': '1' } }],
    ['the type of a value', { none: 'null' }],
    ['an empty list in place of an empty mapping', { none: [] }],
  ])('differs by %s', (_, change) => {
    expect(Key.of({ ...parts, ...(change as object) }).digest).not.toBe(Key.of(parts).digest);
  });

  it('tells numbers from their text', () => {
    expect(Key.of({ n: 1 }).digest).not.toBe(Key.of({ n: '1' }).digest);
  });

  it('names what differs, by path, with both values', () => {
    const after = Key.of({ ...parts, files: { 'a.go': '1', 'b.go': '3', 'c.go': '4' }, args: ['x'] });
    expect(after.differences(Key.of(parts))).toEqual([
      { path: ['files', 'b.go'], before: '2', after: '3' },
      { path: ['files', 'c.go'], before: undefined, after: '4' },
      { path: ['args'], before: ['x', 'y'], after: ['x'] },
    ]);
  });

  it('names what is gone', () => {
    expect(Key.of({ a: 1 }).differences(Key.of({ a: 1, b: { c: 2 } }))).toEqual([
      { path: ['b'], before: { c: 2 }, after: undefined },
    ]);
  });

  it('has no differences with an equal key', () => {
    expect(Key.of(parts).differences(Key.of({ ...parts }))).toEqual([]);
  });

  it('takes names and texts in turn for many of them, and tells what differs by name', () => {
    const before = Key.of({ files: { listing: ['a.go', '1', 'b.go', '2'] } });
    const after = Key.of({ files: { listing: ['b.go', '3', 'c.go', '4'] } });
    expect(after.differences(before)).toEqual([
      { path: ['files', 'b.go'], before: '2', after: '3' },
      { path: ['files', 'c.go'], before: undefined, after: '4' },
      { path: ['files', 'a.go'], before: '1', after: undefined },
    ]);
    expect(before.digest).not.toBe(Key.of({ files: { listing: ['a.go', '1', 'b.go2', ''] } }).digest);
    expect(Key.of(JSON.parse(JSON.stringify(after.parts))).digest).toBe(after.digest);
  });
});
