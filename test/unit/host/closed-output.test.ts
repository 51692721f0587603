import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';

const folder = mkdtempSync(join(tmpdir(), 'slipway-closed-output-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const script = join(import.meta.dirname, 'sample-action', 'main.ts');

/** Runs the sample action with nobody at the other end of its output from the start. */
function runUnread(mode: string): Promise<number | null> {
  for (const name of [mode, `${mode}-state`]) writeFileSync(join(folder, name), '');
  const child = spawn(process.execPath, [script], {
    env: {
      ...process.env,
      GITHUB_ACTIONS: 'true',
      GITHUB_OUTPUT: join(folder, mode),
      GITHUB_STATE: join(folder, `${mode}-state`),
      RUNNER_TEMP: folder,
      INPUT_WORDS: 'one\ntwo',
      INPUT_TOKEN: 'secret-token',
      INPUT_MODE: mode,
    },
  });
  child.stdout.destroy();
  child.stderr.destroy();
  return new Promise((resolve) => child.on('exit', resolve));
}

it('goes on to its end when nobody reads what it prints', async () => {
  expect(await runUnread('good')).toBe(0);
  expect(readFileSync(join(folder, 'good'), 'utf8')).toContain('one\ntwo');
});

it.each(['fault', 'uncaught'])('ends once and for all after a %s that it can tell nobody', async (mode) => {
  expect(await runUnread(mode)).toBe(1);
});
