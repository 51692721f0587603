import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTar } from '../../content/index.ts';
import { type CopyStep, hasWildcards } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import { treeOfMembers } from '../files/base.ts';
import { spool } from '../files/contents.ts';
import type { IndexEntry } from '../files/layer-index.ts';
import { type Content, clean, type Directory, emptyDirectory, lookup } from '../files/tree.ts';
import { builderStages } from '../method.ts';
import { instructionOf, stageName } from '../names.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import { type BuilderSettings, commonArguments, contextArguments } from './arguments.ts';
import { runBuildx } from './buildx.ts';
import { writeDockerfile } from './dockerfile.ts';

const HANDOVER = 'slipway-handover';

export interface BuilderRun {
  readonly settings: BuilderSettings;
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
}

/**
 * Lets a builder run the stages that need a container, and takes from them what later stages copy, not their layers: the Dockerfile
 * gets one more stage that copies just that into an empty image, which comes back as a tar stream, so that owners and modes survive.
 */
export async function buildStages(
  plan: ImagePlan,
  platform: PlatformPlan,
  builder: BuilderRun,
  task: Task,
): Promise<ReadonlyMap<number, Directory>> {
  const stages = builderStages(platform.graph, platform.stages);
  const wanted = new Map(stages.map(({ stage }) => [stage.index, wantedPaths(platform, stage.index)]));
  const names = stages.map(({ stage }) => stageName(stage)).join(', ');
  const first = stages[0]!;
  const lines = first.method.kind === 'builder' ? first.method.lines : first.stage.lines;
  const files = await task.task(`Build stage ${names} for ${formatPlatform(platform.platform)}`, (child) =>
    extract(plan, platform, wanted, builder, child, {
      need: `The stage ${stageName(first.stage)} has to be run (${plan.dockerfile.path}, line ${lines.start})`,
    }),
  );
  return new Map(
    stages.map(({ stage }) => {
      const own = lookup(files, String(stage.index));
      return [stage.index, own?.type === 'directory' ? own : emptyDirectory()];
    }),
  );
}

/** The paths of a stage that stages assembled here copy: a pattern stands for the folder that it looks in. */
export function wantedPaths(platform: PlatformPlan, index: number): string[] {
  const sources = copiesFrom(platform, index).flatMap((step) => step.sources.map(withoutPattern));
  return [...new Set(sources)].sort();
}

function copiesFrom(platform: PlatformPlan, index: number): CopyStep[] {
  return platform.stages
    .filter(({ method }) => method.kind === 'assembled')
    .flatMap(({ stage }) => stage.steps)
    .filter(
      (step): step is CopyStep =>
        step.kind === 'copy' && step.from.kind === 'stage' && step.from.index === index,
    );
}

function withoutPattern(source: string): string {
  const names = clean(source).split('/');
  const first = names.findIndex(hasWildcards);
  return `/${(first === -1 ? names : names.slice(0, first)).join('/')}`;
}

/** The Dockerfile with a last stage that takes what is wanted, each stage's files below its number. */
export function handoverDockerfile(source: string, wanted: ReadonlyMap<number, readonly string[]>): string {
  const copies = [...wanted].flatMap(([index, paths]) =>
    paths.map((path) => `COPY --from=${index} ${JSON.stringify([path, `/${index}${path}`])}`),
  );
  return [source.replace(/\n*$/, ''), `FROM scratch AS ${HANDOVER}`, ...copies, ''].join('\n');
}

/** The user's COPY that a line of the added stage carries out in part. */
function placeOf(
  plan: ImagePlan,
  platform: PlatformPlan,
  wanted: ReadonlyMap<number, readonly string[]>,
  line: number,
): { readonly instruction: string; readonly line: number } | undefined {
  const added = line - sourceLines(plan.dockerfile.source) - 2;
  const asked = [...wanted].flatMap(([index, paths]) => paths.map((path) => ({ index, path })))[added];
  if (added < 0 || asked === undefined) return undefined;
  const step = copiesFrom(platform, asked.index).find(({ sources }) =>
    sources.some((source) => withoutPattern(source) === asked.path),
  );
  if (step === undefined) return undefined;
  return { instruction: instructionOf(step), line: step.lines.start };
}

function sourceLines(source: string): number {
  return source.replace(/\n*$/, '').split('\n').length;
}

async function extract(
  plan: ImagePlan,
  platform: PlatformPlan,
  wanted: ReadonlyMap<number, readonly string[]>,
  { settings, temporary, signal }: BuilderRun,
  task: Task,
  { need }: { readonly need: string },
): Promise<Directory> {
  const folder = join(temporary, `handover-${formatPlatform(platform.platform).replaceAll('/', '-')}`);
  await mkdir(folder, { recursive: true });
  const file = await writeDockerfile(plan, handoverDockerfile(plan.dockerfile.source, wanted), folder);
  const members: { entry: IndexEntry; content?: Content | undefined }[] = [];
  await runBuildx({
    settings,
    signal,
    task,
    need,
    dockerfile: plan.dockerfile.path,
    place: (line) => placeOf(plan, platform, wanted, line),
    // biome-ignore format: one flag with its value a line
    args: [
      ...commonArguments(settings, plan.request),
      ...contextArguments(plan.request, [platform.platform]),
      '--provenance=false',
      '--platform', formatPlatform(platform.platform),
      '--target', HANDOVER,
      '--file', file,
      '--output', 'type=tar,dest=-',
      plan.request.context,
    ],
    consume: async (stdout) => {
      for await (const { entry, content } of readTar(stdout)) {
        if (entry.type !== 'file') members.push({ entry });
        else
          members.push({
            entry,
            content: { kind: 'disk', path: (await spool(content, undefined, folder)).path },
          });
      }
    },
  });
  return treeOfMembers(members);
}
