import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '../../../shared/host/index.ts';
import {
  buildImage,
  type ImagePlan,
  type ImageRequest,
  noSettings,
  planImage,
  type ResolveImage,
} from '../../../shared/image/index.ts';
import { type ImageConfig, type Layout, machinePlatform, openLayout } from '../../../shared/oci/index.ts';

/** A task that nobody watches. */
export const quiet: Task = {
  task: (_, work) => work(quiet),
  log: () => {},
  note: () => {},
};

export function requestFor(folder: string, more: Partial<ImageRequest> = {}): ImageRequest {
  const platform = { ...machinePlatform(), os: 'linux' };
  return {
    workspace: folder,
    context: folder,
    dockerfile: join(folder, 'Dockerfile'),
    target: undefined,
    platforms: [platform],
    buildPlatform: platform,
    buildArgs: {},
    labels: {},
    annotations: [],
    contexts: {},
    handedIn: {},
    compression: 'gzip',
    level: undefined,
    mediaTypes: 'oci',
    epoch: 0,
    state: undefined,
    cache: `${folder}-cache`,
    builderOnly: undefined,
    ...more,
  };
}

export async function plan(request: ImageRequest, images: ResolveImage): Promise<ImagePlan> {
  return await (await planImage(request, images, `${request.context}-tmp`)).complete();
}

export interface Assembled {
  readonly layout: Layout;
  readonly config: ImageConfig;
}

/** Assembles a planned image into a layout of its own. A builder is not to be had. */
export async function assemble(planned: ImagePlan): Promise<Assembled> {
  const layout = await openLayout(`${planned.request.context}-layout`);
  const options = {
    temporary: `${planned.request.context}-tmp`,
    builder: { ...noSettings, program: 'no-builder-here' },
  };
  const result = await buildImage(
    planned,
    [{ kind: 'layout', target: layout, tags: ['native'] }],
    options,
    quiet,
  );
  const { digest } = result.platforms[0]!.config;
  const bytes = await readFile(join(layout.directory, 'blobs', digest.replace(':', '/')), 'utf8');
  if ((await layout.tags()).length === 0) throw new Error('the layout has no image');
  return { layout, config: JSON.parse(bytes) as ImageConfig };
}
