import {
  type Dockerfile,
  type Lines,
  type ResolvedStage,
  resolveGraph,
  type StageGraph,
} from '../../shared/dockerfile/index.ts';
import { readDockerfile } from '../../shared/image/index.ts';
import { type ContextFiles, type GoProgram, readGoStage, readRecipe } from '../../shared/lift/index.ts';
import { formatPlatform, type ImageConfig, type Platform } from '../../shared/oci/index.ts';
import { type ContextRequest, contextFiles } from './context-files.ts';

/** Where the stages of an image come from. */
export interface StagesRequest extends ContextRequest {
  readonly workspace: string;
  readonly target: string | undefined;
  readonly platforms: readonly Platform[];
  readonly buildPlatform: Platform;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Names of stages and images that are handed in already. */
  readonly replaced: readonly string[];
}

/** A stage that go-build's programs take the place of. */
export interface LiftedStage {
  /** Its name, or its number. */
  readonly name: string;
  readonly base: string;
  readonly lines: Lines;
  /** By platform as text: what later stages take from it. */
  readonly programs: ReadonlyMap<string, readonly GoProgram[]>;
  readonly leftOut: readonly { readonly command: string; readonly lines: Lines }[];
}

/** A stage that go-build cannot make, and the line that says so. */
export interface KeptStage {
  readonly name: string;
  /** docker-multistage reads it as one that it can lift as it is, with the Dockerfile's own flags; else a builder has to run it. */
  readonly liftable: boolean;
  readonly because: string;
  readonly lines: Lines;
}

export interface StagesReading {
  /** The Dockerfile as messages show it. */
  readonly file: string;
  readonly lifted: readonly LiftedStage[];
  readonly kept: readonly KeptStage[];
}

/** Finds the stages of a Dockerfile that do nothing but compile Go programs for later stages, on every platform. */
export async function readStages(request: StagesRequest): Promise<StagesReading> {
  const dockerfile = readDockerfile(request);
  const graphs = await Promise.all(
    request.platforms.map((platform) => graphOf(dockerfile, request, platform)),
  );
  const files = contextFiles(request);
  const readings = candidates(graphs[0]!, request.replaced).map((stage) => readOne(stage, graphs, files));
  return {
    file: dockerfile.path,
    lifted: readings.flatMap((one) => ('programs' in one ? [one] : [])),
    kept: readings.flatMap((one) => ('because' in one ? [one] : [])),
  };
}

/** The configuration of golang images as far as it matters here; what other bases configure is not asked for. */
function assumedConfig(reference: string, platform: Platform): ImageConfig {
  const golang = /(^|\/)golang[:@]|(^|\/)golang$/.test(reference);
  const config = golang
    ? {
        Env: ['GOPATH=/go', 'PATH=/go/bin:/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin'],
        WorkingDir: '/go',
      }
    : {};
  return {
    os: platform.os,
    architecture: platform.architecture,
    config,
    rootfs: { type: 'layers', diff_ids: [] },
  };
}

function graphOf(dockerfile: Dockerfile, request: StagesRequest, platform: Platform): Promise<StageGraph> {
  const { target, buildPlatform, buildArgs } = request;
  return resolveGraph(dockerfile, {
    target,
    platform,
    buildPlatform,
    buildArgs,
    configOf: async (reference, on) => assumedConfig(reference, on),
  });
}

/** Stages that run something and whose files are copied by others. */
function candidates(graph: StageGraph, replaced: readonly string[]): ResolvedStage[] {
  const copied = new Set<number>();
  for (const { steps } of graph.stages)
    for (const step of steps)
      if ((step.kind === 'copy' || step.kind === 'add') && step.from.kind === 'stage')
        copied.add(step.from.index);
  const runs = (stage: ResolvedStage): boolean => {
    if (stage.steps.some((step) => step.kind === 'run')) return true;
    const { base } = stage;
    return base.kind === 'stage' && graph.stages.some((one) => one.index === base.index && runs(one));
  };
  return graph.stages.filter(
    (stage) => copied.has(stage.index) && runs(stage) && !replaced.includes(nameOf(stage)),
  );
}

function nameOf(stage: ResolvedStage): string {
  return stage.name ?? String(stage.index);
}

function readOne(
  candidate: ResolvedStage,
  graphs: readonly StageGraph[],
  files: ContextFiles,
): LiftedStage | KeptStage {
  const name = nameOf(candidate);
  const programs = new Map<string, readonly GoProgram[]>();
  let first: { base: string; leftOut: LiftedStage['leftOut'] } | undefined;
  for (const graph of graphs) {
    const stage = graph.stages.find((one) => one.index === candidate.index);
    if (stage === undefined) continue;
    const user = graph.stages.find((one) => one.base.kind === 'stage' && one.base.index === stage.index);
    if (user !== undefined)
      return { name, liftable: false, because: `stage ${nameOf(user)} is built on it`, lines: user.lines };
    const reading = readGoStage(graph, stage, files);
    if (reading.kind === 'beyond') {
      const liftable = readRecipe(graph, stage).kind === 'recipe';
      return { name, liftable, because: reading.because, lines: reading.lines };
    }
    programs.set(formatPlatform(graph.platform), reading.programs);
    first ??= reading;
  }
  return { name, base: first!.base, lines: candidate.lines, programs, leftOut: first!.leftOut };
}
