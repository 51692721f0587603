import { describe, expect, it } from 'vitest';
import { Key } from '../../../shared/content/index.ts';
import { explain } from '../../../shared/image/reuse/explain.ts';

const base = 'file 644 0:0 sha256:aa';
const parts = (files: Record<string, string>, more: object = {}) => ({
  platforms: {
    'linux/amd64': {
      base: `sha256:${'1'.repeat(64)}`,
      layers: { '1 COPY . /': files },
      configuration: { config: { User: '1' } },
      ...more,
    },
  },
  compression: 'gzip',
});
const told = (before: ReturnType<typeof parts>, after: ReturnType<typeof parts>) =>
  explain(Key.of(after).differences(Key.of(before)));

describe('why an image is made again', () => {
  it.each([
    ['nothing', parts({ a: base }), parts({ a: base }), []],
    ['content', parts({ a: base }), parts({ a: 'file 644 0:0 sha256:bb' }), ['/a: content changed']],
    [
      'mode and owner',
      parts({ a: base }),
      parts({ a: 'file 755 1:1 sha256:aa' }),
      ['/a: mode, owner changed'],
    ],
    ['a new and a missing file', parts({ a: base }), parts({ b: base }), ['/b is new', '/a is gone']],
    [
      'the base',
      parts({}),
      parts({}, { base: `sha256:${'2'.repeat(64)}` }),
      ['the base changed from sha256:111111111111 to sha256:222222222222'],
    ],
    [
      'the configuration',
      parts({}),
      parts({}, { configuration: { config: { User: '2' } } }),
      ['config User changed from 1 to 2'],
    ],
    [
      'an instruction',
      parts({ a: base }),
      parts({}, { layers: { '1 COPY x /': { a: base } } }),
      ['COPY x / is new', 'COPY . / is gone'],
    ],
    [
      'the compression',
      parts({}),
      { ...parts({}), compression: 'zstd' },
      ['compression changed from gzip to zstd'],
    ],
  ])('%s', (_, before, after, sentences) => {
    expect(told(before, after)).toEqual(sentences);
  });

  it('tells the first few of many', () => {
    const many = (digest: string) =>
      parts(Object.fromEntries([...'abcdefghij'].map((name) => [name, `file 644 0:0 ${digest}`])));
    expect(told(many('x'), many('y'))).toEqual(
      [...'abcdef'].map((name) => `/${name}: content changed`).concat('and 4 more'),
    );
  });
});
