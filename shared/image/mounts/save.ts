import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { readTar, type TarMember } from '../../content/index.ts';
import { formatBytes, type Task } from '../../host/index.ts';
import {
  type Descriptor,
  describe,
  type ImageConfig,
  type ImageTarget,
  MediaType,
  type Platform,
  parseConfig,
  writeLayer,
} from '../../oci/index.ts';
import { descriptor, manifestDocument } from '../manifest.ts';
import { type CacheMount, mountOptions, type SeedSource } from './cache-mount.ts';
import { type FoundSeed, SAVED, type SeedCarrier, savedAt } from './carrier.ts';
import type { SolveAgain } from './mounts.ts';
import { type Gathering, gatherScript, places, runInstruction, surveyScript } from './script.ts';
import { parseSurvey, type Survey } from './survey.ts';

/** A mount as it was during the solve. */
export interface UsedMount {
  readonly mount: CacheMount;
  readonly found: FoundSeed | undefined;
  readonly seed: SeedSource | undefined;
  /** The name that the seed of this branch gets. */
  readonly name: string;
}

const SURVEY = 'slipway-survey';
const GATHER = 'slipway-gather';
const SEED = 'slipway-seed';

/** Looks into mounts of one stage, in the builder: what there is, what was used, what is new. */
export async function surveyMounts(
  again: SolveAgain,
  from: string,
  mounts: readonly UsedMount[],
  folder: string,
): Promise<Survey[]> {
  const flags = mounts.flatMap((one, at) => mountFlags(one, at));
  const script = await writeScript(folder, 'survey', surveyScript(mounts.map((_, at) => at)));
  const found = new Map<string, string>();
  await again({
    appended: [
      `FROM ${from} AS ${SURVEY}`,
      'USER 0',
      runInstruction(flags, script),
      `FROM scratch AS ${SURVEY}-out`,
      `COPY --from=${SURVEY} ${places.out}/ /`,
    ].join('\n'),
    target: `${SURVEY}-out`,
    output: 'type=tar,dest=-',
    consume: async (stdout) => {
      for await (const { entry, content } of readTar(stdout))
        if (entry.type === 'file') found.set(entry.name.replace(/^\.?\//, ''), await smallText(content));
    },
  });
  return mounts.map((_, at) => parseSurvey(found.get(String(at)) ?? ''));
}

/** Puts a script into the own context, under a name of its own: it is to run although the builder may have run one like it. */
async function writeScript(folder: string, name: string, text: string): Promise<string> {
  const file = `${name}-${randomUUID()}.sh`;
  await writeFile(join(folder, file), text);
  return file;
}

const SMALL = 4096;

async function smallText(content: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const chunk of content) {
    text += Buffer.from(chunk).toString('utf8');
    if (text.length > SMALL) throw new Error('The survey of a cache mount came out too long.');
  }
  return text;
}

/** The mount as the solve had it, and the seed that it started from, for comparison. */
function mountFlags({ mount, seed }: UsedMount, at: number): string[] {
  const own = `--mount=type=cache,target=${places.mount(at)},${mountOptions(mount, seed)}`;
  if (seed === undefined) return [own];
  return [own, `--mount=type=bind,from=${seed.context},target=${places.seed(at)}`];
}

/** How a mount is gathered and where it goes. */
export interface SaveWork {
  readonly used: UsedMount;
  readonly from: string;
  readonly survey: Survey;
  readonly delta: boolean;
  readonly carrier: SeedCarrier;
  /** Whether the builder can bring an image to a registry by itself. */
  readonly pushes: boolean;
  readonly platform: Platform;
  /** Seconds since 1970. */
  readonly now: number;
  /** The own context of the solve. */
  readonly folder: string;
}

/** From this size on content goes up, and comes down, in several layers side by side. */
const SPLIT_BYTES = 128 * 2 ** 20;
const PARTS = 4;
/** Older than the hour within which Go does not note a use, younger than the five days after which it trims. */
const BACKDATED = 25 * 3600;

/** What was stored, in compressed bytes that are new. */
export async function saveMount(again: SolveAgain, work: SaveWork, task: Task): Promise<number> {
  const { survey, delta, carrier, used } = work;
  const parts = !delta && survey.kind === 'objects' && survey.kept.bytes > SPLIT_BYTES ? PARTS : 1;
  const gathering = { at: 0, kind: survey.kind, delta, parts, time: work.now - BACKDATED } as const;
  const script = await writeScript(work.folder, 'gather', gatherScript(gathering));
  const appended = seedStages(work, gathering, script);
  const reference = work.pushes ? carrier.reference(used.name) : undefined;
  const bytes =
    reference === undefined
      ? await saveThrough(again, work, appended, task)
      : await saveByBuilder(again, work, appended, reference);
  // An image that holds nothing would be taken by every later run, and help none.
  if (bytes * NOTHING < (delta ? survey.fresh : survey.kept).bytes)
    throw new Error(
      `only ${formatBytes(bytes)} were stored of ${formatBytes((delta ? survey.fresh : survey.kept).bytes)}`,
    );
  return bytes;
}

/** No content is compressed to less than this part of it. */
const NOTHING = 10_000;

/** The stages that make the seed: one that gathers in the user's stage, one that holds nothing else. */
function seedStages({ used, from, delta, pushes }: SaveWork, gathering: Gathering, script: string): string {
  const base = delta && pushes ? used.seed!.context : 'scratch';
  return [
    `FROM ${from} AS ${GATHER}`,
    'USER 0',
    runInstruction(mountFlags(used, gathering.at), script),
    `FROM ${base} AS ${SEED}`,
    ...Array.from({ length: gathering.parts }, (_, part) => `COPY --from=${GATHER} ${places.out}/${part}/ /`),
  ].join('\n');
}

/** The builder makes the image and pushes it: the content never comes here. */
async function saveByBuilder(
  again: SolveAgain,
  { used, carrier, now, delta }: SaveWork,
  appended: string,
  reference: string,
): Promise<number> {
  await again({
    appended,
    target: SEED,
    output: [
      'type=image',
      `"name=${reference}"`,
      'push=true',
      'store=false',
      'compression=zstd',
      'oci-mediatypes=true',
      `annotation.${SAVED}=${now}`,
    ].join(','),
  });
  const manifest = await carrier.pushed(used.name);
  // One that is younger is another run's, which was faster with the same name: that is as good.
  if (manifest === undefined || savedAt(manifest) < now)
    throw new Error(`${carrier.name} does not have what the builder pushed`);
  const before = new Set(delta ? used.found!.manifest.layers.map(({ digest }) => digest) : []);
  return sizeOf(manifest.layers.filter(({ digest }) => !before.has(digest)));
}

function sizeOf(layers: readonly Descriptor[]): number {
  return layers.reduce((sum, { size }) => sum + size, 0);
}

/** The content comes as a tar stream and leaves as layers, with a memory that does not grow with it. */
async function saveThrough(
  again: SolveAgain,
  { used, carrier, platform, now, delta }: SaveWork,
  appended: string,
  task: Task,
): Promise<number> {
  const { target, finish } = await carrier.open(used.name);
  const below = delta ? await takeOver(used.found!, target) : NOTHING_BELOW;
  const made: Layer[] = [];
  await again({
    appended,
    target: SEED,
    output: 'type=tar,dest=-',
    consume: async (stdout) => {
      made.push(...(await writeLayers(stdout, target)));
    },
  });
  const all = [...below, ...made];
  const config: ImageConfig = {
    ...platform,
    rootfs: { type: 'layers', diff_ids: all.map(({ diffId }) => diffId) },
  };
  const bytes = Buffer.from(JSON.stringify(config));
  const described = descriptor(describe(bytes, MediaType.ociConfig));
  await target.put(described, async function* () {
    yield bytes;
  });
  const layers = all.map((layer) => layer.descriptor);
  const manifest = manifestDocument(described, layers, { [SAVED]: String(now) }, 'oci');
  const root = await target.putManifest(manifest.bytes, manifest.mediaType, ['seed']);
  await finish(root.digest, task);
  return sizeOf(made.map((layer) => layer.descriptor));
}

type Layer = Pick<Awaited<ReturnType<typeof writeLayer>>, 'descriptor' | 'diffId'>;
const NOTHING_BELOW: readonly Layer[] = [];

/** The layers of the seed that the new one lies upon, brought to where the new one goes unless they are there. */
async function takeOver({ manifest, source }: FoundSeed, target: ImageTarget): Promise<readonly Layer[]> {
  const parts: Buffer[] = [];
  for await (const chunk of source.blob(manifest.config)) parts.push(Buffer.from(chunk));
  const { rootfs } = parseConfig(Buffer.concat(parts), 'The configuration of a seed');
  for (const layer of manifest.layers)
    if (!(await target.has(layer))) await target.put(layer, () => source.blob(layer));
  return manifest.layers.map((layer, at) => ({ descriptor: layer, diffId: rootfs.diff_ids[at]! }));
}

/** Cuts a tar stream into layers of about the same size. */
async function writeLayers(stdout: Readable, target: ImageTarget): Promise<Layer[]> {
  const members = readTar(stdout)[Symbol.asyncIterator]();
  const layers: Layer[] = [];
  let next = await members.next();
  async function* part(): AsyncGenerator<TarMember> {
    for (let size = 0; !next.done && size < SPLIT_BYTES * 2; next = await members.next()) {
      const { entry, content } = next.value;
      size += entry.size ?? 0;
      yield { entry, content: () => content };
    }
  }
  while (!next.done) layers.push(await writeLayer(part(), { compression: 'zstd', target }));
  return layers;
}
