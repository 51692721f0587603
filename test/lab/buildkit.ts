import { mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { engineBin } from './engine.ts';
import { missing, type Part } from './part.ts';
import { find, isRoot } from './place.ts';
import { type Registry, registry } from './registry.ts';
import { once, type Running, sessionDirectory, socketFolder, startDaemon, stopDaemon } from './session.ts';

/** A BuildKit daemon of its own, which knows everything that the engine's built-in one does not: OCI output, zstd, cache export. */
export interface BuildKit {
  /** `unix://…`, for buildctl and for buildx's remote driver. */
  readonly address: string;
  readonly buildctl: string;
}

/** Docker Hub and gcr.io are looked for in the lab's registry. Its state is empty at first: it is what a fresh runner has. */
export function buildkit(): Promise<Part<BuildKit>> {
  return once('buildkit', async () => {
    const needs = programs();
    if (!needs.available) return needs;
    const { running: _, ...started } = await start(needs);
    return { available: true, ...started } as const;
  });
}

/** A BuildKit of the test's own, which may be emptied or killed. Call only where `buildkit()` is there. */
export async function freshBuildkit(): Promise<BuildKit & Running & AsyncDisposable> {
  const { running, ...started } = await start(programs() as Programs);
  return { ...started, ...running, [Symbol.asyncDispose]: () => stopDaemon(running) };
}

/** Takes everything from a builder but the bases that it has pulled: to a Dockerfile it is a fresh one, and it is ready at once. */
export async function forgetSteps({ address, buildctl }: BuildKit): Promise<void> {
  const notPulled = 'description~="^([^p]|p[^u])"';
  await run({ program: buildctl, args: ['--addr', address, 'prune', '--all', '--filter', notPulled] });
}

interface Programs {
  readonly daemon: string;
  readonly buildctl: string;
  readonly runc: string;
}

function programs(): Part<Programs> {
  const daemon = find('buildkitd');
  const buildctl = find('buildctl');
  const runc = find('runc', engineBin);
  if (daemon === undefined || buildctl === undefined)
    return missing('BuildKit was not built, `SLIPWAY_LAB_FULL=1 npm run lab` does it in some minutes');
  if (runc === undefined) return missing('runc is not installed');
  if (!isRoot) return missing('a BuildKit daemon needs root');
  return { available: true, daemon, buildctl, runc };
}

async function start({ daemon, buildctl, runc }: Programs): Promise<BuildKit & { running: Running }> {
  const directory = await mkdtemp(join(sessionDirectory(), 'buildkit-state-'));
  const configuration = join(directory, 'buildkitd.toml');
  await writeFile(configuration, configure(runc, await registry()));
  const address = `unix://${join(await socketFolder(), 'buildkitd.sock')}`;
  const running = await startDaemon({
    name: 'buildkit',
    program: daemon,
    args: ['--config', configuration, '--root', join(directory, 'state'), '--addr', address],
    ready: () => run({ program: buildctl, args: ['--addr', address, 'debug', 'workers'], timeout: 5_000 }),
  });
  return { address, buildctl, running };
}

function configure(runc: string, mirror: Part<Registry>): string {
  const mirrors = mirror.available
    ? ['docker.io', 'gcr.io'].map(
        (name) =>
          `[registry."${name}"]\n  mirrors = ["${mirror.host}"]\n[registry."${mirror.host}"]\n  http = true\n`,
      )
    : [];
  return `insecure-entitlements = ["network.host"]
[worker.oci]
  enabled = true
  snapshotter = "overlayfs"
  binary = "${runc}"
[worker.containerd]
  enabled = false
${[...new Set(mirrors.flatMap((text) => text.split(/(?=^\[)/m)))].join('')}`;
}
