/** Factors of the suffixes of quantities (apimachinery, resource.Quantity), as powers of ten or two. */
const SUFFIXES: Readonly<Record<string, readonly [base: 10n | 2n, exponent: number]>> = {
  n: [10n, -9],
  u: [10n, -6],
  m: [10n, -3],
  '': [10n, 0],
  k: [10n, 3],
  M: [10n, 6],
  G: [10n, 9],
  T: [10n, 12],
  P: [10n, 15],
  E: [10n, 18],
  Ki: [2n, 10],
  Mi: [2n, 20],
  Gi: [2n, 30],
  Ti: [2n, 40],
  Pi: [2n, 50],
  Ei: [2n, 60],
};

/** Fields that hold quantities, which the API server writes in a form of its own. */
const QUANTITIES =
  /(^|\.)(limits|requests|hard|capacity|default|defaultRequest|max|min|maxLimitRequestRatio|overhead|podFixed|sizeLimit|divisor|averageValue|value|storage)(\.|\[|$)/;

export const holdsQuantity = (path: string): boolean => QUANTITIES.test(path) && !/\.env\[/.test(path);

/** Whether two values are written differently and mean the same: `1000m` and `1`, `1Gi` and `1024Mi`. */
export function sameQuantity(one: unknown, other: unknown): boolean {
  if (!isScalar(one) || !isScalar(other)) return false;
  const [a, b] = [nanos(String(one)), nanos(String(other))];
  return a !== undefined && a === b;
}

const isScalar = (value: unknown): value is string | number =>
  typeof value === 'string' || typeof value === 'number';

/** The quantity in billionths. */
function nanos(text: string): bigint | undefined {
  const match = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/i.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = '', fraction = '', exponent, suffix = ''] = match;
  if (whole === '' && fraction === '') return undefined;
  const factor = exponent === undefined ? SUFFIXES[suffix] : ([10n, Number(exponent)] as const);
  if (factor === undefined) return undefined;
  const [base, power] = factor;
  // All in one integer: digits × base^power × 10^(9 − places of the fraction).
  const scale = 9 - fraction.length + (base === 10n ? power : 0);
  let value = BigInt(whole + fraction) * (base === 2n ? 2n ** BigInt(power) : 1n);
  if (scale >= 0) value *= 10n ** BigInt(scale);
  else if (value % 10n ** BigInt(-scale) === 0n) value /= 10n ** BigInt(-scale);
  else return undefined;
  return sign === '-' ? -value : value;
}
