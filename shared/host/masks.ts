/** Shorter texts are parts of ordinary words; masking them would garble the log and hide nothing. */
const SHORTEST_LINE = 4;
const SHORTEST_ENCODED = 6;

/** Replaces secrets, and the forms that they take on their way into a log, by `***`. */
export interface Masks {
  /** Adds a secret and returns the forms that were not masked before, the longest first. */
  add(secret: string): readonly string[];
  apply(text: string): string;
}

export function createMasks(): Masks {
  const known = new Set<string>();
  let pattern: RegExp | undefined;
  return {
    add: (secret) => {
      const fresh = secretForms(secret).filter((form) => !known.has(form));
      for (const form of fresh) known.add(form);
      if (fresh.length > 0) pattern = anyOf(known);
      return fresh;
    },
    apply: (text) => (pattern === undefined ? text : text.replace(pattern, '***')),
  };
}

/**
 * The texts that give `secret` away: itself, each line of it, and the encodings in which tools print it: Base64 and Base64url at
 * each of the three offsets that it may have inside a longer text (`user:password`), URL, JSON, XML and Markdown
 * escapes. Longest first.
 */
export function secretForms(secret: string): readonly string[] {
  const forms = new Set<string>();
  const add = (form: string, shortest: number) => {
    if (form.trim().length >= shortest) forms.add(form);
  };
  add(secret, 1);
  add(secret.trim(), 1);
  for (const line of secret.split(/\r?\n/)) add(line.trim(), SHORTEST_LINE);
  for (const form of [...forms]) {
    for (const encoded of base64Forms(Buffer.from(form))) add(encoded, SHORTEST_ENCODED);
    for (const encode of [encodeURIComponent, encodeForm, escapeJson, escapeXml, escapeMarkdown])
      add(encode(form), SHORTEST_LINE);
  }
  return longestFirst(forms);
}

/** At offsets 1 and 2 the first characters, and at the end the last, also carry bits of the neighbours: only the middle is sure. */
function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64');
  const middles = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const end = (bytes.length + offset) % 3 === 0 ? encoded.length : encoded.length - 1;
    return encoded.slice([0, 2, 3][offset], end);
  });
  return [whole, ...middles].flatMap((form) => [form, form.replaceAll('+', '-').replaceAll('/', '_')]);
}

const encodeForm = (text: string) =>
  encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

const escapeJson = (text: string) => JSON.stringify(text).slice(1, -1);

const XML: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
const escapeXml = (text: string) => text.replace(/[&<>"']/g, (char) => XML[char]!);

const escapeMarkdown = (text: string) =>
  text.replace(/[&<>]/g, (char) => XML[char]!).replace(/[\\`*_[\]|~$]/g, '\\$&');

const longestFirst = (forms: Iterable<string>) => [...forms].sort((a, b) => b.length - a.length);

// An alternation takes the first branch that matches: the longest form has to come first, or its tail would stay readable.
const anyOf = (forms: Iterable<string>) => new RegExp(longestFirst(forms).map(RegExp.escape).join('|'), 'g');
