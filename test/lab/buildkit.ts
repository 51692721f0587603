import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../shared/exec/index.ts';
import { engineBin } from './engine.ts';
import { missing, type Part } from './part.ts';
import { find, isRoot } from './place.ts';
import { type Registry, registry } from './registry.ts';
import { once, sessionDirectory, socketFolder, startDaemon } from './session.ts';

/** A BuildKit daemon of its own, which knows everything that the engine's built-in one does not: OCI output, zstd, cache export. */
export interface BuildKit {
  /** `unix://…`, for buildctl and for buildx's remote driver. */
  readonly address: string;
  readonly buildctl: string;
}

/** Docker Hub and gcr.io are looked for in the lab's registry. Its state is empty at first: it is what a fresh runner has. */
export function buildkit(): Promise<Part<BuildKit>> {
  return once('buildkit', async () => {
    const daemon = find('buildkitd');
    const buildctl = find('buildctl');
    const runc = find('runc', engineBin);
    if (daemon === undefined || buildctl === undefined)
      return missing('BuildKit was not built, `SLIPWAY_LAB_FULL=1 npm run lab` does it in some minutes');
    if (runc === undefined) return missing('runc is not installed');
    if (!isRoot) return missing('a BuildKit daemon needs root');
    const directory = join(sessionDirectory(), 'buildkit');
    await mkdir(directory);
    const configuration = join(directory, 'buildkitd.toml');
    await writeFile(configuration, configure(runc, await registry()));
    const address = `unix://${join(await socketFolder(), 'buildkitd.sock')}`;
    await startDaemon({
      name: 'buildkit',
      program: daemon,
      args: ['--config', configuration, '--root', join(directory, 'state'), '--addr', address],
      ready: () => run({ program: buildctl, args: ['--addr', address, 'debug', 'workers'], timeout: 5_000 }),
    });
    return { available: true, address, buildctl } as const;
  });
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
