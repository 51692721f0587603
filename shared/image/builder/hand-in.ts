import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { run } from '../../exec/index.ts';
import { describe, MediaType, openLayout, type Platform, writeLayer } from '../../oci/index.ts';
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

/**
 * Makes files of stages known to a builder, as images of one layer: owners, modes and links survive, which a folder does not give a
 * builder. They go as a layout; an engine's own builder cannot read one while it keeps images in a graph driver, and gets an image.
 */
export async function handIn(
  files: Directory,
  platform: Platform,
  folder: string,
  digests: ContentDigests,
  builder: BuilderRun,
): Promise<HandedIn> {
  const packed = await packTree(files, digests);
  if (packed === undefined) throw new Error('Devices and pipes cannot be handed to a builder.');
  await mkdir(folder, { recursive: true });
  const layout = await openLayout(folder);
  const { signal } = builder;
  const { descriptor, diffId } = await writeLayer(packed.members, {
    compression: 'none',
    target: layout,
    ...(signal !== undefined && { signal }),
  });
  const { os, architecture, variant } = platform;
  const config = Buffer.from(
    JSON.stringify({
      os,
      architecture,
      ...(variant !== undefined && { variant }),
      config: {},
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  );
  const configDescriptor = describe(config, MediaType.ociConfig);
  await layout.put(configDescriptor, async function* () {
    yield config;
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: configDescriptor,
      layers: [descriptor],
    }),
  );
  const made = await layout.putManifest(manifest, MediaType.ociManifest, ['stage']);
  if (await canExport(builder.settings, signal))
    return { context: `oci-layout://${folder}@${made.digest}`, release: async () => {} };
  const tag = `slipway-handover:${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  const program = builder.settings.program ?? 'docker';
  await run({
    program,
    args: ['image', 'load', '--quiet'],
    input: Readable.from(dockerArchive(layout, made, [tag])),
    ...(signal !== undefined && { signal }),
  });
  const release = async () => {
    await run({ program, args: ['image', 'rm', '--no-prune', tag], accept: [0, 1] });
  };
  return { context: `docker-image://${tag}`, release };
}
