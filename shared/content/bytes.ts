/**
 * File names are bytes, not text. These two functions carry any name through a string and back: bytes that are not UTF-8 become
 * lone surrogates U+DC80 to U+DCFF, as Python's "surrogateescape" does (PEP 383).
 */
export function nameFromBytes(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
  if (!text.includes('\ufffd') || Buffer.from(text, 'utf8').equals(bytes)) return text;
  let name = '';
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (let i = 0; i < bytes.length; ) {
    const length = sequenceLength(bytes[i]!);
    try {
      if (length === 0 || i + length > bytes.length) throw new RangeError();
      name += decoder.decode(bytes.subarray(i, i + length));
      i += length;
    } catch {
      name += String.fromCharCode(0xdc00 + bytes[i]!);
      i += 1;
    }
  }
  return name;
}

/** The bytes of a name, the opposite of `nameFromBytes`: what was not UTF-8 comes out as it went in. */
export function nameToBytes(name: string): Buffer {
  if (!/[\udc80-\udcff]/.test(name)) return Buffer.from(name, 'utf8');
  const parts: Buffer[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    parts.push(
      code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(character, 'utf8'),
    );
  }
  return Buffer.concat(parts);
}

function sequenceLength(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0) return 2;
  if (lead >= 0xe0 && lead < 0xf0) return 3;
  return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}
