/** Gates: checks that give a verdict with its evidence, and never throw one. */
export type { Check, CheckScope } from './checks/check.ts';
export { parseChecks } from './checks/parse.ts';
export { type CheckOptions, runChecks } from './checks/run.ts';
export type { Verdict } from './verdict.ts';
