import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createIgnore } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import { type Descriptor, type Index, MediaType, openLayout } from '../../oci/index.ts';
import { annotationsFor } from '../annotations.ts';
import { diskTree } from '../files/disk.ts';
import { descriptor } from '../manifest.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import { imageArguments, outputAttributes } from './arguments.ts';
import { type Derivation, deriveBuild, type PlatformBuild, releaseAll } from './derived.ts';
import { canExport, checkForEngine, type MadeLayout, saveFromEngine } from './engine.ts';
import { type GatheredStages, gatherStages, type MadeStages, type StageMaking } from './stages.ts';

/** An image that a builder made, and what it left behind of its stages. */
export interface MadeWhole extends MadeLayout {
  readonly stages: readonly MadeStages[];
}

/**
 * Lets a builder make the whole image, into a layout. Stages whose files are at hand are not run for it; with attestations they are, for
 * these shall say what the user's own Dockerfile does.
 */
export async function makeWhole(plan: ImagePlan, making: StageMaking, task: Task): Promise<MadeWhole> {
  const { builder } = making;
  const exports = await canExport(builder.settings, builder.signal);
  if (!exports) checkForEngine(plan.request, builder.settings);
  const attested = builder.settings.attests.length > 0;
  const how = attested ? plainly(making) : making;
  const gathered = await Promise.all(
    plan.platforms.map((platform) =>
      attested ? everything(platform) : gatherStages(plan, platform, how, task),
    ),
  );
  const handedIn: Derivation['handedIn'] = new Map();
  const release = async () => {
    await releaseAll(handedIn);
    await Promise.all(gathered.map((one) => one.release()));
  };
  try {
    const made = await makeFrom(plan, how, gathered, handedIn, exports, task);
    return { ...made, stages: made.stages.map((one) => ({ ...one, release })) };
  } catch (error) {
    await release();
    throw error;
  }
}

function plainly(making: StageMaking): StageMaking {
  return { ...making, results: undefined, seeds: undefined, pins: async () => undefined };
}

/** All stages of a platform, carried out by the builder. */
function everything(plan: PlatformPlan): GatheredStages {
  const { stages, platform } = plan;
  const release = async () => {};
  const finish = (): MadeStages => ({
    files: new Map(),
    contents: new Map(),
    outcomes: stages.map(({ stage: { index } }) => ({ platform, stage: index, how: 'built' })),
    steps: [],
    results: [],
    keys: new Map(),
    keepMounts: [],
    release,
  });
  return { build: { plan, runs: stages.map(({ stage }) => stage), atHand: new Map() }, finish, release };
}

async function makeFrom(
  plan: ImagePlan,
  { builder, pins, seeds }: StageMaking,
  gathered: readonly GatheredStages[],
  handedIn: Derivation['handedIn'],
  exports: boolean,
  task: Task,
): Promise<MadeWhole> {
  const folder = join(builder.temporary, `whole-${randomUUID()}`);
  const destination = join(folder, 'image');
  const platforms = gathered.map(({ build }) => (gathered.length > 1 ? withFolders(build) : build));
  const need = `This image has to be made by BuildKit (${reasonOf(plan)})`;
  const derived = await deriveBuild({ plan, platforms, builder, pins, seeds, folder, need, handedIn }, task);
  const tag = `slipway-handover:${createHash('sha256').update(folder).digest('hex').slice(0, 12)}`;
  const output = exports
    ? `type=oci,tar=false,dest=${destination},${outputAttributes(plan.request)}`
    : 'type=docker';
  const request = exports ? plan.request : { ...plan.request, annotations: [] };
  const args = [...imageArguments(builder.settings, request), '--output', output];
  const steps = await derived.call({ args: exports ? args : [...args, '--tag', tag] }, task);
  const made = exports ? await openMade(destination) : await saveFromEngine(plan, builder, tag, folder);
  const stages = gathered.map(({ finish }) => finish(derived));
  return {
    ...made,
    root: annotated(made.root, plan.request),
    stages: stages.map((one, at) => (at > 0 ? one : { ...one, steps, keepMounts: [derived.keepMounts] })),
  };
}

/** Stages that are handed in as folders, among those that are at hand: a folder for one platform alone has no name in buildx. */
function withFolders(build: PlatformBuild): PlatformBuild {
  const folders = build.plan.stages.flatMap(({ stage, method }) => {
    if (method.kind !== 'handed-in') return [];
    const ignore = join(method.directory, '.dockerignore');
    const rules = existsSync(ignore) ? createIgnore(readFileSync(ignore, 'utf8')) : undefined;
    return [[stage.index, diskTree(method.directory, rules)] as const];
  });
  return { ...build, atHand: new Map([...build.atHand, ...folders]) };
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
