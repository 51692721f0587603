// Stands in for actions/cache: restores or saves some folders with @actions/cache, the client that it is made of, with its defaults.
// INPUT_MODE, INPUT_KEY, INPUT_PREFIXES and INPUT_PATHS (one a line) say what; the output `hit` says whether the key itself was there.
import { appendFileSync } from 'node:fs';
import { restoreCache, saveCache } from '@actions/cache';

const lines = (name: string) => (process.env[`INPUT_${name}`] ?? '').split('\n').filter(Boolean);
const key = process.env.INPUT_KEY!;

if (process.env.INPUT_MODE === 'restore') {
  const found = await restoreCache(lines('PATHS'), key, lines('PREFIXES'));
  appendFileSync(process.env.GITHUB_OUTPUT!, `hit<<END\n${found === key}\nEND\n`);
} else {
  await saveCache(lines('PATHS'), key);
}
// Its HTTP client keeps connections open; the action ends in the same way.
process.exit();
