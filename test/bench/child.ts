import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { build } from 'esbuild';
import { type Finished, run } from '../../shared/exec/index.ts';

/** A program of the bench, bundled as the actions are: reading TypeScript would be a good part of its time and memory. */
export interface Program extends AsyncDisposable {
  run(...args: readonly string[]): Promise<Finished>;
  /** The same, with its standard output given to somebody. */
  pipe(consume: (stdout: Readable) => Promise<void>, ...args: readonly string[]): Promise<Finished>;
}

export async function bundle(source: string): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-bench-'));
  const file = join(folder, 'program.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, source)],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minify: true,
    // Native parts of packages that are never reached here.
    external: ['*.node', 'cpu-features'],
    logLevel: 'error',
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
  });
  return {
    run: (...args) => run({ program: process.execPath, args: [file, ...args] }),
    pipe: (consume, ...args) => run({ program: process.execPath, args: [file, ...args], consume }),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
