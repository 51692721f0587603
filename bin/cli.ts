import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

// Compiling the bundle is a good part of a short run: Node keeps what it compiled. Never in a shared folder such as /tmp, where
// someone else could put code for us to run.
enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway', 'compiled'));

// Imported after that, so that they are kept too.
const [{ actions }, { exit, outliveReader, useAllCores }, { runCommand }] = await Promise.all([
  import('../actions/index.ts'),
  import('../shared/host/index.ts'),
  import('./command.ts'),
]);

useAllCores();
outliveReader();
await exit(
  await runCommand(process.argv.slice(2), {
    actions,
    // The manifest lies one folder up from here, from bin/ as from dist/.
    version: () => JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')).version,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
  }),
);
