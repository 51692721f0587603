import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dockerfile, ResolvedStage } from '../../dockerfile/index.ts';
import { formatBytes, type Task } from '../../host/index.ts';
import { formatPlatform } from '../../oci/index.ts';
import type { BuilderSettings } from '../builder/arguments.ts';
import { canExport } from '../builder/engine.ts';
import { stageName } from '../names.ts';
import { attempt } from '../results/attempt.ts';
import { type CacheMount, cacheMounts, type MountUse, type SeedSource, writtenUses } from './cache-mount.ts';
import type { FoundSeed, SeedCarrier } from './carrier.ts';
import { addedUses } from './go-cache.ts';
import type { MountSeeds, SeededDockerfile, SeedRequest, SolveAgain } from './mounts.ts';
import { type SeedRun, seedNames } from './names.ts';
import { placeholder, seededSource } from './rewrite.ts';
import { saveMount, surveyMounts, type UsedMount } from './save.ts';
import { decideSaving } from './survey.ts';
import { needsTrimNote, TRIM_CONTEXT, TRIM_OVERLAY } from './trim.ts';
import { mountsOfBuilder } from './warm.ts';

/** How cache mounts are carried from run to run. */
export interface MountSeedOptions {
  readonly carrier: SeedCarrier;
  readonly run: SeedRun;
  readonly builder: BuilderSettings;
  /** Bytes above which the content of a mount is not kept. */
  readonly limit: number;
  /** Whether RUNs of Go without cache mounts get them. */
  readonly goCache: boolean;
  /** Tells what belongs into the report; `line` is one of the Dockerfile. */
  readonly report: (message: string, line: number) => void;
  /** Seconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds that a question, and the storing of one mount, may take. */
const PATIENCE = { question: 20_000, fetch: 120_000, save: 600_000 };

/**
 * Cache mounts from a carrier. A mount that the builder holds already is left as it is, and is not kept either: the builder keeps it,
 * and a seed would put it aside, for what a mount starts from is part of what tells it apart from others.
 */
export function openMountSeeds(options: MountSeedOptions): MountSeeds {
  return { prepare: (solve, task) => new Solve(options, solve).prepare(task) };
}

/** One solve, from the question for seeds to what is kept of its mounts. */
class Solve {
  readonly #options: MountSeedOptions;
  readonly #request: SeedRequest;
  readonly #platform: string;

  constructor(options: MountSeedOptions, request: SeedRequest) {
    this.#options = options;
    this.#request = request;
    this.#platform = formatPlatform(request.platform);
  }

  async prepare(task: Task): Promise<SeededDockerfile | undefined> {
    const { dockerfile, stages } = this.#request;
    const added = this.#options.goCache ? addedUses(dockerfile, stages) : [];
    const all = cacheMounts(dockerfile, [...writtenUses(stages), ...added]);
    if (all.length === 0) return undefined;
    const used = await this.#seed(carried(all, task), task);
    const overlays = await this.#trimNotes(used);
    const unnamed = [...new Set(used.map(({ mount }) => lastStage(mount)))].filter(
      ({ name }) => name === undefined,
    );
    const mounts = [
      ...used.map((one) => ({ ...one, overlay: overlays.get(one) })),
      ...leftAlone(all, used).map((mount) => ({ mount, seed: undefined, overlay: undefined })),
    ];
    const trim = overlays.size === 0 ? {} : { [TRIM_CONTEXT]: this.#trimFolder() };
    const seeds = used.flatMap(({ seed, found }) =>
      seed === undefined ? [] : [[seed.context, found!.context]],
    );
    return {
      source: seededSource(dockerfile, mounts, unnamed),
      contexts: { ...Object.fromEntries(seeds), ...trim },
      save: (again, child) => this.#save(again, used, child),
    };
  }

  /** Finds what each mount starts from. Mounts that the builder holds are left out. */
  async #seed(mounts: readonly CacheMount[], task: Task): Promise<UsedMount[]> {
    const { builder, carrier } = this.#options;
    const { signal } = this.#request;
    const [held, found] = await Promise.all([
      mountsOfBuilder(builder, signal),
      Promise.all(mounts.map((mount) => this.#find(mount, task))),
    ]);
    return mounts.flatMap((mount, at): UsedMount[] => {
      if (held.has(mount.id)) {
        task.log(`${called(mount)}: the builder has it from an earlier build.`);
        return [];
      }
      const { seed, names } = found[at]!;
      task.log(`${called(mount)}: ${seed === undefined ? `no seed in ${carrier.name}` : toldSeed(seed)}.`);
      return [{ mount, found: seed, seed: seed && sourceOf(mount, seed, at), name: names[0]! }];
    });
  }

  async #find(mount: CacheMount, task: Task): Promise<{ names: string[]; seed: FoundSeed | undefined }> {
    const { carrier, run } = this.#options;
    const { signal } = this.#request;
    const names = seedNames(run, mount.id, this.#platform);
    const otherwise = `${called(mount)} starts from nothing`;
    const patience = carrier.reference('x') === undefined ? PATIENCE.fetch : PATIENCE.question;
    const seed = await attempt({ otherwise, patience, signal }, task, () =>
      carrier.find(names, signal, task),
    );
    return { names, seed };
  }

  async #trimNotes(used: readonly UsedMount[]): Promise<Map<UsedMount, string>> {
    const now = this.#options.now();
    const old = used.filter(
      ({ mount, found }) => found !== undefined && holdsObjects(mount) && needsTrimNote(found.saved, now),
    );
    if (old.length > 0) {
      await mkdir(this.#trimFolder(), { recursive: true });
      await writeFile(join(this.#trimFolder(), 'trim.txt'), String(now));
    }
    return new Map(old.map((one) => [one, TRIM_OVERLAY]));
  }

  #trimFolder(): string {
    return join(this.#request.temporary, 'trim');
  }

  /** Stage by stage a look at what the mounts hold, then the saving of those that are worth it, side by side. */
  async #save(again: SolveAgain, used: readonly UsedMount[], task: Task): Promise<void> {
    if (used.length === 0) return;
    const pushes = await canExport(this.#options.builder, this.#request.signal);
    const byStage = Map.groupBy(used, ({ mount }) => lastStage(mount));
    for (const [stage, mounts] of byStage)
      await task.task(`Keep the cache mounts of stage ${stageName(stage)}`, (child) =>
        this.#saveOf(again, stage, mounts, pushes, child),
      );
  }

  async #saveOf(
    again: SolveAgain,
    stage: ResolvedStage,
    mounts: readonly UsedMount[],
    pushes: boolean,
    task: Task,
  ) {
    const from = referenceTo(this.#request.dockerfile, stage);
    if (from === undefined) return task.note('not kept: a later stage has the same name');
    const { signal } = this.#request;
    const otherwise = 'Nothing is kept';
    const surveyed = await attempt({ otherwise, patience: PATIENCE.save, signal }, task, () =>
      surveyMounts(again, from, mounts, randomUUID()),
    );
    if (surveyed === undefined) {
      task.note('not kept');
      return this.#report(
        mounts[0]!,
        'cache mounts cannot be kept: see the log; they need a shell, find, cp and awk in the stage',
      );
    }
    await Promise.all(
      mounts.map((used, at) =>
        task.task(called(used.mount), async (child) => {
          const survey = surveyed[at]!;
          const state = used.found === undefined ? undefined : { layers: used.found.manifest.layers.length };
          const decision = decideSaving(survey, state, this.#options.limit);
          if (decision.kind === 'fault')
            this.#report(used, `nothing is kept of ${called(used.mount)}: ${decision.because}`);
          if (decision.kind !== 'save') return child.note(`not kept: ${decision.because}`);
          child.log(`Kept because ${decision.because}: ${survey.kept.files} of ${survey.all.files} files.`);
          const { carrier, now } = this.#options;
          const { platform } = this.#request;
          const work = {
            used,
            from,
            survey,
            delta: decision.delta,
            carrier,
            pushes,
            platform,
            now: now(),
            mark: randomUUID(),
          };
          const problem: string[] = [];
          const bytes = await attempt(
            { otherwise: 'Not kept', patience: PATIENCE.save, signal },
            child,
            async () => {
              try {
                return await saveMount(again, work, child);
              } catch (error) {
                problem.push(error instanceof Error ? error.message : String(error));
                throw error;
              }
            },
          );
          if (bytes === undefined) {
            this.#report(used, `${called(used.mount)} was not kept: ${problem[0] ?? 'it took too long'}`);
            return child.note('not kept');
          }
          const what = decision.delta ? survey.fresh : survey.kept;
          child.note(
            `${formatBytes(bytes)} of ${formatBytes(what.bytes)} in ${what.files} files${decision.delta ? ', beside what was there' : ''}`,
          );
        }),
      ),
    );
  }

  #report({ mount }: UsedMount, message: string): void {
    this.#options.report(message, mount.uses.at(-1)!.step.lines.start);
  }
}

function carried(mounts: readonly CacheMount[], task: Task): CacheMount[] {
  return mounts.filter((mount) => {
    if (mount.unfit !== undefined) task.log(`${called(mount)} is not carried: ${mount.unfit}.`);
    return mount.unfit === undefined;
  });
}

/** Mounts that are added have to be written although they start from what the builder has. */
function leftAlone(all: readonly CacheMount[], used: readonly UsedMount[]): CacheMount[] {
  return all.filter((mount) => !used.some((one) => one.mount === mount));
}

function called({ id, target }: CacheMount): string {
  return `The cache mount ${id === target ? target : `${id} at ${target}`}`;
}

function toldSeed({ digest, manifest }: FoundSeed): string {
  const bytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  return `starts from ${formatBytes(bytes)} that an earlier run kept, ${digest.slice(0, 19)}`;
}

function sourceOf({ id }: CacheMount, { digest }: FoundSeed, at: number): SeedSource {
  return { context: `slipway-mount-${at}`, id: `slipway-${digest.slice('sha256:'.length, 19)}-${id}` };
}

/** The last of the stages that use it: what it holds then is what the build left. */
function lastStage({ uses }: CacheMount): ResolvedStage {
  return uses.reduce(
    (last, { stage }: MountUse) => (stage.index > last.index ? stage : last),
    uses[0]!.stage,
  );
}

function referenceTo({ stages }: Dockerfile, stage: ResolvedStage): string | undefined {
  if (stage.name === undefined) return placeholder(stage);
  return stages.findLast(({ name }) => name === stage.name)?.index === stage.index ? stage.name : undefined;
}

/** By its place: Go keeps compiled packages in GOCACHE, by default below the user's caches. */
function holdsObjects({ uses, target }: CacheMount): boolean {
  return uses.some(({ step }) => step.env.GOCACHE === target) || /(^|\/)go-build$/.test(target);
}
