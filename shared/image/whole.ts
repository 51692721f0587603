import { isDeepStrictEqual } from 'node:util';
import type { Task } from '../host/index.ts';
import { type ImageConfig, resolveFrom } from '../oci/index.ts';
import type { MadeLayout } from './builder/engine.ts';
import { makeWhole } from './builder/image.ts';
import type { MadeStages, StageMaking } from './builder/stages.ts';
import { type Delivery, deliver, deliverCopy } from './deliver.ts';
import { imageParts, type PlatformParts } from './parts.ts';
import type { ImagePlan } from './plan.ts';
import type { ImageResult } from './result.ts';
import type { KeyTags } from './reuse/key-tag.ts';
import { recognize } from './reuse/recognize.ts';
import { platformsOf } from './reuse/reuse.ts';

/** What making an image with a builder needs beside its plan. */
export interface WholeOptions {
  readonly making: StageMaking;
  /** Takes what came of the stages, as soon as they are made. */
  readonly onStages: (stages: readonly MadeStages[]) => void;
  /** Asked once it is made: whether it is what the plan's keys stand for. */
  readonly confirm: () => Promise<boolean>;
  readonly keyTags: KeyTags;
  readonly signal: AbortSignal | undefined;
}

/**
 * Lets a builder make the whole image, and brings it to its targets. Where the builder's configuration says what the plan's says, the
 * documents around its layers are written here, as for an image that is assembled: a later run then knows them to the byte, and can
 * put another label on the same layers. Where it says anything else, the image goes out as the builder made it, and under no key.
 */
export async function buildWhole(
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  options: WholeOptions,
  task: Task,
): Promise<ImageResult> {
  const made = await task.task('Build with BuildKit', (child) => makeWhole(plan, options.making, child));
  options.onStages(made.stages);
  const parts = plan.identity.files === undefined ? undefined : await restate(plan, made, task);
  return parts !== undefined && (await options.confirm())
    ? await deliverRestated(plan, parts, made, deliveries, options, task)
    : await deliverAsMade(made, deliveries, task);
}

async function deliverAsMade(
  { layout, root }: MadeLayout,
  deliveries: readonly Delivery[],
  task: Task,
): Promise<ImageResult> {
  const delivered = await Promise.all(
    deliveries.map((delivery) => deliverCopy(layout, root, delivery, undefined, task)),
  );
  return {
    descriptor: root,
    platforms: await platformsOf(layout, root),
    reused: false,
    deliveries: delivered,
  };
}

async function deliverRestated(
  { request, key }: ImagePlan,
  platforms: readonly PlatformParts[],
  { layout }: MadeLayout,
  deliveries: readonly Delivery[],
  { keyTags, signal }: WholeOptions,
  task: Task,
): Promise<ImageResult> {
  const parts = imageParts(request, platforms);
  const delivered = await deliver(parts, layout, deliveries, key?.digest, signal, task);
  await keyTags.write(parts.top.bytes, parts.root, deliveries);
  return {
    descriptor: parts.root,
    platforms: platforms.map(({ result }) => result),
    reused: false,
    deliveries: delivered,
  };
}

/** The plan's documents around the layers that a builder made; undefined where they would say anything else than the builder's. */
async function restate(
  plan: ImagePlan,
  { layout, root }: MadeLayout,
  task: Task,
): Promise<PlatformParts[] | undefined> {
  const found = await recognize(plan, layout, await layout.manifest(root.digest));
  if (found === undefined) {
    task.log('The builder made other layers than the plan knows of: the image is not kept for reuse.');
    return undefined;
  }
  const made = await Promise.all(
    plan.platforms.map(({ platform }) => resolveFrom(layout, root.digest, platform)),
  );
  for (const [at, { config }] of made.entries()) {
    const ours = JSON.parse(found.parts[at]!.config.bytes.toString('utf8')) as ImageConfig;
    const difference = differentField(ours, config);
    if (difference === undefined) continue;
    task.log(`The builder's configuration has another ${difference}: the image is not kept for reuse.`);
    return undefined;
  }
  return found.parts.map((one) => ({
    ...one,
    layers: one.layers.map((layer) => (layer.origin === 'base' ? layer : { ...layer, origin: 'made' })),
  }));
}

/** The first field of a configuration that differs; when something was made does not count, for the epoch decides about that. */
function differentField(ours: ImageConfig, theirs: ImageConfig): string | undefined {
  const [a, b] = [timeless(ours), timeless(theirs)];
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].find(
    (name) => !isDeepStrictEqual(a[name], b[name]),
  );
}

function timeless({ created: _, history = [], ...config }: ImageConfig): Record<string, unknown> {
  return { ...config, history: history.map(({ created: _, ...entry }) => entry) };
}
