import { join } from 'node:path';
import { build } from 'esbuild';
import { run } from '../../../shared/exec/index.ts';

const project = join(import.meta.dirname, '../../..');

/** Bundles the actions of this checkout as they are now. */
export async function bundleActions(directory: string): Promise<void> {
  await run({
    program: process.execPath,
    args: [join(project, 'build.ts'), directory],
    cwd: project,
    timeout: 120_000,
  });
}

/** Bundles what stands in for actions/cache, in the same way. */
export async function bundleOthers(directory: string): Promise<void> {
  await build({
    absWorkingDir: project,
    entryPoints: [join(import.meta.dirname, 'actions-cache.ts')],
    outfile: join(directory, 'actions-cache.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    minifyWhitespace: true,
    minifySyntax: true,
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    banner: {
      js: "import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
