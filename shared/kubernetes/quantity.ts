/** An amount of a resource, exact, in billionths (`1n`, the smallest that Kubernetes knows): `250m` is 250_000_000n. */
export type Quantity = bigint;

const DECIMAL: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  '': 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const BINARY: Readonly<Record<string, bigint>> = {
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
  Ei: 2n ** 60n,
};
const NANO = 1_000_000_000n;

/** Reads a quantity in the grammar of apimachinery's resource.Quantity; undefined for what is none. */
export function parseQuantity(given: unknown): Quantity | undefined {
  if (typeof given !== 'string' && typeof given !== 'number') return undefined;
  const parts = /^([+-]?)(\d*)(?:\.(\d*))?([EPTGMK]i|[numkMGTPE]|[eE][+-]?\d{1,2}|)$/.exec(String(given));
  if (parts === null) return undefined;
  const [, sign, whole = '', fraction = '', suffix = ''] = parts;
  if (whole === '' && fraction === '') return undefined;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  const binary = BINARY[suffix];
  if (binary !== undefined) return scale(digits * binary * NANO, -fraction.length);
  const exponent = DECIMAL[suffix] ?? Number(suffix.slice(1));
  return scale(digits, 9 + exponent - fraction.length);
}

/** Times a power of ten; what is smaller than a billionth is rounded up, as Kubernetes does. */
function scale(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  const rest = value % divisor;
  return value / divisor + (rest > 0n ? 1n : 0n);
}

/** Whether two values are written differently and mean the same: `1000m` and `1`, `1Gi` and `1024Mi`. */
export function sameQuantity(one: unknown, other: unknown): boolean {
  const amount = parseQuantity(one);
  return amount !== undefined && amount === parseQuantity(other);
}

/** As people write it: `250m` and `2` for cpu, `64Mi` for bytes, plain numbers for counts. */
export function formatQuantity(amount: Quantity, resource: string): string {
  if (/memory|storage|hugepages/.test(resource)) return formatBinary(amount / NANO);
  if (amount % NANO === 0n) return String(amount / NANO);
  return amount % 1_000_000n === 0n ? `${amount / 1_000_000n}m` : `${amount}n`;
}

function formatBinary(bytes: bigint): string {
  const fitting = Object.entries(BINARY).filter(([, size]) => bytes !== 0n && bytes % size === 0n);
  const [unit, size] = fitting.at(-1) ?? ['', 1n];
  return `${bytes / size}${unit}`;
}
