import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Key } from '../content/index.ts';
import { Failure, type Task } from '../host/index.ts';
import { openLayout } from '../oci/index.ts';
import { assembleImage } from './assemble.ts';
import { type BuilderSettings, noSettings } from './builder/arguments.ts';
import { contentOf } from './builder/demand.ts';
import { keepStages } from './builder/keep.ts';
import type { BuildStep } from './builder/progress.ts';
import { type MadeStages, makeStages, type StageMaking } from './builder/stages.ts';
import { type Delivery, RefusedImage } from './deliver.ts';
import { isStillAsPlanned } from './identity/confirm.ts';
import type { MountSeeds } from './mounts/mounts.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import { Refused } from './planner.ts';
import type { ImageResult, StageOutcome } from './result.ts';
import type { StageResults } from './results/results.ts';
import { type Changes, changesSince } from './reuse/changes.ts';
import { rememberedKeys, rememberKeys } from './reuse/key-memory.ts';
import { type KeyTags, type KeyTagUse, openKeyTags } from './reuse/key-tag.ts';
import {
  deliverLayers,
  deliverReused,
  findInLayouts,
  findInRegistries,
  type Reusable,
  type ReusableLayers,
} from './reuse/reuse.ts';
import { verifyImage } from './reuse/verify.ts';
import { buildWhole } from './whole.ts';

/** What carrying a plan out needs beside it. */
export interface MakeOptions {
  /** Folder for this run's files; it may be gone afterwards. */
  readonly temporary: string;
  readonly signal?: AbortSignal | undefined;
  /** How a builder is asked where one is needed; default: the current one, with nothing special. */
  readonly builder?: BuilderSettings | undefined;
  /** Whether an image that is there already will do; default: true. */
  readonly reuse?: boolean | undefined;
  /** Where results of stages are kept between runs; default: nowhere. */
  readonly results?: StageResults | undefined;
  /** What cache mounts start from; default: what the builder has. */
  readonly seeds?: MountSeeds | undefined;
  /** Whether other runs may build on what this one leaves behind; default: no. */
  readonly trusted?: boolean | undefined;
  /**
   * Share, from 0 to 1, of what would be reused that is made again and compared: each stage, and an image that is there as a whole, is
   * drawn by itself. A difference is a Failure. Default: 0.
   */
  readonly verifyReuse?: number | undefined;
  /** Draws from 0 up to, and without, 1; default: Math.random. */
  readonly random?: (() => number) | undefined;
  /** Whether stages may be lifted out of their containers; default: true. */
  readonly lifts?: boolean | undefined;
  /** Whether registries are asked for the image by the tag of its key, and get that tag; default: neither. */
  readonly keyTags?: KeyTagUse | undefined;
}

/** An image that is at its targets, and how it came there. */
export interface BuiltImage extends ImageResult {
  /** The plan, as far as it had to be completed. */
  readonly plan: ImagePlan;
  /** What became of the stages whose files were come by one by one. */
  readonly outcomes: readonly StageOutcome[];
  /** The steps that a builder carried out. */
  readonly steps: readonly BuildStep[];
  /** Whether it was where it is to be already, or its layers were. */
  readonly there: 'image' | 'layers' | 'no';
  /**
   * What differs from the last image that was made on the branch or, where that is not known, on this machine; undefined where neither
   * is, and for an image that was there.
   */
  readonly changes: Changes | undefined;
}

/**
 * Carries a plan out. An image that is there already under the same key only gets its names; one whose files are there only gets its
 * configuration and manifests. Otherwise it is assembled in this process, with the stages that need a container run by a builder, or
 * made by a builder as a whole. Tags are written last: whatever goes wrong or is cancelled before leaves none.
 */
export async function buildImage(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  options: MakeOptions,
  task: Task,
): Promise<BuiltImage> {
  const build = new Build(plan, deliveries, options, task);
  const result = (await build.reuse()) ?? (await build.make());
  if (!result.reused) rememberKeys(plan.request, plan.identity);
  const { outcomes, steps, changes, there } = build;
  return { ...result, plan: build.plan, outcomes, steps, changes, there };
}

/** One image on its way. */
class Build {
  /** Completed when the image has to be made. */
  plan: ImagePlan;
  readonly outcomes: StageOutcome[] = [];
  readonly steps: BuildStep[] = [];
  changes: Changes | undefined;
  there: BuiltImage['there'] = 'no';
  readonly #deliveries: readonly Delivery[];
  readonly #options: MakeOptions;
  readonly #task: Task;
  readonly #tags: KeyTags;

  constructor(plan: ImagePlan, deliveries: readonly Delivery[], options: MakeOptions, task: Task) {
    this.plan = plan;
    this.#deliveries = deliveries;
    this.#options = options;
    this.#task = task;
    this.#tags = this.#tagsOf(plan.identity.files);
  }

  /** The image from where it, or its layers, are already. */
  async reuse(): Promise<ImageResult | undefined> {
    if (this.#options.reuse === false) return undefined;
    const there = (await findInLayouts(this.plan, this.#deliveries)) ?? (await this.#look(this.#tags));
    if (there !== undefined && this.#draw?.()) await this.#verify(there);
    return await this.#take(there, this.#tags, this.plan.key);
  }

  /** Makes the image again, with nothing of earlier runs, and compares. */
  async #verify(there: Reusable | ReusableLayers): Promise<void> {
    await this.#task.task('Verify the image that is there', async (child) => {
      const { builder = noSettings, temporary, signal } = this.#options;
      const target = await openLayout(join(temporary, `verify-${randomUUID()}`));
      const settings = { ...builder, noCache: true, cacheTo: [] };
      const options = { temporary, signal, builder: settings, reuse: false, lifts: false };
      const { platforms } = await buildImage(
        this.plan,
        [{ kind: 'layout', target, tags: ['again'] }],
        options,
        child,
      );
      await verifyImage(there, { source: target, platforms }, child);
    });
  }

  /** Draws what is made again although it is there; undefined where nothing is to be. */
  get #draw(): (() => boolean) | undefined {
    const { verifyReuse = 0, random = Math.random } = this.#options;
    return verifyReuse > 0 ? () => random() < verifyReuse : undefined;
  }

  async make(): Promise<ImageResult> {
    this.#compareHere();
    if (this.plan.how !== 'builder') this.plan = await this.plan.complete();
    if (this.plan.how === 'builder') return await this.#whole();
    try {
      return await this.#assemble();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      // What a builder's stage made showed that the final stage is one for BuildKit, too.
      this.plan = { ...this.plan, how: 'builder', because: error.because };
      return await this.#whole();
    }
  }

  async #assemble(): Promise<ImageResult> {
    const { plan } = this;
    const needed = plan.platforms.some(({ final }) => final === undefined);
    const made = await Promise.all(
      plan.platforms.map(async (platform) =>
        platform.final === undefined ? await this.#makeStages(platform) : undefined,
      ),
    );
    // Before this run's keys take the place of the earlier ones.
    if (needed) await this.#compare();
    const kept = this.#keep(made.filter((one) => one !== undefined));
    const work = this.#assembleFrom(made);
    await Promise.allSettled([work, kept]);
    await kept;
    return await work;
  }

  /** Takes, platform by platform, the stages that were needed. */
  async #assembleFrom(made: readonly (MadeStages | undefined)[]): Promise<ImageResult> {
    const byContent = this.#tagsByContent(made);
    const borrowed = made.some((one) => one?.isBorrowed);
    const plan = borrowed ? { ...this.plan, key: undefined } : this.plan;
    const own = borrowed ? this.#tagsOf(undefined) : this.#tags;
    const tags = byContent === undefined ? own : bothOf(byContent, own);
    const there = byContent === undefined ? undefined : await this.#look(byContent);
    if (there !== undefined) {
      const confirmed = await this.#confirm();
      const taken = await this.#take(there, confirmed ? tags : byContent!, confirmed ? plan.key : undefined);
      if (taken !== undefined) return taken;
    }
    const finals = await Promise.all(
      plan.platforms.map((platform, at) => platform.final ?? platform.assemble(made[at]?.files ?? new Map())),
    );
    const { temporary, signal, reuse = true } = this.#options;
    const how = { temporary, signal, reuse, keyTags: tags, confirm: () => this.#confirm() };
    return await assembleImage(plan, finals, this.#deliveries, how, this.#task);
  }

  async #makeStages(platform: PlatformPlan): Promise<MadeStages> {
    const made = await makeStages(this.plan, platform, this.#making, this.#task);
    this.#tell(made);
    return made;
  }

  #tell({ outcomes, steps }: MadeStages): void {
    this.outcomes.push(...outcomes);
    this.steps.push(...steps);
  }

  /** Keys are compared where something differs: those of a large context take their time. */
  #compareHere(): void {
    const earlier = rememberedKeys(this.plan.request);
    this.changes = earlier === undefined ? undefined : changesSince(this.plan, earlier);
  }

  /** What the branch has is what its readers know; it is asked for where something had to be made. */
  async #compare(): Promise<void> {
    const { results, reuse = true } = this.#options;
    const stages = reuse ? await results?.previous(this.#task) : undefined;
    if (stages !== undefined && stages.size > 0)
      this.changes = changesSince(this.plan, { stages, image: rememberedKeys(this.plan.request)?.image });
  }

  /** Leaves for later runs what may be of use to them. It costs time alone if that fails. */
  async #keep(made: readonly MadeStages[]): Promise<void> {
    const { trusted = false, results, signal } = this.#options;
    try {
      const confirm = () => this.#confirm();
      if (trusted && (await confirm())) await keepStages(made, { results, confirm, signal }, this.#task);
    } finally {
      await Promise.all(made.map(({ release }) => release()));
    }
  }

  async #whole(): Promise<ImageResult> {
    const { signal } = this.#options;
    let kept = Promise.resolve();
    const onStages = (made: readonly MadeStages[]) => {
      for (const one of made) this.#tell(one);
      kept = this.#compare().then(() => this.#keep(made));
    };
    const how = {
      making: this.#making,
      onStages,
      confirm: () => this.#confirm(),
      keyTags: this.#tags,
      signal,
    };
    const work = buildWhole(this.plan, this.#deliveries, how, this.#task);
    await Promise.allSettled([work]);
    await Promise.allSettled([kept]);
    return await work;
  }

  get #making(): StageMaking {
    const { results, seeds, reuse = true, trusted = false } = this.#options;
    const { builder: settings = noSettings, temporary, signal } = this.#options;
    const builder = { settings, temporary, signal };
    const { lifts = true } = this.#options;
    const verifies = this.#draw;
    return { builder, pins: this.plan.pinned, results, seeds, reuse, trusted, lifts, verifies };
  }

  #tagsOf(key: Key | undefined): KeyTags {
    const { reuse = true, signal, keyTags = { read: false, write: false } } = this.#options;
    const use = { read: keyTags.read && reuse, write: keyTags.write };
    return openKeyTags(key?.digest, use, signal, this.#task);
  }

  /** Tags of the image by what its stages came out as: an image whose stages were made again, and are as before, has them. */
  #tagsByContent(made: readonly (MadeStages | undefined)[]): KeyTags | undefined {
    const { identity } = this.plan;
    const key = identity.filesWith(made.map((one) => contentOf(one?.contents ?? new Map())));
    return key === undefined || key.digest === identity.files?.digest ? undefined : this.#tagsOf(key);
  }

  async #look(tags: KeyTags): Promise<Reusable | ReusableLayers | undefined> {
    return await findInRegistries(this.plan, this.#deliveries, tags, this.#task);
  }

  /** Gives what was found its names, and the key under which it may be found from now on. */
  async #take(
    there: Reusable | ReusableLayers | undefined,
    tags: KeyTags,
    key: Key | undefined,
  ): Promise<ImageResult | undefined> {
    if (there === undefined) return undefined;
    const { signal } = this.#options;
    try {
      const result =
        there.kind === 'image'
          ? await deliverReused(there, key?.digest, this.#deliveries, tags, this.#task)
          : await deliverLayers(there, { ...this.plan, key }, this.#deliveries, tags, signal, this.#task);
      this.there = there.kind;
      if (there.kind === 'layers' && this.changes === undefined) this.#compareHere();
      return result;
    } catch (error) {
      if (error instanceof RefusedImage && !signal?.aborted) return undefined;
      // A registry may have lost a part of it since, which only shows when it is named: then it is made.
      if (!(error instanceof Failure) || there.holder.kind === 'layout' || signal?.aborted) throw error;
      this.#task.log(`${error.message} The image is made again.`);
      return undefined;
    }
  }

  /** What was made of files that changed meanwhile goes to its places, and under no key. */
  async #confirm(): Promise<boolean> {
    if (await isStillAsPlanned(this.plan)) return true;
    this.#task.log(
      'Files of the build context changed while the image was being made: nothing of it is kept for reuse.',
    );
    return false;
  }
}

/** Writes the tags of two keys as one; both have been looked for. */
function bothOf(first: KeyTags, second: KeyTags): KeyTags {
  return {
    find: async (delivery) => (await first.find(delivery)) ?? (await second.find(delivery)),
    write: async (...image) => {
      await first.write(...image);
      await second.write(...image);
    },
  };
}
