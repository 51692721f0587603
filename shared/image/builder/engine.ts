import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { readTar } from '../../content/index.ts';
import { ExecError, run } from '../../exec/index.ts';
import { Failure } from '../../host/index.ts';
import {
  compress,
  type Descriptor,
  describe,
  formatPlatform,
  type Layout,
  layerType,
  MediaType,
  openLayout,
} from '../../oci/index.ts';
import { annotationsFor } from '../annotations.ts';
import { descriptor, manifestDocument } from '../manifest.ts';
import type { ImagePlan } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import type { BuilderSettings } from './arguments.ts';
import type { BuilderRun } from './run.ts';

/** What a builder made, in a layout of this run. */
export interface MadeLayout {
  readonly layout: Layout;
  readonly root: Descriptor;
}

/**
 * Whether the builder can export a layout. The engine's own builder can do so only when it keeps its images in containerd; with a
 * graph driver, as on GitHub's hosted runners, it can load them into the engine, which can save them.
 */
export function canExport(settings: BuilderSettings, signal: AbortSignal | undefined): Promise<boolean> {
  const asked = inspected.get(settings) ?? inspect(settings, signal);
  inspected.set(settings, asked);
  return asked;
}

/** A run asks for its builder once: it does not change its driver meanwhile. */
const inspected = new WeakMap<BuilderSettings, Promise<boolean>>();

async function inspect(settings: BuilderSettings, signal: AbortSignal | undefined): Promise<boolean> {
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
  const told = await ask([
    'buildx',
    'inspect',
    ...(settings.builder === undefined ? [] : [settings.builder]),
  ]);
  if (!/^Driver:\s*docker\s*$/m.test(told)) return true;
  return (await ask(['info', '--format', '{{json .DriverStatus}}'])).includes('io.containerd.snapshotter');
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
      `The attestation ${attests[0]} of BuildKit’s is asked for (input "attests", or "sbom" with a generator), and an engine that keeps images in a graph driver has no place for it; provenance: true and sbom: true need none, or ${way}.`,
    );
}

/** What the engine saves as `docker save` does, made into a layout with compressed layers. */
export async function saveFromEngine(
  plan: ImagePlan,
  builder: BuilderRun,
  tag: string,
  folder: string,
): Promise<MadeLayout> {
  const saved = join(folder, 'saved');
  await mkdir(saved, { recursive: true });
  const program = builder.settings.program ?? 'docker';
  const names = new Map<string, string>();
  try {
    await run({
      program,
      args: ['image', 'save', tag],
      consume: (stdout) => unpack(stdout, saved, names),
      ...(builder.signal !== undefined && { signal: builder.signal }),
    });
  } finally {
    await run({ program, args: ['image', 'rm', '--no-prune', tag], accept: [0, 1] });
  }
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
