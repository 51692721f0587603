import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../../shared/exec/index.ts';

test('a run that finds no test fails, and still ends with the line that counts', async () => {
  const { code, stdout } = await run({
    program: process.execPath,
    args: ['test/run.ts', 'unit', 'no-file-is-called-this'],
    cwd: join(import.meta.dirname, '../../..'),
    accept: [0, 1],
  });
  expect(stdout.toString().split('\n').at(-2)).toBe('0 passed, 0 failed, 0 skipped');
  expect(code).toBe(1);
});
