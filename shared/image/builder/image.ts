import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Task } from '../../host/index.ts';
import { type Descriptor, type Index, MediaType, openLayout } from '../../oci/index.ts';
import { annotationsFor } from '../annotations.ts';
import { descriptor } from '../manifest.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import { commonArguments, contextArguments, imageArguments, outputAttributes } from './arguments.ts';
import { runBuildx } from './buildx.ts';
import { writeDockerfile } from './dockerfile.ts';
import { canExport, checkForEngine, type MadeLayout, saveFromEngine } from './engine.ts';
import type { BuilderRun } from './run.ts';

/** Lets a builder make the whole image, into a layout. */
export async function makeWhole(plan: ImagePlan, builder: BuilderRun, task: Task): Promise<MadeLayout> {
  const folder = join(builder.temporary, 'whole');
  await mkdir(folder, { recursive: true });
  const exports = await canExport(builder.settings, builder.signal);
  if (!exports) checkForEngine(plan.request, builder.settings);
  const destination = join(folder, 'image');
  const output = exports
    ? `type=oci,tar=false,dest=${destination},${outputAttributes(plan.request)}`
    : 'type=docker';
  const tag = `slipway-handover:${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  await runBuildx({
    settings: builder.settings,
    signal: builder.signal,
    task,
    dockerfile: plan.dockerfile.path,
    need: `This image has to be made by BuildKit (${reasonOf(plan)})`,
    // biome-ignore format: one flag with its value a line
    args: [
      ...commonArguments(builder.settings, plan.request),
      ...contextArguments(plan.request, plan.request.platforms),
      ...imageArguments(builder.settings, exports ? plan.request : { ...plan.request, annotations: [] }),
      '--file', await writeDockerfile(plan, plan.dockerfile.source, folder),
      '--output', output,
      ...(exports ? [] : ['--tag', tag]),
      plan.request.context,
    ],
  });
  const made = exports ? await openMade(destination) : await saveFromEngine(plan, builder, tag, folder);
  return { ...made, root: annotated(made.root, plan.request) };
}

function reasonOf(plan: ImagePlan): string {
  const { reason, lines } = plan.because!;
  return lines === undefined ? reason : `${plan.dockerfile.path}, line ${lines.start}: ${reason}`;
}

async function openMade(directory: string): Promise<MadeLayout> {
  const layout = await openLayout(directory);
  const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as Index;
  const [root] = index.manifests;
  if (root === undefined) throw new Error('The builder exported a layout without an image.');
  return { layout, root: descriptor(root) };
}

/** The descriptor with the annotations that are its own: a layout has a place for them, a registry has none. */
function annotated(root: Descriptor, { annotations, platforms }: ImageRequest): Descriptor {
  const own = isIndex(root)
    ? annotationsFor(annotations, 'index-descriptor')
    : annotationsFor(annotations, 'manifest-descriptor', platforms[0]);
  return descriptor(root, { annotations: own });
}

function isIndex({ mediaType }: Descriptor): boolean {
  return mediaType === MediaType.ociIndex || mediaType === MediaType.dockerIndex;
}
