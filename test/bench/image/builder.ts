import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import { type BuildKit, freshBuildkit } from '../../lab/index.ts';
import { sessionDirectory } from '../../lab/session.ts';

/** A BuildKit daemon with empty state, as docker/setup-buildx-action has one after its step. */
export interface FreshBuilder extends AsyncDisposable {
  /** `unix://…` */
  readonly address: string;
  /** Milliseconds from the start of the daemon until it took requests. */
  readonly boot: number;
  /** Whether anything was built on it. */
  used(): Promise<boolean>;
}

export async function bootBuilder(): Promise<FreshBuilder> {
  const before = new Set(await stateFolders());
  const started = performance.now();
  const daemon = await freshBuildkit();
  const boot = performance.now() - started;
  return {
    address: daemon.address,
    boot,
    used: () => hasBuilt(daemon),
    async [Symbol.asyncDispose]() {
      await daemon[Symbol.asyncDispose]();
      for (const name of await stateFolders())
        if (!before.has(name)) await rm(join(sessionDirectory(), name), { recursive: true, force: true });
    },
  };
}

const stateFolders = async () =>
  (await readdir(sessionDirectory())).filter((name) => name.startsWith('buildkit-state-'));

/** The daemon keeps a record of each build. */
async function hasBuilt({ address, buildctl }: BuildKit): Promise<boolean> {
  const { stdout } = await run({ program: buildctl, args: ['--addr', address, 'debug', 'histories'] });
  // The first line is the table's head.
  return stdout.toString().trim().split('\n').length > 1;
}
