/** Why a value looks like a secret, in words that do not show it. */
export type SecretShape =
  | 'a private key'
  | 'a token of a known service'
  | 'an address with a password in it'
  | 'a signed token (JWT)'
  | 'a password or key, by its name'
  | 'a random text';

/** Tokens that carry their maker's mark. */
const MARKED =
  /(?:^|[^A-Za-z0-9])(?:AKIA[0-9A-Z]{16}|ASIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{40,}|glpat-[\w-]{20,}|xox[abprs]-[\w-]{10,}|(?:sk|rk)_live_[A-Za-z0-9]{16,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}|npm_[A-Za-z0-9]{36}|dop_v1_[a-f0-9]{64}|hvs\.[\w-]{20,}|sk-(?:ant-|proj-)?[\w-]{32,})/;
const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/;
const JWT = /(?:^|[^\w-])eyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}/;
/** scheme://user:password@host */
const URL_PASSWORD = /[a-z][a-z0-9+.-]*:\/\/[^\s:@/]*:([^\s@/]+)@[^\s/@]/i;
/** Keyword/value strings: `password=…;`, as ADO and libpq have them. */
const DSN_PASSWORD = /(?:^|[\s;&?])(?:password|pwd)\s*=\s*([^\s;&'"]+|'[^']+'|"[^"]+")/i;
/** user:password@tcp(host) of go-sql-driver. */
const GO_DSN = /^[\w.-]+:([^\s@/:]+)@(?:tcp|unix)\(/;

const SECRET_NAME =
  /(?:^|[_.-])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|private[_-]?key|encryption[_-]?key|signing[_-]?key|client[_-]?secret|credentials?)(?:[_.-]?(?:value|text|string|\d+))?$/;
/** Names that end like a secret's and say where it is, not what it is. */
const POINTER =
  /(?:file|path|dir|url|uri|name|ref|id|type|ttl|expiry|expiration|lifetime|length|enabled?|header|policy|issuer|audience|key_?name)$/;
/** What stands in place of a value: variables, templates, words such as "changeme", paths, addresses, true, numbers. */
const PLACE_HOLDER =
  /^(?:|\$[({].*|.*\$\(.*\).*|.*\$\{.*|.*\{\{.*|<.*>|\*+|x{3,}|\.\.\.|true|false|yes|no|on|off|none|null|nil|enabled|disabled|required|optional|always|never|default|undefined|\d{1,5}(?:ms|s|m|h|d)?|\.{0,2}\/.*|https?:\/\/.*|\[.*\]|(?:your|my|some|insert|replace)[-_ ].*|(?:vault|ssm|awssm|gcpsm|op|ref\+\w+|secretref|projects):.*|arn:.*|projects\/.*)$/i;

/** `dbPassword` and `DB-PASSWORD` as `db_password`. */
const snake = (name: string): string => name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();

/**
 * Why a value that stands in the open looks like a secret; undefined where it does not. What a variable or a template stands for
 * is not judged. Known marks and shapes count under every name; a name alone counts for values that could be a secret.
 */
export function secretShape(name: string, value: string): SecretShape | undefined {
  if (PRIVATE_KEY.test(value)) return 'a private key';
  if (JWT.test(value)) return 'a signed token (JWT)';
  if (MARKED.test(value)) return 'a token of a known service';
  if (value.split('\n').some(hasPassword)) return 'an address with a password in it';
  if (value.includes('\n') || PLACE_HOLDER.test(value.trim())) return undefined;
  const plain = snake(name);
  if (POINTER.test(plain)) return undefined;
  if (SECRET_NAME.test(plain)) return 'a password or key, by its name';
  return isRandom(value) ? 'a random text' : undefined;
}

/** Lines of configuration files: `password: …`, `PASSWORD=…`; the first that looks like a secret, counted from 0. */
export function secretLine(
  text: string,
): { readonly line: number; readonly name: string; readonly shape: SecretShape } | undefined {
  for (const [line, content] of text.split('\n').entries()) {
    const pair = /^\s*(?:export\s+|-\s+)?["']?([A-Za-z][\w.-]*)["']?\s*[:=]\s*(.*?)[\s,;]*$/.exec(content);
    if (pair === null || /^\s*(?:#|\/\/)/.test(content)) continue;
    const [, name = '', raw = ''] = pair;
    const value = raw.replace(/^(["'])(.*)\1$/, '$2');
    const shape = secretShape(name, value);
    // In a file of prose or code a name is followed by much that is no value: only quoted texts or single words count.
    if (
      shape !== undefined &&
      (!/by its name|random/.test(shape) || (/^\S{4,}$/.test(value) && !/[()[\]{}]/.test(value)))
    )
      return { line, name, shape };
  }
  return undefined;
}

function hasPassword(line: string): boolean {
  return [URL_PASSWORD, DSN_PASSWORD, GO_DSN].some((pattern) => {
    const password = pattern.exec(line)?.[1]?.replace(/^['"]|['"]$/g, '');
    return (
      password !== undefined &&
      !PLACE_HOLDER.test(password) &&
      !password.includes('$') &&
      !/^%[sv]$/.test(password)
    );
  });
}

/** A text that nobody wrote by hand: long, one word, of letters and digits mixed, and no digest, uuid or name with words in it. */
function isRandom(value: string): boolean {
  if (!/^[A-Za-z0-9+/_=-]{32,128}$/.test(value)) return false;
  if (!/[a-z]/.test(value) || !/[A-Z]/.test(value) || !/\d.*\D/.test(value)) return false;
  if (/^(?:[a-z]+|[A-Z]+|\d+|[A-Z]?[a-z]{3,})(?:[-_/](?:[a-z]+|[A-Z]+|\d+|[A-Z]?[a-z]{3,}))+$/.test(value))
    return false;
  return entropy(value) > 4.2;
}

/** Shannon entropy, in bits a character. */
function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  return [...counts.values()].reduce((sum, count) => {
    const share = count / text.length;
    return sum - share * Math.log2(share);
  }, 0);
}
