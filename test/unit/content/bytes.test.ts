import { describe, expect, it } from 'vitest';
import { nameFromBytes, nameToBytes } from '../../../shared/content/index.ts';

describe('names are bytes', () => {
  it.each([
    ['ASCII', [0x61, 0x2f, 0x62]],
    ['UTF-8', [...Buffer.from('größe/日本/😀')]],
    ['a Latin-1 byte', [0x61, 0xe9, 0x62]],
    ['a lone continuation byte', [0x80]],
    ['a cut sequence at the end', [0x61, 0xe6, 0x97]],
    ['an encoded surrogate', [0xed, 0xb2, 0x80]],
    ['an overlong form', [0xc0, 0xaf]],
    ['a real replacement character', [0xef, 0xbf, 0xbd]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61]],
    ['a mixture', [0xff, 0xc3, 0xa9, 0xfe, 0xf0, 0x9f, 0x98, 0x80, 0xf8]],
  ])('%s comes back as it was', (_, bytes) => {
    expect([...nameToBytes(nameFromBytes(Uint8Array.from(bytes)))]).toEqual(bytes);
  });

  it('keeps names that differ apart', () => {
    const names = [[0xe9], [0xe8], [0xc3, 0xa9]].map((bytes) => nameFromBytes(Uint8Array.from(bytes)));
    expect(new Set(names).size).toBe(3);
  });

  it('every pair of bytes survives', () => {
    for (let i = 0; i < 65536; i++) {
      const bytes = Buffer.from([i >> 8, i & 255]);
      if (!nameToBytes(nameFromBytes(bytes)).equals(bytes)) expect.fail(`${bytes.toString('hex')}`);
    }
  });
});
