import { startVitest, type TestModule, type Vitest } from 'vitest/node';
import { skipOf, TierReporter } from './reporter.ts';
import type { Tally } from './tally.ts';

/** Runs one tier of tests; `filters` are parts of file names, none means all. */
export async function runTests(tier: string, filters: readonly string[]): Promise<Tally> {
  const options = {
    watch: false,
    project: [tier],
    reporters: [new TierReporter(tier)],
    passWithNoTests: true,
  };
  // One stream: where a log keeps two, failures would stand apart from the tests that they belong to.
  const vitest = await startVitest([...filters], options, {}, { stderr: process.stdout });
  try {
    return tally(tier, vitest);
  } finally {
    // vitest reports by its exit code too; the verdict over all tiers is ours.
    await vitest.close();
    process.exitCode = undefined;
  }
}

function tally(tier: string, vitest: Vitest): Tally {
  const modules = vitest.state.getTestModules();
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const inState = (state: string) => tests.filter((test) => test.result().state === state);
  const broken = modules.filter(brokenOutsideTests).length + vitest.state.getUnhandledErrors().length;
  return {
    passed: inState('passed').length,
    failed: inState('failed').length + inState('pending').length + broken,
    skipped: inState('skipped').map((test) => skipOf(tier, test)),
  };
}

/** A file that does not load, or whose hooks fail, has no failed test of its own and must count all the same. */
function brokenOutsideTests(module: TestModule): boolean {
  return module.state() === 'failed' && [...module.children.allTests('failed')].length === 0;
}
