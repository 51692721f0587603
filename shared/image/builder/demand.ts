import { type Digest, digestOf, type Key } from '../../content/index.ts';
import type { ResolvedStage } from '../../dockerfile/index.ts';
import { formatPlatform, type Platform } from '../../oci/index.ts';
import type { ContentOf, StageIdentity } from '../identity/identity.ts';
import { builderStages, type StagePlan } from '../method.ts';
import type { PlatformPlan } from '../plan.ts';
import type { LiftedStage } from '../request.ts';
import { resultKey } from '../results/record.ts';
import type { PathContents } from '../results/results.ts';
import { crossingPaths, takings } from './crossing.ts';

/** A stage whose commands have to be run, or whose files a store has: what is known of it beforehand. */
export interface Candidate {
  readonly index: number;
  /** As the store knows it: `build linux/amd64`. */
  readonly name: string;
  readonly stage: ResolvedStage;
  readonly identity: StageIdentity | undefined;
  /** The paths that are handed over. */
  readonly paths: readonly string[];
  readonly lifted: LiftedStage | undefined;
  /** Stages that are assembled here take its files. */
  readonly isRoot: boolean;
}

/** How a store and a record know a stage. */
export function resultName({ name, index }: ResolvedStage, platform: Platform): string {
  return `${name ?? index} ${formatPlatform(platform)}`;
}

/** The stages that a builder runs, or that are lifted, and that hand files over. */
export function candidatesOf({ stages, graph, identity, platform }: PlatformPlan): Map<number, Candidate> {
  const roots = new Set(builderStages(graph, stages).map(({ stage }) => stage.index));
  const found = new Map<number, Candidate>();
  for (const { stage, method } of stages) {
    const { index } = stage;
    if (method.kind !== 'builder' && method.kind !== 'lifted') continue;
    const paths = index === graph.target ? [] : crossingPaths(stages, index);
    const isRoot = roots.has(index) && index !== graph.target;
    if (paths.length === 0 && !isRoot) continue;
    found.set(index, {
      index,
      name: resultName(stage, platform),
      stage,
      identity: identity.stages.find((one) => one.stage.index === index),
      paths,
      lifted: method.kind === 'lifted' ? method.lifted : undefined,
      isRoot,
    });
  }
  return found;
}

/** What has to be done so that all files which are wanted are there. */
export interface Demand {
  /** Stages that a builder has to carry out. */
  readonly runs: ReadonlySet<number>;
  /** Stages whose files can be had without it, and are needed. */
  readonly takes: ReadonlySet<number>;
}

/**
 * Goes from the stages whose files are wanted, and from those that a builder carries out in any case, to the stages that they need: one whose files can be
 * had ends the way, unless more than its files is needed of it.
 */
export function demandOf(
  plans: readonly StagePlan[],
  candidates: ReadonlyMap<number, Candidate>,
  wanted: Iterable<number>,
  state: {
    readonly isReady: (index: number, forBuilder: boolean) => boolean;
    readonly canBeHad: (index: number) => boolean;
  },
  carriedOut: Iterable<number> = [],
): Demand {
  const runs = new Set<number>();
  const takes = new Set<number>();
  const run = (index: number): void => {
    if (runs.has(index)) return;
    const plan = plans.find(({ stage }) => stage.index === index)!;
    if (plan.method.kind === 'handed-in') return;
    runs.add(index);
    for (const taking of takings(plan.stage))
      if (taking.kind === 'whole') run(taking.from);
      else need(taking.from, true);
  };
  const need = (index: number, forBuilder: boolean): void => {
    if (!candidates.has(index)) run(index);
    else if (state.isReady(index, forBuilder)) return;
    else if (state.canBeHad(index)) takes.add(index);
    else run(index);
  };
  for (const index of carriedOut) run(index);
  for (const index of wanted) need(index, false);
  // What is run anyway is taken from that run, so that all that is made of it goes together.
  return { runs, takes: takes.difference(runs) };
}

/** All stages that some stages need when a builder carries them out, themselves included. */
export function closureOf(plans: readonly StagePlan[], indexes: Iterable<number>): Set<number> {
  const all = new Set<number>();
  const visit = (index: number): void => {
    if (all.has(index)) return;
    all.add(index);
    const { stage } = plans.find((plan) => plan.stage.index === index)!;
    for (const { from } of takings(stage)) visit(from);
  };
  for (const index of indexes) visit(index);
  return all;
}

/** The key of a candidate's result by what other stages came out as. */
export function keyByContent({ identity, paths }: Candidate, contents: ContentOf): Digest | undefined {
  return keyOf(identity?.keyWith(contents), paths);
}

/** What is known of what stages came out as, for keys. */
export function contentOf(known: ReadonlyMap<number, PathContents>): ContentOf {
  return (stage, paths) => {
    const contents = known.get(stage);
    if (contents === undefined) return undefined;
    const digests = paths.map((path) => contents[path]);
    return digests.includes(undefined) ? undefined : digestOf(digests.join(' '));
  };
}

/** The key of a candidate's result. */
export function keyOf(stage: Key | undefined, paths: readonly string[]): Digest | undefined {
  return stage === undefined ? undefined : resultKey(stage, paths);
}

/**
 * The part of what has to be run that goes first: without the stages that may be found once it is known what others came out as, and
 * without all that needs those.
 */
export function firstWave(
  plans: readonly StagePlan[],
  runs: ReadonlySet<number>,
  mayBeFound: (index: number) => boolean,
): ReadonlySet<number> {
  const waiting = new Set([...runs].filter(mayBeFound));
  if (waiting.size === 0) return runs;
  const first = [...runs].filter((index) => [...closureOf(plans, [index])].every((one) => !waiting.has(one)));
  return first.length === 0 ? runs : new Set(first);
}
