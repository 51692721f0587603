import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { run } from '../../exec/index.ts';
import {
  type Descriptor,
  describe,
  type Layout,
  MediaType,
  openLayout,
  type Platform,
  writeLayer,
} from '../../oci/index.ts';
import { dockerArchive } from '../export/archives.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import { packTree } from '../results/pack.ts';
import { canExport } from './engine.ts';
import type { BuilderRun } from './run.ts';

/** A stage's files as a named context of a builder. */
export interface HandedIn {
  /** In buildx's words. */
  readonly context: string;
  /** Takes back what was put into an engine for it. */
  readonly release: () => Promise<void>;
}

/** Files of a stage, and the platform of the image that they are taken into. */
export interface StageFiles {
  readonly platform: Platform;
  readonly files: Directory;
}

/** Archives in the form of ZIP know no time before 1980 (in any time zone), and tools that write them end at a file that is older. */
const OLDEST = Date.UTC(1980, 0, 2) / 1000;

/**
 * Makes files of a stage known to a builder, as images of one layer: owners, modes and links survive, which a folder does not give a
 * builder. They go as a layout, with an index where they are for several platforms. An engine's own builder cannot read one while it
 * keeps images in a graph driver; it makes one platform at a time, and gets an image. Files have the time of the image, as those have that
 * a stage which is run leaves behind.
 */
export async function handIn(
  stages: readonly StageFiles[],
  folder: string,
  digests: ContentDigests,
  epoch: number,
  builder: BuilderRun,
): Promise<HandedIn> {
  const time = Math.max(epoch, OLDEST);
  await mkdir(folder, { recursive: true });
  const layout = await openLayout(folder);
  const made: Descriptor[] = [];
  for (const stage of stages) made.push(await writeImage(stage, layout, digests, time, builder.signal));
  const [only, ...more] = made;
  if (await canExport(builder.settings, builder.signal)) {
    const root = more.length === 0 ? only! : await writeIndex(made, layout);
    return { context: `oci-layout://${folder}@${root.digest}`, release: async () => {} };
  }
  return await loadImage(only!, layout, folder, builder);
}

async function writeImage(
  { platform, files }: StageFiles,
  layout: Layout,
  digests: ContentDigests,
  time: number,
  signal: AbortSignal | undefined,
): Promise<Descriptor> {
  const packed = await packTree(files, [], digests);
  if (packed === undefined) throw new Error('Devices and pipes cannot be handed to a builder.');
  const members = packed.members.map((one) => ({ ...one, entry: { ...one.entry, mtime: time } }));
  const { descriptor, diffId } = await writeLayer(members, {
    compression: 'none',
    target: layout,
    ...(signal !== undefined && { signal }),
  });
  const rootfs = { type: 'layers', diff_ids: [diffId] };
  const config = Buffer.from(JSON.stringify({ ...platform, config: {}, rootfs }));
  const configDescriptor = describe(config, MediaType.ociConfig);
  await layout.put(configDescriptor, async function* () {
    yield config;
  });
  const own = { config: configDescriptor, layers: [descriptor] };
  const manifest = document(MediaType.ociManifest, own);
  const stored = await layout.putManifest(manifest, MediaType.ociManifest, []);
  return { mediaType: MediaType.ociManifest, digest: stored.digest, size: manifest.length, platform };
}

async function writeIndex(manifests: readonly Descriptor[], layout: Layout): Promise<Descriptor> {
  return await layout.putManifest(document(MediaType.ociIndex, { manifests }), MediaType.ociIndex, ['stage']);
}

function document(mediaType: string, content: object): Buffer {
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...content }));
}

async function loadImage(
  image: Descriptor,
  layout: Layout,
  folder: string,
  { settings, signal }: BuilderRun,
): Promise<HandedIn> {
  const tag = `slipway-handover:${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  const program = settings.program ?? 'docker';
  await run({
    program,
    args: ['image', 'load', '--quiet'],
    input: Readable.from(dockerArchive(layout, image, [tag])),
    ...(signal !== undefined && { signal }),
  });
  const release = async () => {
    await run({ program, args: ['image', 'rm', '--no-prune', tag], accept: [0, 1] });
  };
  return { context: `docker-image://${tag}`, release };
}
