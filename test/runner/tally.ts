import { styleText } from 'node:util';

/** A test that was not run, and why. */
export interface Skipped {
  readonly tier: string;
  readonly name: string;
  readonly reason: string;
}

export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: readonly Skipped[];
}

export const nothing: Tally = { passed: 0, failed: 0, skipped: [] };

export function sum(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: [...a.skipped, ...b.skipped],
  };
}

/** A run in which nothing was tried proves nothing, so it is not a success. */
export function isSuccess(tally: Tally): boolean {
  return tally.failed === 0 && tally.passed > 0;
}

/** The last line of every run, alone on its line and without colour: other programs read it. */
export function lastLine(tally: Tally): string {
  return `${tally.passed} passed, ${tally.failed} failed, ${tally.skipped.length} skipped`;
}

/** What was skipped, by name; tests that lack the same part stand together under its reason. */
export function skippedLines(skipped: readonly Skipped[]): readonly string[] {
  const byReason = Map.groupBy(skipped, (one) => one.reason);
  return [...byReason].flatMap(([reason, tests]) => [
    `${mark.skipped} ${reason}`,
    ...tests.map((one) => styleText('dim', `    ${one.tier}: ${one.name}`)),
  ]);
}

export const seconds = (milliseconds: number) => `${(milliseconds / 1000).toFixed(1)} s`;

export const mark = {
  passed: styleText('green', '✓'),
  failed: styleText('red', '✗'),
  skipped: styleText('yellow', '○'),
} as const;
