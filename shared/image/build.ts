import type { Key } from '../content/index.ts';
import { Failure, type Task } from '../host/index.ts';
import { assembleImage } from './assemble.ts';
import { type BuilderSettings, noSettings } from './builder/arguments.ts';
import { type BuilderRun, buildStages } from './builder/stages.ts';
import { type Delivery, RefusedImage } from './deliver.ts';
import type { Directory } from './files/tree.ts';
import { isStillAsPlanned } from './identity/confirm.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import { Refused } from './planner.ts';
import type { ImageResult } from './result.ts';
import { contentDigest } from './results/members.ts';
import { rememberKey } from './reuse/explain.ts';
import { type KeyTags, type KeyTagUse, openKeyTags } from './reuse/key-tag.ts';
import {
  deliverLayers,
  deliverReused,
  findInLayouts,
  findInRegistries,
  type Reusable,
  type ReusableLayers,
} from './reuse/reuse.ts';
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
  /** Whether registries are asked for the image by the tag of its key, and get that tag; default: neither. */
  readonly keyTags?: KeyTagUse | undefined;
}

/** An image that is at its targets, and the plan as far as it had to be completed for it. */
export interface BuiltImage extends ImageResult {
  readonly plan: ImagePlan;
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
  if (plan.key !== undefined) rememberKey(plan.request, plan.key);
  return { ...result, plan: build.plan };
}

/** One image on its way. */
class Build {
  /** Completed when the image has to be made. */
  plan: ImagePlan;
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
    const there = await findInLayouts(this.plan, this.#deliveries);
    return await this.#take(there ?? (await this.#look(this.#tags)), this.#tags);
  }

  async make(): Promise<ImageResult> {
    if (this.plan.how === 'builder') return await this.#whole();
    this.plan = await this.plan.complete();
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
    const built = await Promise.all(
      plan.platforms.map(async (platform) =>
        platform.final === undefined ? await this.#makeStages(platform) : new Map<number, Directory>(),
      ),
    );
    const tags = await this.#tagsByContent(built);
    const there =
      tags === undefined ? undefined : await this.#take(await this.#look(tags), bothOf(tags, this.#tags));
    if (there !== undefined) return there;
    const finals = await Promise.all(
      plan.platforms.map((platform, at) => platform.final ?? platform.assemble(built[at]!)),
    );
    const { temporary, signal, reuse = true } = this.#options;
    const keyTags = tags === undefined ? this.#tags : bothOf(tags, this.#tags);
    const how = { temporary, signal, reuse, keyTags, confirm: () => this.#confirm() };
    return await assembleImage(plan, finals, this.#deliveries, how, this.#task);
  }

  async #makeStages(platform: PlatformPlan): Promise<ReadonlyMap<number, Directory>> {
    return await buildStages(this.plan, platform, this.#builder, this.#task);
  }

  async #whole(): Promise<ImageResult> {
    const how = { ...this.#builder, keyTags: this.#tags, confirm: () => this.#confirm() };
    return await buildWhole(this.plan, this.#deliveries, how, this.#task);
  }

  get #builder(): BuilderRun {
    const { builder: settings = noSettings, temporary, signal } = this.#options;
    return { settings, temporary, signal };
  }

  #tagsOf(key: Key | undefined): KeyTags {
    const { reuse = true, signal, keyTags = { read: false, write: false } } = this.#options;
    const use = { read: keyTags.read && reuse, write: keyTags.write };
    return openKeyTags(key?.digest, use, signal, this.#task);
  }

  /** Tags of the image by what its stages came out as: an image whose stages were made again, and are as before, has them. */
  async #tagsByContent(built: readonly ReadonlyMap<number, Directory>[]): Promise<KeyTags | undefined> {
    if (built.every(({ size }) => size === 0)) return undefined;
    const { digests, identity } = this.plan;
    const contents = await Promise.all(
      built.map(async (stages) => {
        const named = [...stages].map(
          async ([index, files]) => [index, await contentDigest(files, digests)] as const,
        );
        return new Map(
          (await Promise.all(named)).flatMap(([index, digest]) =>
            digest === undefined ? [] : [[index, digest] as const],
          ),
        );
      }),
    );
    const key = identity.filesWith(contents);
    return key === undefined || key.digest === identity.files?.digest ? undefined : this.#tagsOf(key);
  }

  async #look(tags: KeyTags): Promise<Reusable | ReusableLayers | undefined> {
    return await findInRegistries(this.plan, this.#deliveries, tags, this.#task);
  }

  async #take(there: Reusable | ReusableLayers | undefined, tags: KeyTags): Promise<ImageResult | undefined> {
    if (there === undefined) return undefined;
    const { signal } = this.#options;
    try {
      return there.kind === 'image'
        ? await deliverReused(there, this.plan.key?.digest, this.#deliveries, tags, this.#task)
        : await deliverLayers(there, this.plan, this.#deliveries, tags, signal, this.#task);
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
