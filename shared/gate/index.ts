/** Gates: checks that give a verdict with its evidence, and never throw one. */
export type { Verdict } from './verdict.ts';
