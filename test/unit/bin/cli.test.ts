import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const CLI = join(import.meta.dirname, '../../../bin/cli.ts');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ['up/missing', 1],
  ['--version', 0],
])(
  'a reader that has gone, as in "slipway | head", does not change the exit code: %s',
  async (args, code) => {
    const child = spawn(process.execPath, [CLI, ...args.split('/')], {
      cwd: folder,
      env: { ...process.env, XDG_CACHE_HOME: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.destroy();
    child.stderr.destroy();
    expect(await once(child, 'close')).toEqual([code, null]);
  },
);
