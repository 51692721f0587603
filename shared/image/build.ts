import { Failure, type Task } from '../host/index.ts';
import { assembleImage } from './assemble.ts';
import { type BuilderSettings, noSettings } from './builder/arguments.ts';
import { buildWithBuilder } from './builder/image.ts';
import { buildStages } from './builder/stages.ts';
import { type Delivery, RefusedImage } from './deliver.ts';
import type { ImagePlan, PlatformPlan } from './plan.ts';
import type { ImageResult } from './result.ts';
import { rememberKey } from './reuse/explain.ts';
import { type KeyTagUse, openKeyTags } from './reuse/key-tag.ts';
import { deliverReused, findReusable } from './reuse/reuse.ts';

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

/**
 * Carries a plan out. An image that is there already under the same key only gets its names; otherwise it is assembled in this
 * process, with the stages that need a container run by a builder, or made by a builder as a whole. Tags are written last: whatever
 * goes wrong or is cancelled before leaves none.
 */
export async function buildImage(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  options: MakeOptions,
  task: Task,
): Promise<ImageResult> {
  const { temporary, signal, reuse = true } = options;
  const builder = { settings: options.builder ?? noSettings, temporary, signal };
  const { read, write } = options.keyTags ?? { read: false, write: false };
  const keyTags = openKeyTags(plan.key?.digest, { read: read && reuse, write }, signal, task);
  const result = (reuse ? await reuseImage() : undefined) ?? (await make());
  if (plan.key !== undefined) rememberKey(plan.request, plan.key);
  return result;

  async function reuseImage(): Promise<ImageResult | undefined> {
    const there = await findReusable(plan, deliveries, keyTags, task);
    if (there === undefined) return undefined;
    try {
      return await deliverReused(there, plan.key!.digest, deliveries, keyTags, task);
    } catch (error) {
      if (error instanceof RefusedImage && !signal?.aborted) return undefined;
      // A registry may have lost a part of it since, which only shows when it is named: then it is made.
      if (!(error instanceof Failure) || there.holder.kind === 'layout' || signal?.aborted) throw error;
      task.log(`${error.message} The image is made again.`);
      return undefined;
    }
  }

  async function make(): Promise<ImageResult> {
    if (plan.how === 'builder') return await buildWithBuilder(plan, deliveries, builder, task);
    const stages = (platform: PlatformPlan, child: Task) => buildStages(plan, platform, builder, child);
    const how = { temporary, signal, reuse, keyTags, buildStages: stages };
    return await assembleImage(plan, deliveries, how, task);
  }
}
