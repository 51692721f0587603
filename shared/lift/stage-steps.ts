import { posix } from 'node:path';
import type { CopyStep, Lines, ResolvedStage, RunStep, StageGraph } from '../dockerfile/index.ts';
import { Beyond } from './beyond.ts';
import { readShell, type SimpleCommand } from './shell.ts';

/** A path that a later stage copies, and the line that copies it. */
export interface Crossing {
  readonly path: string;
  /** Taken with the folders above it. */
  readonly parents: boolean;
  readonly lines: Lines;
}

/** The steps of the stage behind those of the stages that it is built on, down to a base image. */
export function stepsWithBases(
  graph: StageGraph,
  stage: ResolvedStage,
): { steps: ResolvedStage['steps']; base: string } {
  const { base } = stage;
  if (base.kind === 'image') return { steps: stage.steps, base: base.reference };
  if (base.kind !== 'stage')
    throw new Beyond(
      `its base is ${base.kind === 'scratch' ? 'scratch' : base.path}, which has no Go`,
      stage.lines,
    );
  const below = stepsWithBases(graph, stageAt(graph, base.index));
  return { steps: [...below.steps, ...stage.steps], base: below.base };
}

function stageAt(graph: StageGraph, index: number): ResolvedStage {
  const stage = graph.stages.find((one) => one.index === index);
  if (stage === undefined) throw new Error(`stage ${index} is not in the graph`);
  return stage;
}

export function copiesFromContext(graph: StageGraph, steps: ResolvedStage['steps']): CopyStep[] {
  const copies = steps
    .filter((step): step is CopyStep => step.kind === 'copy' || step.kind === 'add')
    .filter((copy) => !bringsXx(graph, copy));
  for (const copy of copies) {
    if (copy.from.kind !== 'context')
      throw new Beyond(`it copies ${copy.sources.join(' ')} from ${originName(copy)}`, copy.lines);
    const remote = copy.sources.find((source) => /^(https?:|git@|git:|ssh:)/.test(source));
    if (remote !== undefined) throw new Beyond(`it adds ${remote}`, copy.lines);
    if (copy.inline.length > 0) throw new Beyond('it writes a file of its own (a heredoc)', copy.lines);
  }
  return copies;
}

/** Whether a step copies tonistiigi/xx: scripts that call the tools of the stage for the platform of the image, and nothing else. */
function bringsXx(graph: StageGraph, { from }: CopyStep): boolean {
  if (from.kind === 'image') return XX.test(from.reference);
  if (from.kind !== 'stage') return false;
  const { base, steps } = stageAt(graph, from.index);
  return base.kind === 'image' && XX.test(base.reference) && steps.length === 0;
}

const XX = /(^|\/)tonistiigi\/xx(:|@|$)/;

function originName({ from }: CopyStep): string {
  if (from.kind === 'stage') return 'another stage';
  return from.kind === 'image' ? `image ${from.reference}` : 'a named context';
}

export function commandsOf(step: RunStep): readonly SimpleCommand[] {
  if (!step.shell && typeof step.command !== 'string')
    return [{ assignments: step.env, words: step.command, patterns: [] }];
  const script = step.command as string;
  if (script.startsWith('/dev/pipes/'))
    throw new Beyond('its RUN is a script with an interpreter of its own', step.lines);
  if (step.heredocs.length > 1) throw new Beyond('it runs several heredocs', step.lines);
  if (
    step.mounts.some(
      (mount) => mount.from !== undefined && mount.from.kind !== 'context' && mount.type !== 'cache',
    )
  )
    throw new Beyond('a mount brings files of another stage into it', step.lines);
  const reading = readShell(script, step.env);
  if (reading.kind === 'beyond') throw new Beyond(`its RUN has ${reading.because}`, step.lines);
  return reading.commands;
}

/** What later stages copy from this one. */
export function crossings(graph: StageGraph, stage: ResolvedStage): Crossing[] {
  const crossings: Crossing[] = [];
  for (const user of graph.stages) {
    for (const step of user.steps) {
      if (
        step.kind === 'run' &&
        step.mounts.some((mount) => mount.from?.kind === 'stage' && mount.from.index === stage.index)
      )
        throw new Beyond('a later RUN mounts it', step.lines);
      if (
        (step.kind !== 'copy' && step.kind !== 'add') ||
        step.from.kind !== 'stage' ||
        step.from.index !== stage.index
      )
        continue;
      crossings.push(
        ...step.sources.map((source) => ({
          path: posix.resolve('/', source),
          parents: step.parents,
          lines: step.lines,
        })),
      );
    }
  }
  return crossings;
}
