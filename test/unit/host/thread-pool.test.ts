import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { FakeRunner } from './runner.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-threads-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const host = JSON.stringify(pathToFileURL(join(import.meta.dirname, '../../../shared/host/index.ts')).href);
/** Counts the threads of libuv that work on more jobs than there may be threads. */
const count = `
import { pbkdf2 } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
export async function threads() {
  const job = () => new Promise((resolve) => pbkdf2('a', 'b', 1000, 32, 'sha256', resolve));
  await Promise.all(Array.from({ length: 64 }, job));
  const names = readdirSync('/proc/self/task').map((id) => readFileSync('/proc/self/task/' + id + '/comm', 'utf8'));
  return names.filter((name) => name.startsWith('libuv-worker')).length;
}
`;
writeFileSync(join(folder, 'count.mjs'), count);

/** The number of threads after `useAllCores(cores)` in a process of its own. */
function threadsWith(cores: number, env: NodeJS.ProcessEnv = {}): number {
  const script = join(folder, 'program.mjs');
  writeFileSync(
    script,
    `import { useAllCores } from ${host};
     import { threads } from './count.mjs';
     useAllCores(${cores});
     console.log(await threads());`,
  );
  return Number(
    execFileSync(process.execPath, [script], { env: { PATH: process.env.PATH, ...env }, encoding: 'utf8' }),
  );
}

describe.skipIf(process.platform !== 'linux')("libuv's threads, which Linux tells of", () => {
  it.each([
    [9, 9],
    [6, 6],
    [2, 4],
  ])('of a machine with %i cores are %i', (cores, threads) => {
    expect(threadsWith(cores)).toBe(threads);
  });

  it('are as many as whoever set the variable wants', () => {
    expect(threadsWith(9, { UV_THREADPOOL_SIZE: '3' })).toBe(3);
  });

  it('are those of all cores in an action', async () => {
    const script = join(folder, 'action.mjs');
    writeFileSync(
      script,
      `import { defineAction, runAction } from ${host};
       import { threads } from './count.mjs';
       const text = { name: 'threads', title: 'Threads', description: 'Counts.', icon: 'box', color: 'blue' };
       const definition = defineAction({ ...text, inputs: {}, outputs: { threads: 'How many.', size: 'Variable.' } });
       await runAction(definition, async (host) => {
         host.output('threads', String(await threads()));
         host.output('size', process.env.UV_THREADPOOL_SIZE ?? '');
       });`,
    );
    using runner = new FakeRunner();
    const wanted = String(Math.max(4, availableParallelism()));
    const { outputs } = await runner.run(script, {});
    expect(outputs).toEqual({ threads: wanted, size: wanted });
  });
});
