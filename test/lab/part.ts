import { describe } from 'vitest';

/** A real part that tests run against: there, with what is needed to use it, or not there and why. */
export type Part<T extends object> = ({ readonly available: true } & T) | Missing;

export interface Missing {
  readonly available: false;
  /** One line: what is lacking and what would bring it. */
  readonly why: string;
}

export const missing = (why: string): Missing => ({ available: false, why });

type Parts = Readonly<Record<string, Part<object>>>;
type Available<P extends Parts> = { readonly [K in keyof P]: Extract<P[K], { readonly available: true }> };

/**
 * A suite that needs real parts. Where one is missing the suite is skipped, and its title says which one and why. `body` may use
 * what a part holds inside its tests and hooks only, because it is called for a skipped suite too, to learn the tests' names.
 */
export function describeWith<const P extends Parts>(
  title: string,
  parts: P,
  body: (have: Available<P>) => void,
): void {
  const lacking = Object.entries(parts).flatMap(([name, part]) =>
    part.available ? [] : [`${name}: ${part.why.replace(/[[\]]/g, '|')}`],
  );
  const have = parts as Available<P>;
  if (lacking.length === 0) describe(title, () => body(have));
  else describe.skip(`${title} [needs ${lacking.join('; ')}]`, () => body(have));
}
