import { describe, expect, it } from 'vitest';
import { readArguments } from '../../../bin/arguments.ts';
import { defineAction, Failure, input } from '../../../shared/host/index.ts';

const definition = defineAction({
  name: 'sample',
  title: 'Sample',
  description: 'Sample.',
  icon: 'box',
  color: 'blue',
  inputs: {
    directory: input.text({ description: 'The folder.', default: '.' }),
    ldflags: input.text({ description: 'Linker flags.' }),
    push: input.lines({ description: 'References.' }),
    targets: input.list({ description: 'Targets.' }),
    plan: input.flag({ description: 'Plan only.' }),
    trimpath: input.flag({ description: 'Trim paths.', default: 'true' }),
  },
  outputs: {},
});

const read = (...args: string[]) => {
  const { inputs, flags } = readArguments(args, definition, 'directory');
  return { ...Object.fromEntries(inputs), ...(flags.size === 0 ? {} : { flags: [...flags] }) };
};

describe('readArguments', () => {
  it.each<[string[], object]>([
    [[], {}],
    [['--ldflags', 'x'], { ldflags: 'x' }],
    [['--ldflags=x=y'], { ldflags: 'x=y' }],
    [['--ldflags', '-s -w'], { ldflags: '-s -w' }],
    [['--ldflags='], { ldflags: '' }],
    [['--ldflags', '--constructor'], { ldflags: '--constructor' }],
    [['--ldflags=--plan'], { ldflags: '--plan' }],
    [['--ldflags', 'a', '--ldflags', 'b'], { ldflags: 'b' }],
    [['--push', 'a:1', '--push=b:2'], { push: 'a:1\nb:2' }],
    [['--targets', 'a,b', '--targets', 'c'], { targets: 'a,b\nc' }],
    [['--plan'], { plan: 'true' }],
    [['--plan=false'], { plan: 'false' }],
    [['--no-trimpath'], { trimpath: 'false' }],
    [['--no-plan', '--plan'], { plan: 'true' }],
    [['examples/storefront'], { directory: 'examples/storefront' }],
    [['--plan', 'dir'], { directory: 'dir', plan: 'true' }],
    [['--', '--odd'], { directory: '--odd' }],
    [['-v', '--json', '-h'], { flags: ['verbose', 'json', 'help'] }],
  ])('reads %j', (args, expected) => expect(read(...args)).toEqual(expected));

  it.each<[string[], string]>([
    [
      ['--tagets', 'x'],
      '"--tagets" is not a flag of "slipway sample". Did you mean "--targets"? All flags: slipway sample --help',
    ],
    [['--zzzzzz'], '"--zzzzzz" is not a flag of "slipway sample". All flags: slipway sample --help'],
    [
      ['--constructor', 'x'],
      '"--constructor" is not a flag of "slipway sample". All flags: slipway sample --help',
    ],
    [['-x'], '"-x" is not a flag of "slipway sample". All flags: slipway sample --help'],
    [
      ['--no-push'],
      '"--no-push" is not a flag of "slipway sample". Did you mean "--push"? All flags: slipway sample --help',
    ],
    [['--push'], '"--push" needs a value: References.'],
    [['--push', '--plan'], '"--push" needs a value: References.'],
    [['--push', '--no-plan'], '"--push" needs a value: References.'],
    [['a', 'b'], '"b" is one directory too many; "a" was given already.'],
    [['--directory', 'a', 'b'], '"b" is one directory too many; "a" was given already.'],
  ])('says what is wrong with %j', (args, message) => {
    expect(() => read(...args)).toThrow(new Failure(message));
  });

  it('takes no word where the action has no input for one', () => {
    expect(() => readArguments(['dir'], definition)).toThrow(
      new Failure(
        '"dir" stands alone, and "slipway sample" takes no such word; inputs are given as --<input> <value>.',
      ),
    );
  });
});
