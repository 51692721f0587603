import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../shared/exec/index.ts';
import { buildAndPush } from './buildx.ts';
import { restore, save } from './cache-action.ts';
import { BUILDER, type Contender, type Job } from './contender.ts';

/** Folders of the checkout that carry the content of cache mounts from run to run. */
const mounts = { 'go-mod': '/go/pkg/mod', 'go-build-cache': '/root/.cache/go-build' } as const;
const folders = Object.keys(mounts) as (keyof typeof mounts)[];

/**
 * The same with the cache mounts carried by hand: actions/cache and reproducible-containers/buildkit-cache-dance 3.3, whose commands
 * these are. Before the build a container copies folders into the mounts, after it another copies them out, and an image, an engine
 * and a tar stream bring them back; neither is done again where the key of the cache was there already.
 */
export const dance: Contender = {
  id: 'buildx-dance',
  name: 'the same, cache mounts carried by buildkit-cache-dance',
  builder: 'boots',
  pushes: true,
  async run(job) {
    const { runner } = job;
    const hit = await restore(job, 'mounts', folders);
    await runner.timed('inject', async () => {
      for (const folder of folders) await inject(job, folder);
    });
    await buildAndPush(job);
    if (hit) return;
    await runner.timed('extract', async () => {
      for (const folder of folders) await extract(job, folder);
    });
    await save(job, 'mounts', folders);
  },
  /** The next runner's engine is empty. */
  async after({ runner }) {
    await runner.call({ program: 'docker', args: ['rm', '-f', 'cache-container'], accept: [0, 1] });
    await runner.call({ program: 'docker', args: ['image', 'prune', '--all', '--force'] });
  },
};

async function inject({ runner, bases }: Job, folder: keyof typeof mounts): Promise<void> {
  const source = join(runner.workspace, folder);
  const scratch = await freshScratch(runner.workspace);
  await mkdir(source, { recursive: true });
  await writeFile(join(source, 'buildstamp'), new Date().toISOString());
  const dancefile = join(scratch, 'Dancefile.inject');
  await writeFile(
    dancefile,
    `FROM ${bases.utility}
COPY buildstamp buildstamp
RUN --mount=type=cache,target=${mounts[folder]} --mount=type=bind,source=.,target=/var/dance-cache \\
    cp -p -R /var/dance-cache/. ${mounts[folder]} || true
`,
  );
  // biome-ignore format: a flag with its value
  await runner.call({
    program: 'docker',
    args: ['buildx', 'build', '--builder', BUILDER, '-f', dancefile, '--tag', 'dance:inject', source],
  });
  await remove(source);
}

async function extract({ runner, bases }: Job, folder: keyof typeof mounts): Promise<void> {
  const scratch = await freshScratch(runner.workspace);
  await writeFile(join(scratch, 'buildstamp'), new Date().toISOString());
  const dancefile = join(scratch, 'Dancefile.extract');
  await writeFile(
    dancefile,
    `FROM ${bases.utility}
COPY buildstamp buildstamp
RUN --mount=type=cache,target=${mounts[folder]} \\
    mkdir -p /var/dance-cache/ && cp -p -R ${mounts[folder]}/. /var/dance-cache/ || true
`,
  );
  const docker = (...args: readonly string[]) => runner.call({ program: 'docker', args });
  // biome-ignore format: a flag with its value
  await docker('buildx', 'build', '--builder', BUILDER, '-f', dancefile, '--tag', 'dance:extract', '--load', scratch);
  await docker('rm', '-f', 'cache-container').catch(() => {});
  await docker('create', '-ti', '--name', 'cache-container', 'dance:extract');
  await runner.call({
    program: 'docker',
    args: ['cp', '-L', 'cache-container:/var/dance-cache', '-'],
    consume: async (input) => {
      await run({ program: 'tar', args: ['-H', 'posix', '-x', '-C', scratch], input });
    },
  });
  await remove(join(runner.workspace, folder));
  await rename(join(scratch, 'dance-cache'), join(runner.workspace, folder));
}

/** Outside of the checkout's tracked files, as the action's default `scratch` is; .dockerignore users add it by hand. */
async function freshScratch(workspace: string): Promise<string> {
  const scratch = join(workspace, '..', 'scratch');
  await remove(scratch);
  await mkdir(scratch);
  return scratch;
}

/** The module cache is read-only, folders too; the action calls `sudo rm -rf`. */
async function remove(path: string): Promise<void> {
  await run({ program: 'chmod', args: ['-R', 'u+w', path], accept: [0, 1] });
  await rm(path, { recursive: true, force: true });
}
