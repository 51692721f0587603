import { describe, expect, it } from 'vitest';
import { defineAction, Failure, input, readInputs } from '../../../shared/host/index.ts';

const definition = defineAction({
  name: 'sample',
  title: 'Sample',
  description: 'Sample.',
  icon: 'box',
  color: 'blue',
  inputs: {
    path: input.text({ description: 'A path.', default: '.' }),
    name: input.text({ description: 'A name.' }),
    flag: input.flag({ description: 'A flag.' }),
    on: input.flag({ description: 'A flag.', default: 'true' }),
    lines: input.lines({ description: 'Lines.' }),
    list: input.list({ description: 'A list.' }),
    number: input.number({ description: 'A number.' }),
    size: input.size({ description: 'A size.' }),
    choice: input.choice(['gzip', 'zstd'], { description: 'A choice.', default: 'gzip' }),
    token: input.secret({ description: 'A token.', default: '${{ github.token }}' }),
  },
  outputs: {},
});

const read = (given: Readonly<Record<string, string>>) => readInputs(definition, (name) => given[name]);

describe('readInputs', () => {
  it('gives every input its default or its empty value', () => {
    expect(read({})).toEqual({
      path: '.',
      name: '',
      flag: false,
      on: true,
      lines: [],
      list: [],
      number: undefined,
      size: undefined,
      choice: 'gzip',
      token: '',
    });
  });

  it('takes white space for not given, as a runner hands over an unset expression', () => {
    expect(read({ path: '  ', number: '\n', flag: ' ' })).toMatchObject({ path: '.', flag: false });
    expect(read({ number: ' ' }).number).toBeUndefined();
  });

  it.each([
    ['path', ' a b ', 'a b'],
    ['flag', 'TRUE', true],
    ['flag', 'on', true],
    ['on', 'no', false],
    ['lines', 'a, b\n\n# comment\n  c  \r\nd', ['a, b', 'c', 'd']],
    ['list', 'a, b\n# comment\nc,,d', ['a', 'b', 'c', 'd']],
    ['number', '1.5', 1.5],
    ['size', '500', 500],
    ['size', '20 MB', 20_000_000],
    ['size', '1.5GiB', 1_610_612_736],
    ['choice', 'ZSTD', 'zstd'],
  ] as const)('reads %s of %j', (name, text, value) => expect(read({ [name]: text })[name]).toEqual(value));

  it.each([
    ['flag', 'ja', 'Input "flag" is "ja"; accepted are true and false.'],
    ['number', '-1', 'Input "number" is "-1"; accepted is a number that is not negative, such as 4.'],
    ['number', '1e3', 'Input "number" is "1e3"; accepted is a number that is not negative, such as 4.'],
    ['size', '20 MBit', 'Input "size" is "20 MBit"; accepted is a size such as 500, 20 MB or 1.5 GiB.'],
    ['choice', 'gzpi', 'Input "choice" is "gzpi"; accepted are gzip, zstd. Did you mean "gzip"?'],
    ['choice', 'brotli', 'Input "choice" is "brotli"; accepted are gzip, zstd.'],
  ])('says what is wrong with %s of %j', (name, text, message) => {
    expect(() => read({ [name]: text })).toThrow(new Failure(message));
  });

  it('names a required input that is missing', () => {
    const strict = defineAction({
      ...definition,
      inputs: { key: input.required({ description: 'The key.' }) },
    });
    expect(() => readInputs(strict, () => undefined)).toThrow(
      new Failure('Input "key" is required: The key.'),
    );
  });
});
