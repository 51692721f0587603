import { join } from 'node:path';
import { Failure, type Host, type Inputs } from '../../shared/host/index.ts';
import {
  exportDocker,
  exportFolder,
  exportOci,
  exportTar,
  type ImagePlan,
  type ImageResult,
  loadIntoEngine,
  type PlatformResult,
} from '../../shared/image/index.ts';
import { copyImage, type Layout, openLayout } from '../../shared/oci/index.ts';
import type { definition } from './definition.ts';
import type { Places } from './deliveries.ts';
import type { Output } from './outputs.ts';

/** Loads the image into the engine and writes the files that were asked for, from the layout that has it. */
export async function exportImage(
  host: Host,
  plan: ImagePlan,
  result: ImageResult,
  { local, names }: Places,
  inputs: Inputs<typeof definition>,
  outputs: readonly Output[],
  cache: string,
): Promise<void> {
  if (local === undefined) return;
  if (inputs.load || outputs.some(({ type }) => type === 'load'))
    await host.task('Load into the engine', async (task) => {
      const { id, platform } = await loadIntoEngine(
        local,
        result.platforms,
        names,
        { signal: host.signal },
        task,
      );
      task.note(`${platform} ${id.slice(0, 19)}`);
    });
  const folders = { temporary: join(host.temporary, 'export'), cache };
  for (const output of outputs) {
    const title = titleOf(output);
    if (title === undefined) continue;
    await host.task(title, () => exportOne(output, plan, result, local, names, folders));
  }
}

function titleOf(output: Output): string | undefined {
  switch (output.type) {
    case 'load':
    case 'push':
      return undefined;
    case 'local':
    case 'layout':
      return `Export to ${output.folder}`;
    default:
      return `Export to ${output.file}`;
  }
}

async function exportOne(
  output: Output,
  plan: ImagePlan,
  result: ImageResult,
  local: Layout,
  names: readonly string[],
  folders: { readonly temporary: string; readonly cache: string },
): Promise<void> {
  const { platforms, descriptor } = result;
  switch (output.type) {
    case 'oci':
      return await exportOci(local, descriptor, names, output.file);
    case 'layout':
      await copyImage(local, descriptor.digest, await openLayout(output.folder), {
        tags: names.length === 0 ? ['latest'] : names,
      });
      return;
    case 'docker':
      return await exportDocker(local, single(platforms, 'type=docker').manifest, names, output.file);
    case 'tar':
      return await exportTar(
        local,
        single(platforms, 'type=tar').manifest,
        output.file,
        plan.request.epoch,
        folders,
      );
    case 'local':
      // As buildx does: a folder for each platform when there are several.
      for (const { platform, manifest } of platforms)
        await exportFolder(
          local,
          manifest,
          platforms.length === 1 ? output.folder : join(output.folder, platform.replaceAll('/', '_')),
          folders,
        );
      return;
    case 'load':
    case 'push':
      return;
  }
}

function single(platforms: readonly PlatformResult[], what: string): PlatformResult {
  const [only, ...others] = platforms;
  if (only !== undefined && others.length === 0) return only;
  throw new Failure(
    `The output ${what} holds one platform, and ${platforms.map(({ platform }) => platform).join(', ')} are built; use type=oci or one platform.`,
  );
}
