import { describe, expect, it } from 'vitest';
import { expand } from '../../../shared/dockerfile/expand.ts';

const env: Readonly<Record<string, string>> = { A: 'abcab', E: '', P: '/usr/bin', F: 'foo.tar.gz' };
const word = (text: string, options = {}) => expand(text, (name) => env[name], options).word;

describe('expand', () => {
  it.each([
    ['$A ${A}', 'abcab abcab'],
    ['$Ax ${A}x', ' abcabx'],
    ['\'$A\' "$A" \\$A', '$A abcab $A'],
    ['${U:-d} ${U-d} ${E:-d} ${E-d}', 'd d d '],
    ['${A:+y} ${U:+y} ${E:+y} ${E+y}', 'y   y'],
    ['${U:-$A} ${U:-"q w"}', 'abcab q w'],
    ['${F%.*} ${F%%.*} ${F#*.} ${F##*.}', 'foo.tar foo tar.gz gz'],
    ['${A/b/X} ${A//b/X} ${P//\\//-}', 'aXcab aXcaX -usr-bin'],
    ['${A#a?} ${A#\\*}', 'cab abcab'],
    ['a\\ b "c\\d" \'e\\f\'', 'a b c\\d e\\f'],
    ['$ $. $1', '$ $. '],
  ])('%s', (text, expected) => {
    expect(word(text)).toBe(expected);
  });

  it('tells which variables were there and which were not', () => {
    const { used, missing } = expand('$A ${U:-$V} \\$W', (name) => env[name]);
    expect([[...used], [...missing]]).toEqual([['A'], ['V', 'U']]);
  });

  it('splits words at spaces that are not quoted, after expansion', () => {
    const { words } = expand('a "b c" $L \\ d', () => '1 2');
    expect(words).toEqual(['a', 'b c', '1', '2', ' d']);
  });

  it('keeps what is asked to be kept', () => {
    expect(word('"$U" ${U:-a} $A', { keepUnset: true, rawQuotes: true })).toBe('"$U" ${U:-a} abcab');
    expect(word(`"$A" 'x'`, { ignoreQuotes: true })).toBe(`"abcab" 'x'`);
    expect(word('a`$b c\\d', { escape: '`' })).toBe('a$b c\\d');
  });

  it.each([
    ['"a', 'a closing " is missing'],
    ["'a", "a closing ' is missing"],
    ['${A', 'a closing } is missing'],
    ['${}', 'names no variable'],
    ['${A^^}', 'no known substitution; known are'],
    ['${U:?give it}', 'U: give it'],
    ['${E:?}', 'E: is not allowed to be empty'],
    ['${U?}', 'U: is not allowed to be unset'],
  ])('%s cannot be expanded', (text, message) => {
    expect(() => word(text)).toThrow(message);
  });
});
