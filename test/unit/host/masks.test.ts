import { describe, expect, it } from 'vitest';
import { createMasks, secretForms } from '../../../shared/host/masks.ts';
import { paragraph, toMarkdown } from '../../../shared/report/index.ts';

describe('masks', () => {
  const masked = (secret: string, text: string) => {
    const masks = createMasks();
    masks.add(secret);
    return masks.apply(text);
  };

  it.each(['a', 'ab', 'abc', '', 'user:', 'longer prefix:'])(
    'hides all but the edges of a secret in Base64 after %j',
    (prefix) => {
      const secret = 'correct horse battery staple';
      const text = Buffer.from(`${prefix}${secret}@host`).toString('base64');
      const shown = masked(secret, text).split('***');
      expect(shown).toHaveLength(2);
      // What is left decodes to the surroundings and at most the last letter of the secret.
      const tail = Buffer.from(text)
        .subarray(text.length - shown[1]!.length)
        .toString();
      expect(shown[0]!.length).toBeLessThanOrEqual(Math.ceil((prefix.length * 8) / 6) + 1);
      expect(tail.length).toBeLessThanOrEqual(Math.ceil((('@host'.length + 1) * 8) / 6) + 3);
    },
  );

  it('hides Base64url, URL, form, JSON and XML escapes', () => {
    const secret = '<p&ss>\u00ff\u00fe "word" (1)';
    for (const form of [
      Buffer.from(secret).toString('base64url'),
      encodeURIComponent(secret),
      new URLSearchParams({ x: secret }).toString().slice(2),
      JSON.stringify(secret).slice(1, -1),
      '&lt;p&amp;ss&gt;\u00ff\u00fe &quot;word&quot; (1)',
    ])
      expect(masked(secret, `before ${form} after`)).toBe('before *** after');
  });

  it('hides a secret that a summary shows as text', () => {
    const secret = 'p*ss_w|rd<[x]>';
    expect(masked(secret, toMarkdown([paragraph(`the ${secret}!`)]))).toBe('the ***!\n');
  });

  it('hides each line of a key, but not the brackets that it is wrapped in', () => {
    const secret = '{\n  "private_key": "abcdef"\n}\n';
    expect(masked(secret, 'x "private_key": "abcdef" y { } z')).toBe('x *** y { } z');
    expect(masked(secret, `all: ${secret.trim()}!`)).toBe('all: ***!');
  });

  it('hides the longest secret first, so that no tail of it stays', () => {
    const masks = createMasks();
    masks.add('secret');
    masks.add('secret-and-more');
    expect(masks.apply('secret-and-more secret')).toBe('*** ***');
  });

  it('takes a secret as text, not as a pattern', () =>
    expect(masked('a.*c+', 'a.*c+ abbbc')).toBe('*** abbbc'));

  it('masks nothing for an empty or blank secret', () => {
    expect(secretForms('')).toEqual([]);
    expect(secretForms(' \n ')).toEqual([]);
    expect(masked('', 'text')).toBe('text');
  });

  it('returns only forms that are new', () => {
    const masks = createMasks();
    expect(masks.add('hunter22').length).toBeGreaterThan(1);
    expect(masks.add('hunter22')).toEqual([]);
  });
});
