import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Digest, digestOf, type Key } from '../../content/index.ts';
import { Failure, formatBytes, type Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import { diskTree } from '../files/disk.ts';
import { pickPaths } from '../files/pick.ts';
import type { Directory } from '../files/tree.ts';
import type { ContentOf } from '../identity/identity.ts';
import type { MountSeeds } from '../mounts/mounts.ts';
import { stageName } from '../names.ts';
import { once } from '../once.ts';
import type { ImagePlan, PlatformPlan } from '../plan.ts';
import type { StageOutcome } from '../result.ts';
import { differences, factsOfTree } from '../results/compare.ts';
import { membersOf, pathContents } from '../results/members.ts';
import type {
  FoundResult,
  KnownResult,
  MadeResult,
  PathContents,
  RecordedResult,
  StageResults,
} from '../results/results.ts';
import { takings } from './crossing.ts';
import {
  type Candidate,
  candidatesOf,
  closureOf,
  contentOf,
  type Demand,
  demandOf,
  firstWave,
  keyByContent,
  keyOf,
  resultName,
} from './demand.ts';
import { type DerivedBuild, deriveBuild, type PlatformBuild, releaseAll } from './derived.ts';
import type { HandedIn } from './hand-in.ts';
import type { BuildStep } from './progress.ts';
import type { BuilderRun, PinnedDigest } from './run.ts';
import { extract } from './solve.ts';

/** How files of stages are come by. */
export interface StageMaking {
  readonly builder: BuilderRun;
  readonly pins: PinnedDigest;
  /** Where results of earlier runs are; undefined for nowhere. */
  readonly results: StageResults | undefined;
  readonly seeds: MountSeeds | undefined;
  /** Whether results of earlier runs will do. */
  readonly reuse: boolean;
  /** Whether other runs may build on what this one leaves behind. */
  readonly trusted: boolean;
  /** Whether stages may be lifted out of their containers. */
  readonly lifts: boolean;
  /** Draws stages that are made again although their files are at hand; see `verify-reuse`. */
  readonly verifies?: (() => boolean) | undefined;
}

/** Files of stages that are there, and what came with them. */
export interface MadeStages {
  readonly files: ReadonlyMap<number, Directory>;
  /** What the stages that are assembled here take from came out as; empty where that is not known of all of them. */
  readonly contents: ReadonlyMap<number, PathContents>;
  readonly outcomes: readonly StageOutcome[];
  /** The steps that a builder carried out. */
  readonly steps: readonly BuildStep[];
  /** What is worth keeping for later runs. */
  readonly results: readonly (MadeResult | KnownResult)[];
  /** Some of it was found under a key whose period is not that of the image: no key of the image by its stages' keys stands for it. */
  readonly isBorrowed?: boolean;
  /** The keys of all stages of the platform, by the names that the store has for them. */
  readonly keys: ReadonlyMap<string, Key>;
  /** Keeps what cache mounts hold; by trusted runs alone. */
  readonly keepMounts: readonly ((task: Task) => Promise<void>)[];
  /** Takes out of the builder what is worth keeping and was not needed here; undefined where there is nothing. */
  readonly late?: (task: Task) => Promise<readonly MadeResult[]>;
  /** Takes back what was put into an engine for the builder; to be called when nothing more is asked of it. */
  readonly release: () => Promise<void>;
}

/**
 * Comes by the files that stages of a platform hand over: from earlier runs where their keys are known, by running a stage's commands on
 * this machine where that gives the same, and else from a builder, which is given the files of other stages so that it need not run them.
 */
export async function makeStages(
  plan: ImagePlan,
  platform: PlatformPlan,
  making: StageMaking,
  task: Task,
): Promise<MadeStages> {
  const maker = new StageMaker(plan, platform, making, task);
  return await released(maker, () => maker.make());
}

/** What a builder is given that makes the whole image for a platform. */
export interface GatheredStages {
  readonly build: PlatformBuild;
  /** To be called once the builder has made it. */
  readonly finish: (derived: DerivedBuild) => MadeStages;
  /** Takes back what was put into an engine. */
  readonly release: () => Promise<void>;
}

/** Comes by the files that a builder can be given, so that it need not run the stages that they are of. */
export async function gatherStages(
  plan: ImagePlan,
  platform: PlatformPlan,
  making: StageMaking,
  task: Task,
): Promise<GatheredStages> {
  const maker = new StageMaker(plan, platform, making, task);
  return await released(maker, () => maker.gather());
}

/** Work that, when it fails, takes back what it put into an engine. */
async function released<T>(maker: StageMaker, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await maker.release();
    throw error;
  }
}

/** Stands for what a stage came out as that is not known. */
const UNKNOWN = digestOf('unknown');

/** The stages of one platform on their way. */
class StageMaker {
  readonly #plan: ImagePlan;
  readonly #platform: PlatformPlan;
  readonly #making: StageMaking;
  readonly #task: Task;
  readonly #folder: string;
  readonly #candidates: ReadonlyMap<number, Candidate>;
  readonly #files = new Map<number, Directory>();
  readonly #contents = new Map<number, PathContents>();
  readonly #found = new Map<number, FoundResult>();
  /** Stages that were waited for although it was not known what to expect. */
  readonly #guessed = new Set<number>();
  /** Keys that were asked for. */
  readonly #asked = new Set<Digest>();
  /** Keys that stages will have if others come out as the last time, and that the store has. */
  readonly #promised = new Set<Digest>();
  /** Lifted stages that a builder has to run after all. */
  readonly #demoted = new Set<number>();
  readonly #underway = new Map<number, Promise<void>>();
  readonly #handedIn = new Map<number, Promise<HandedIn>>();
  /** Keys by content of stages that a builder has run, by what it ran them with. */
  readonly #byContent = new Map<number, Digest>();
  readonly #outcomes = new Map<number, StageOutcome>();
  readonly #steps: BuildStep[] = [];
  readonly #keepMounts: DerivedBuild['keepMounts'][] = [];
  #recorded: ReadonlyMap<string, RecordedResult> = new Map();
  #solves = 0;

  constructor(plan: ImagePlan, platform: PlatformPlan, making: StageMaking, task: Task) {
    this.#plan = plan;
    this.#platform = platform;
    this.#making = making;
    this.#task = task;
    this.#candidates = candidatesOf(platform);
    // Of this image and platform alone: others are made beside it.
    this.#folder = join(making.builder.temporary, `stages-${randomUUID()}`);
  }

  async make(): Promise<MadeStages> {
    await this.#lookUp();
    await this.#lookAhead();
    const roots = this.#roots.map(({ index }) => index);
    for (let demand = this.#demand(roots); !isMet(demand); demand = this.#demand(roots)) {
      const taken = [...demand.takes].map((index) => this.#take(index));
      const first = demand.runs.size === 0 ? [] : [this.#solveFirst(demand)];
      await allDone([...taken, ...first]);
    }
    await this.#verify();
    return this.#made();
  }

  /** Comes by what can be had without a builder of what it needs for making the whole image. */
  async gather(): Promise<GatheredStages> {
    await this.#lookUp();
    const { graph, stages } = this.#platform;
    const demanded = () => this.#demand([], [graph.target]);
    for (let { takes } = demanded(); takes.size > 0; { takes } = demanded())
      await allDone([...takes].map((index) => this.#take(index)));
    await this.#verify();
    const { runs } = demanded();
    const atHand = stages.flatMap(({ stage: { index } }) => [
      ...(runs.has(index) ? this.#takenBy(index) : []),
    ]);
    return {
      build: this.#buildOf(
        runs,
        [...new Set(atHand)].filter((index) => !runs.has(index)),
      ),
      finish: (derived) => this.#finish(runs, derived),
      release: () => this.release(),
    };
  }

  /** What a builder left behind that made the whole image. */
  #finish(runs: ReadonlySet<number>, derived: DerivedBuild): MadeStages {
    const { platform } = this.#platform;
    for (const stage of runs) this.#outcomes.set(stage, { platform, stage, how: 'built' });
    const wanted = this.#wantedOf(runs);
    const late = async (task: Task): Promise<MadeResult[]> => {
      const folder = join(this.#folder, 'late');
      const { files } = await extract(
        derived,
        { plan: this.#plan, platform: this.#platform, wanted, folder, again: true },
        task,
      );
      return [...files].flatMap(([index, tree]) => {
        const { name, identity, paths } = this.#candidates.get(index)!;
        const key = keyOf(identity?.key, paths);
        return key === undefined ? [] : [{ name, keys: [key], paths, files: tree }];
      });
    };
    return { ...this.#made(), ...(wanted.size > 0 && { late }) };
  }

  #made(): MadeStages {
    return {
      files: this.#files,
      contents: this.#contentsOfRoots(),
      outcomes: [...this.#outcomes.values()],
      steps: this.#steps,
      results: this.#resultsToKeep(),
      isBorrowed: this.#isBorrowed(this.#platform.graph.target),
      keys: this.#keys(),
      keepMounts: this.#keepMounts,
      release: () => this.release(),
    };
  }

  /** Takes back what was put into an engine. */
  async release(): Promise<void> {
    await releaseAll(this.#handedIn);
  }

  get #roots(): Candidate[] {
    return [...this.#candidates.values()].filter(({ isRoot }) => isRoot);
  }

  #demand(wanted: Iterable<number>, carriedOut: Iterable<number> = []): Demand {
    const state = {
      // Devices and pipes cannot be handed to a builder: it has them in its own cache.
      isReady: (index: number, forBuilder: boolean) =>
        this.#files.has(index) && (!forBuilder || membersOf(this.#files.get(index)!) !== undefined),
      canBeHad: (index: number) =>
        !this.#files.has(index) && (this.#found.has(index) || this.#canLift(index)),
    };
    return demandOf(this.#platform.stages, this.#candidates, wanted, state, carriedOut);
  }

  #canLift(index: number): boolean {
    return (
      this.#making.lifts && this.#candidates.get(index)?.lifted !== undefined && !this.#demoted.has(index)
    );
  }

  /** Asks the store for all stages whose keys are known, with one request where little changed. */
  async #lookUp(): Promise<void> {
    const { results, reuse } = this.#making;
    if (results === undefined || !reuse) return;
    const wanted = [...this.#candidates.values()].map(
      (one) => [one, keyOf(one.identity?.key, one.paths)] as const,
    );
    await this.#find(wanted);
    this.#recorded = await results.recorded(this.#task);
  }

  async #find(wanted: readonly (readonly [Candidate, Digest | undefined])[]): Promise<void> {
    const { results } = this.#making;
    const asked = wanted.flatMap(([candidate, key]) =>
      key === undefined || this.#asked.has(key) ? [] : [{ candidate, key, name: candidate.name }],
    );
    if (results === undefined || asked.length === 0) return;
    for (const { key } of asked) this.#asked.add(key);
    const found = await results.find(asked, this.#task);
    for (const { candidate, key } of asked) {
      const one = found.get(key);
      if (one === undefined) continue;
      this.#found.set(candidate.index, one);
      if (one.contents !== undefined) this.#contents.set(candidate.index, one.contents);
    }
  }

  /** Brings the files of a stage here without a builder; where that fails, they are still to be come by. */
  #take(index: number): Promise<void> {
    return once(this.#underway, index, async () => {
      const candidate = this.#candidates.get(index)!;
      const found = this.#found.get(index);
      const files = found === undefined ? await this.#lift(candidate) : await this.#restore(candidate, found);
      this.#underway.delete(index);
      if (files !== undefined) this.#files.set(index, files);
      else if (found === undefined) this.#demoted.add(index);
      else this.#lose(index);
    });
  }

  #lose(index: number): void {
    this.#found.delete(index);
    this.#contents.delete(index);
  }

  async #restore(candidate: Candidate, found: FoundResult): Promise<Directory | undefined> {
    const { platform } = this.#platform;
    const { stage, index } = candidate;
    const title = `Restore stage ${stageName(stage)} for ${formatPlatform(platform)}`;
    return await this.#task.task(title, async (child) => {
      const files = await this.#making.results!.fetch(found, child);
      if (files === undefined) {
        child.note('not to be had, it is made');
        return undefined;
      }
      const { where, size } = found;
      if (found.contents === undefined) await this.#setContents(candidate, files);
      child.note(size === undefined ? `from ${where}` : `${formatBytes(size)} from ${where}`);
      this.#outcomes.set(index, { platform, stage: index, how: 'restored', where, size });
      return files;
    });
  }

  async #lift(candidate: Candidate): Promise<Directory | undefined> {
    const { platform } = this.#platform;
    const { stage, index, lifted, paths } = candidate;
    const title = `Lift stage ${stageName(stage)} for ${formatPlatform(platform)}`;
    return await this.#task.task(title, async (child) => {
      const because = await lifted!.prove(platform);
      if (because !== undefined) {
        const { path } = this.#plan.dockerfile;
        const where = because.lines === undefined ? '' : `${path}, line ${because.lines.start}: `;
        child.log(`${where}${because.reason}; a builder runs the stage.`);
        child.note('left to a builder');
        return undefined;
      }
      child.log(lifted!.what);
      const files = pickPaths(diskTree(await lifted!.make(platform, child), undefined), paths);
      await this.#setContents(candidate, files);
      this.#outcomes.set(index, { platform, stage: index, how: 'lifted' });
      return files;
    });
  }

  async #setContents({ index, paths }: Candidate, files: Directory): Promise<void> {
    const contents = await pathContents(files, paths, this.#plan.digests);
    if (contents === undefined) this.#contents.delete(index);
    else this.#contents.set(index, contents);
  }

  /** Runs what has to be run, and no stage that may be found once it is known what others came out as. */
  async #solveFirst({ runs }: Demand): Promise<void> {
    const { stages } = this.#platform;
    const wave = firstWave(stages, runs, (index) => this.#mayBeFound(index));
    const needed = [...wave]
      .flatMap((index) => [...this.#takenBy(index)])
      .filter((index) => !runs.has(index));
    await Promise.all(needed.map((index) => this.#underway.get(index)));
    // One that could not be had changes what has to be run.
    if (needed.some((index) => !this.#files.has(index))) return;
    await this.#solve(wave, needed);
    if (!this.#making.reuse) return;
    await this.#findByContent();
  }

  /** Looks for stages by what others came out as: one that is found may lead to the next. */
  async #findByContent(): Promise<void> {
    const open = [...this.#candidates.values()].filter(({ index }) => !this.#isAtHand(index));
    const known = contentOf(this.#contents);
    const before = this.#found.size;
    await this.#find(open.map((one) => [one, keyByContent(one, known)] as const));
    if (this.#found.size > before) await this.#findByContent();
  }

  #isAtHand(index: number): boolean {
    return this.#files.has(index) || this.#found.has(index);
  }

  /** Asks, all at once, for what there would be if stages that have to be made came out as the last time. */
  async #lookAhead(): Promise<void> {
    const { results, reuse } = this.#making;
    if (results === undefined || !reuse || this.#recorded.size === 0) return;
    const expected = contentOf(this.#expected());
    const open = [...this.#candidates.values()].filter(({ index }) => !this.#isAtHand(index));
    const wanted = open.flatMap((one) => {
      const key = keyByContent(one, expected);
      return key === undefined || this.#asked.has(key) ? [] : [{ name: one.name, key }];
    });
    if (wanted.length === 0) return;
    for (const key of (await results.find(wanted, this.#task)).keys()) this.#promised.add(key);
    // What was found by its own key may be all that others wait for.
    await this.#findByContent();
  }

  /** What stages came out as, or else what they came out as the last time. */
  #expected(): Map<number, PathContents> {
    const expected = new Map(this.#contents);
    for (const { index, name } of this.#candidates.values()) {
      const before = this.#recorded.get(name);
      if (before !== undefined && !expected.has(index)) expected.set(index, before.contents);
    }
    return expected;
  }

  *#takenBy(index: number): Generator<number> {
    const { stage } = this.#platform.stages.find((plan) => plan.stage.index === index)!;
    for (const from of stage.needs) if (this.#candidates.has(from)) yield from;
  }

  /**
   * Whether the store has the stage under the key that it will have if the stages which it takes from come out as they did the last
   * time. Of a stage that has no key no record knows what it came out as; then it is worth a try, once.
   */
  #mayBeFound(index: number): boolean {
    const candidate = this.#candidates.get(index);
    if (candidate === undefined) return false;
    const known = contentOf(this.#expected());
    const key = keyByContent(candidate, known);
    if (key !== undefined) return this.#promised.has(key) && !this.#asked.has(key);
    if (this.#guessed.has(index) || !this.#recorded.has(candidate.name)) return false;
    const guessed: ContentOf = (other, paths) =>
      known(other, paths) ?? (this.#candidates.has(other) ? UNKNOWN : undefined);
    if (keyByContent(candidate, guessed) === undefined) return false;
    this.#guessed.add(index);
    return true;
  }

  async #solve(runs: ReadonlySet<number>, needed: readonly number[]): Promise<void> {
    const { platform } = this.#platform;
    const wanted = this.#wantedOf(runs);
    const names = [...wanted.keys()].map((index) => stageName(this.#candidates.get(index)!.stage));
    const title = `Build stage ${names.join(', ')} for ${formatPlatform(platform)}`;
    const solved = await this.#task.task(title, async (child) => {
      const folder = join(this.#folder, `solve-${++this.#solves}`);
      const { builder, pins, seeds } = this.#making;
      const one = this.#buildOf(runs, needed);
      const need = this.#needOf(runs);
      const derived = await deriveBuild(
        { plan: this.#plan, platforms: [one], builder, pins, seeds, folder, need, handedIn: this.#handedIn },
        child,
      );
      const extracted = await extract(
        derived,
        { plan: this.#plan, platform: this.#platform, wanted, folder },
        child,
      );
      return { ...extracted, keepMounts: derived.keepMounts };
    });
    this.#steps.push(...solved.steps);
    this.#keepMounts.push(solved.keepMounts);
    // Others were made of what came out now, whatever a store has.
    for (const index of runs) this.#contents.delete(index);
    for (const [index, files] of solved.files) {
      this.#files.set(index, files);
      await this.#setContents(this.#candidates.get(index)!, files);
      this.#outcomes.set(index, { platform, stage: index, how: 'built' });
    }
    // Now, for what another call makes of the same stages may be something else.
    const known = contentOf(this.#contents);
    for (const index of solved.files.keys()) {
      const key = keyByContent(this.#candidates.get(index)!, known);
      if (key === undefined) this.#byContent.delete(index);
      else this.#byContent.set(index, key);
    }
  }

  /**
   * What is taken out of the builder: files that stages which are assembled here copy, and, where they will be kept or may lead to others
   * being found, those that other stages copy.
   */
  #wantedOf(runs: ReadonlySet<number>): Map<number, readonly string[]> {
    const keeps = this.#making.results?.writable === true || this.#recorded.size > 0;
    const all = [...this.#candidates.values()].filter(({ index }) => runs.has(index));
    const taken = all.filter(({ isRoot, paths }) => isRoot || (keeps && paths.length > 0));
    return new Map(taken.map(({ index, paths }) => [index, paths]));
  }

  #needOf(runs: ReadonlySet<number>): string {
    const { stages } = this.#platform;
    const first = stages.find(({ stage, method }) => runs.has(stage.index) && method.kind === 'builder');
    const { stage, method } = first ?? stages.find((plan) => runs.has(plan.stage.index))!;
    const lines = 'lines' in method ? method.lines : stage.lines;
    return `The stage ${stageName(stage)} has to be run (${this.#plan.dockerfile.path}, line ${lines.start})`;
  }

  #buildOf(runs: ReadonlySet<number>, needed: readonly number[]): PlatformBuild {
    const own = this.#platform.stages.filter(({ stage }) => runs.has(stage.index));
    return {
      plan: this.#platform,
      runs: own.map(({ stage }) => stage),
      atHand: new Map(needed.map((index) => [index, this.#files.get(index)!])),
    };
  }

  /** Makes stages again that were drawn, as if nothing were at hand, and compares. */
  async #verify(): Promise<void> {
    const { verifies } = this.#making;
    if (verifies === undefined) return;
    const drawn = [...this.#outcomes.values()]
      .filter(({ how }) => how === 'restored' || how === 'lifted')
      .flatMap(({ stage }) => this.#candidates.get(stage) ?? [])
      .filter(() => verifies());
    if (drawn.length === 0) return;
    const names = drawn.map(({ stage }) => stageName(stage)).join(', ');
    const title = `Verify stage ${names} for ${formatPlatform(this.#platform.platform)}`;
    await this.#task.task(title, async (child) => {
      const again = await this.#makeAgain(drawn, child);
      for (const one of drawn) await this.#compare(one, again.get(one.index)!);
      child.note('the same when made again');
    });
  }

  async #makeAgain(drawn: readonly Candidate[], task: Task): Promise<ReadonlyMap<number, Directory>> {
    const plan = this.#plan;
    const platform = this.#platform;
    const { pins } = this.#making;
    const folder = join(this.#folder, 'verify');
    const indexes = drawn.map(({ index }) => index);
    const one = this.#buildOf(closureOf(platform.stages, indexes), []);
    const settings = { ...this.#making.builder.settings, noCache: true, cacheTo: [] };
    const builder = { ...this.#making.builder, settings };
    const need = `The stage ${stageName(drawn[0]!.stage)} is to be verified (input "verify-reuse")`;
    const platforms = [one];
    const derived = await deriveBuild(
      { plan, platforms, builder, pins, seeds: undefined, folder, need, handedIn: this.#handedIn },
      task,
    );
    const wanted = new Map(drawn.map(({ index, paths }) => [index, paths]));
    return (await extract(derived, { plan, platform, wanted, folder }, task)).files;
  }

  async #compare({ stage, index }: Candidate, again: Directory): Promise<void> {
    const { digests } = this.#plan;
    const before = await factsOfTree(this.#files.get(index)!, digests);
    const after = await factsOfTree(again, digests);
    const found = after === undefined ? ['it has devices or pipes now'] : differences(before!, after);
    if (found.length === 0) return;
    const { how, where } = this.#outcomes.get(index)!;
    const origin = how === 'lifted' ? 'made on this machine' : `restored from ${where}`;
    throw new Failure(
      `The stage ${stageName(stage)}, ${origin}, came out differently when it was made again (input "verify-reuse"): ${found.join('; ')}. ${advice(how)}`,
      { location: { file: this.#plan.dockerfile.path, line: stage.lines.start } },
    );
  }

  #contentsOfRoots(): Map<number, PathContents> {
    const all = this.#roots.map(({ index }) => [index, this.#contents.get(index)] as const);
    const known = all.flatMap(([index, content]) =>
      content === undefined ? [] : [[index, content] as const],
    );
    return new Map(known.length === all.length ? known : []);
  }

  #resultsToKeep(): (MadeResult | KnownResult)[] {
    return [...this.#candidates.values()].flatMap((candidate): (MadeResult | KnownResult)[] => {
      const { index, name, identity, paths } = candidate;
      const own = keyOf(identity?.key, paths);
      const found = this.#found.get(index);
      const named = own === undefined || this.#isBorrowed(index) ? [] : [own];
      // Of what it was made of, only its own key is known to hold.
      if (found !== undefined) return [{ name, keys: named, found }];
      const byContent = this.#byContent.get(index);
      const keys = [...new Set([...named, ...(byContent === undefined ? [] : [byContent])])];
      const files = this.#files.get(index);
      return keys.length === 0 || files === undefined ? [] : [{ name, keys, paths, files }];
    });
  }

  /**
   * Whether a stage is, or is made of, what ages and was found under another key than its own: it was made in a period of that key, and
   * under its own, whose period ends at another time, it would be believed for longer than max-age.
   */
  #isBorrowed(index: number, seen = new Set<number>()): boolean {
    if (seen.has(index)) return false;
    seen.add(index);
    const found = this.#found.get(index);
    const { identity, paths } = this.#candidates.get(index) ?? {};
    if (found !== undefined && identity !== undefined) {
      if (found.key === keyOf(identity.key, paths ?? [])) return false;
      if (identity.aging !== undefined) return true;
    }
    const plan = this.#platform.stages.find(({ stage }) => stage.index === index);
    return plan !== undefined && takings(plan.stage).some(({ from }) => this.#isBorrowed(from, seen));
  }

  #keys(): Map<string, Key> {
    const { identity, platform } = this.#platform;
    return new Map(
      identity.stages.flatMap(({ stage, key }) =>
        key === undefined ? [] : [[resultName(stage, platform), key] as const],
      ),
    );
  }
}

function advice(how: StageOutcome['how']): string {
  return how === 'lifted'
    ? 'Set the input "lift" to never, and report it: lifted stages are meant to be the same bytes.'
    : 'A RUN that depends on more than its inputs cannot be reused: make it repeatable, name the stage in "no-cache-filters", or set "max-age" to 0.';
}

function isMet({ runs, takes }: Demand): boolean {
  return runs.size === 0 && takes.size === 0;
}

/** Waits for all of them, so that nothing goes on behind a failure, and throws what failed first. */
async function allDone(work: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(work);
  await Promise.all(work);
}
