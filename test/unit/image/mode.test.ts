import { describe, expect, it } from 'vitest';
import { parseChmod } from '../../../shared/image/files/mode.ts';

// Expected values are those of chmod(1) with umask 0, which BSD's setmode(3) and so BuildKit share.
const symbolic: readonly (readonly [string, number, boolean, number])[] = [
  ['u=rwX,go=rX', 0o644, false, 0o644],
  ['u=rwX,go=rX', 0o744, false, 0o755],
  ['u=rwX,go=rX', 0o700, true, 0o755],
  ['+x', 0o644, false, 0o755],
  ['a-w', 0o777, false, 0o555],
  ['g=u', 0o2750, false, 0o2770],
  ['g=r', 0o2750, false, 0o740],
  ['o-rwx', 0o777, false, 0o770],
  ['u+s', 0o755, false, 0o4755],
  ['o+s', 0o755, false, 0o755],
  ['+t', 0o755, true, 0o1755],
  ['go=u-w', 0o755, false, 0o755],
  ['-X', 0o755, false, 0o644],
  ['=', 0o4777, false, 0o000],
  ['ug+rw,o=', 0o005, false, 0o660],
];

describe('--chmod', () => {
  it.each(symbolic)('%s on %o (directory: %s) is %o', (text, mode, isDirectory, expected) => {
    const chmod = parseChmod(text);
    expect(chmod.kind === 'symbolic' && chmod.apply(mode, isDirectory).toString(8)).toBe(
      expected.toString(8),
    );
  });

  it('takes octal digits as they are', () => {
    expect(parseChmod('0755')).toEqual({ kind: 'octal', bits: 0o755 });
    expect(parseChmod('4711')).toEqual({ kind: 'octal', bits: 0o4711 });
  });

  it.each(['99', '17777', '0o755', 'u', 'u~x', 'rwx', '', 'u=rwx,', 'x+u', '7 5 5'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseChmod(text)).toThrow(`--chmod=${text} is no file mode`);
    },
  );
});
