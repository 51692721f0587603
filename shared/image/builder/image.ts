import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readTar } from '../../content/index.ts';
import { ExecError, run } from '../../exec/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import {
  compress,
  type Descriptor,
  describe,
  formatPlatform,
  type Index,
  type Layout,
  layerType,
  MediaType,
  openLayout,
} from '../../oci/index.ts';
import { annotationsFor } from '../annotations.ts';
import { type Delivery, deliverCopy } from '../deliver.ts';
import { descriptor, manifestDocument } from '../manifest.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import type { ImageResult } from '../result.ts';
import { platformsOf } from '../reuse/reuse.ts';
import {
  type BuilderSettings,
  commonArguments,
  contextArguments,
  imageArguments,
  outputAttributes,
} from './arguments.ts';
import { runBuildx } from './buildx.ts';
import { writeDockerfile } from './dockerfile.ts';
import type { BuilderRun } from './stages.ts';

/** Lets a builder make the whole image, and brings what it made to the targets. */
export async function buildWithBuilder(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  builder: BuilderRun,
  task: Task,
): Promise<ImageResult> {
  const made = await task.task('Build with BuildKit', (child) => makeLayout(plan, builder, child));
  const delivered = await Promise.all(
    deliveries.map((delivery) => deliverCopy(made.layout, made.root, delivery, undefined, task)),
  );
  return {
    descriptor: made.root,
    platforms: await platformsOf(made.layout, made.root),
    reused: false,
    deliveries: delivered,
  };
}

interface MadeLayout {
  readonly layout: Layout;
  readonly root: Descriptor;
}

async function makeLayout(plan: ImagePlan, builder: BuilderRun, task: Task): Promise<MadeLayout> {
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

/** What would be lost on the way through an engine, as a Failure before anything is built. */
export function checkForEngine({ platforms }: ImageRequest, { attests }: BuilderSettings): void {
  const way =
    'use a builder with the docker-container or remote driver (docker buildx create --use), or turn the engine’s containerd image store on';
  if (platforms.length > 1)
    throw new Failure(
      `Input "platforms" asks for ${platforms.map(formatPlatform).join(', ')}, and the engine’s own builder makes one at a time while the engine keeps images in a graph driver; ${way}.`,
    );
  if (attests.length > 0)
    throw new Failure(
      `The attestation ${attests[0]} is asked for (inputs "provenance", "sbom" and "attests"), and an engine that keeps images in a graph driver has no place for attestations; ${way}.`,
    );
}

/**
 * Whether the builder can export a layout. The engine's own builder can do so only when it keeps its images in containerd; with a
 * graph driver, as on GitHub's hosted runners, it can load them into the engine, which can save them.
 */
async function canExport(settings: BuilderSettings, signal: AbortSignal | undefined): Promise<boolean> {
  const ask = async (args: readonly string[]): Promise<string> => {
    try {
      const { stdout } = await run({
        program: settings.program ?? 'docker',
        args,
        ...(signal !== undefined && { signal }),
      });
      return stdout.toString();
    } catch (error) {
      if (error instanceof ExecError && error.reason !== 'cancelled') return '';
      throw error;
    }
  };
  const inspected = await ask([
    'buildx',
    'inspect',
    ...(settings.builder === undefined ? [] : [settings.builder]),
  ]);
  if (!/^Driver:\s*docker\s*$/m.test(inspected)) return true;
  return (await ask(['info', '--format', '{{json .DriverStatus}}'])).includes('io.containerd.snapshotter');
}

/** What the engine saves as `docker save` does, made into a layout with compressed layers. */
async function saveFromEngine(
  plan: ImagePlan,
  builder: BuilderRun,
  tag: string,
  folder: string,
): Promise<MadeLayout> {
  const saved = join(folder, 'saved');
  await mkdir(saved, { recursive: true });
  const program = builder.settings.program ?? 'docker';
  const names = new Map<string, string>();
  await run({
    program,
    args: ['image', 'save', tag],
    consume: (stdout) => unpack(stdout, saved, names),
    ...(builder.signal !== undefined && { signal: builder.signal }),
  });
  await run({ program, args: ['image', 'rm', '--no-prune', tag], accept: [0, 1] });
  const layout = await openLayout(join(folder, 'image'));
  return { layout, root: await repack(plan, layout, names) };
}

async function unpack(archive: Readable, folder: string, names: Map<string, string>): Promise<void> {
  for await (const { entry, content } of readTar(archive)) {
    if (entry.type === 'file') {
      // Never under the name that the archive gives: what it says is no path of this machine.
      const path = join(folder, String(names.size));
      await pipeline(content, createWriteStream(path));
      names.set(entry.name, path);
    } else if ((entry.type === 'symlink' || entry.type === 'hardlink') && entry.linkname !== undefined) {
      const target = names.get(join(entry.type === 'symlink' ? join(entry.name, '..') : '', entry.linkname));
      if (target !== undefined) names.set(entry.name, target);
    }
  }
}

async function repack(
  plan: ImagePlan,
  layout: Layout,
  names: ReadonlyMap<string, string>,
): Promise<Descriptor> {
  const fileOf = (name: string): string => {
    const path = names.get(name);
    if (path === undefined) throw new Error(`docker save gave no ${name}.`);
    return path;
  };
  const [image] = JSON.parse(await readFile(fileOf('manifest.json'), 'utf8')) as [
    { Config: string; Layers: string[] },
  ];
  const { request } = plan;
  const docker = request.mediaTypes === 'docker';
  const config = await readFile(fileOf(image.Config));
  const configDescriptor = descriptor(
    describe(config, docker ? MediaType.dockerConfig : MediaType.ociConfig),
  );
  await layout.put(configDescriptor, () => bytes(config));
  const mediaType = layerType(request.compression, docker);
  const layers: Descriptor[] = [];
  for (const name of image.Layers) {
    const stored = await layout.stream(
      compress(createReadStream(fileOf(name)), request.compression, request.level),
    );
    layers.push(descriptor({ mediaType, ...stored }));
  }
  const annotations = annotationsFor(request.annotations, 'manifest', request.platforms[0]);
  const manifest = manifestDocument(configDescriptor, layers, annotations, request.mediaTypes);
  return await layout.putManifest(manifest.bytes, manifest.mediaType, ['made']);
}

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  yield content;
}
