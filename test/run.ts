// The test runner: `node test/run.ts [tier…] [part of a file name…]`. Without a tier, all of them.
import { styleText } from 'node:util';
import { runChecks } from './runner/check.ts';
import { isSuccess, lastLine, nothing, seconds, skippedLines, sum, type Tally } from './runner/tally.ts';

const tiers = ['check', 'unit', 'conformance', 'e2e', 'cluster'] as const;
type Tier = (typeof tiers)[number];

const isTier = (word: string): word is Tier => (tiers as readonly string[]).includes(word);
const words = process.argv.slice(2);
const wanted = words.filter(isTier);
const filters = words.filter((word) => !isTier(word));

let total = nothing;
for (const tier of wanted.length === 0 ? tiers : wanted) total = sum(total, await runTier(tier));

if (total.skipped.length > 0) console.log(`\n${skippedLines(total.skipped).join('\n')}`);
console.log(`\n${lastLine(total)}`);
// A part that a test left running must not hold the verdict back.
process.exit(isSuccess(total) ? 0 : 1);

async function runTier(tier: Tier): Promise<Tally> {
  console.log(styleText('bold', `\n${tier}`));
  const started = performance.now();
  const result = tier === 'check' ? await runChecks() : await runRealTests(tier);
  console.log(styleText('dim', `  ${lastLine(result)} in ${seconds(performance.now() - started)}`));
  return result;
}

async function runRealTests(tier: Tier): Promise<Tally> {
  const { runTests } = await import('./runner/vitest.ts');
  return runTests(tier, filters);
}
