import { describe, expect, it } from 'vitest';
import { harmless, pad, truncate, widthOf } from '../../../shared/host/index.ts';

describe('widthOf', () => {
  it.each([
    ['', 0],
    ['linux/amd64', 11],
    ['✓ Größe → 1…', 12],
    ['日本語', 6],
    ['한국', 4],
    ['👩‍👩‍👧‍👦', 2],
    ['🇩🇪', 2],
    ['✔️', 2],
    ['e\u0301', 1],
    ['\u001b[31mred\u001b[39m', 3],
    ['a\u200bb', 2],
  ])('of %j is %d', (text, width) => expect(widthOf(text)).toBe(width));
});

describe('truncate', () => {
  it.each([
    ['short', 5, 'short'],
    ['longer', 5, 'long…'],
    ['日本語', 5, '日本…'],
    ['日本語', 4, '日…'],
    ['👩‍👩‍👧‍👦👩‍👩‍👧‍👦', 3, '👩‍👩‍👧‍👦…'],
    ['abc', 1, '…'],
    ['abc', 0, ''],
  ])('%j to %d columns is %j', (text, width, cut) => expect(truncate(text, width)).toBe(cut));
});

it('pads to columns, not to letters', () => {
  expect(pad('日本', 6)).toBe('日本  ');
  expect(pad('1.5', 6, 'end')).toBe('   1.5');
  expect(pad('too long', 3)).toBe('too long');
});

it('takes from a foreign text what could change the terminal', () => {
  expect(harmless('\u001b[2J\u001b]0;title\u0007ok\u0008\u0000 \u009b31mred\r')).toBe('ok red');
  expect(harmless('a\tb\nc')).toBe('a  b\nc');
});
