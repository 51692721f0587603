import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Attestation } from '../../shared/attest/index.ts';
import type { Host, Inputs } from '../../shared/host/index.ts';
import {
  type BuilderSettings,
  type BuiltImage,
  buildImage,
  buildxMetadata,
  type Delivery,
  describePlan,
  type ImagePlan,
  type ImageRequest,
  type ImageResult,
  imageId,
  keepBlobs,
  lookAhead,
  type MakeOptions,
  needsBuilder,
  planImage,
  type ResolveImage,
  type StageResults,
  type Story,
} from '../../shared/image/index.ts';
import {
  dockerCredentials,
  formatPlatform,
  isLayoutReference,
  RegistryClient,
  resolveImage,
  resolveLayoutImage,
  type Traffic,
} from '../../shared/oci/index.ts';
import { summary } from '../../shared/report/index.ts';
import { reportAttestations, withEvidence } from './attest.ts';
import { readAttestInputs } from './attest-inputs.ts';
import type { definition } from './definition.ts';
import { existingPlaces, openDeliveries, readNames } from './deliveries.ts';
import { exportImage } from './export.ts';
import { readImages } from './images.ts';
import { LiftCaches, saveLiftCaches, withLifts } from './lift.ts';
import { lintImage, parseLevels } from './lint.ts';
import { runImages } from './many.ts';
import { openMounts, readMounts } from './mounts.ts';
import { parseOutputs } from './outputs.ts';
import { readRegistries } from './registries.ts';
import { reportPlan, reportResult } from './report.ts';
import { keyTagUse, readBuilder, readRequest } from './request.ts';
import { openResults, parseStore } from './stores.ts';
import { parseShare } from './verify.ts';

/** Plans the image, makes what is not there, brings it where it is asked for, and says what was done and why. */
export async function main(host: Host, inputs: ImageInputs): Promise<void> {
  const images = await readImages(host, inputs);
  if (images !== undefined) return await runImages(host, inputs, images);
  const started = performance.now();
  const request = readRequest(host, inputs, cacheFolder(), process.env);
  const run = await runImage(host, inputs, request, inputs.plan);
  host.output('plan', JSON.stringify(describePlan(run.plan, run.story)));
  if (run.made !== undefined) tell(host, run.made);
  const milliseconds = performance.now() - started;
  await host.summarize(
    summary(
      run.made === undefined
        ? reportPlan(run.plan, run.story, inputs.explain)
        : [
            ...reportResult(
              run.plan,
              run.made.result,
              { milliseconds, traffic: run.made.traffic },
              run.story,
              inputs.explain,
            ),
            ...reportAttestations(run.made.attestations),
          ],
    ),
  );
}

/** Saves what Go's caches gained, also after a failure. */
export async function post(host: Host, inputs: ImageInputs): Promise<void> {
  await saveLiftCaches(host, inputs);
}

export type ImageInputs = Inputs<typeof definition>;

/** An image that was planned and, unless only the plan was asked for, made and brought to its places. */
export interface ImageRun {
  readonly plan: ImagePlan;
  /** What became of it, or would. */
  readonly story: Story;
  readonly made: MadeImage | undefined;
}

export interface MadeImage {
  readonly result: ImageResult;
  readonly traffic: Traffic;
  /** Names of the image, as they were given. */
  readonly names: readonly string[];
  /** Absolute path of the layout that has the image, where there is one. */
  readonly layout: string | undefined;
  /** What was attached to it; empty when nothing was asked for, or all was there already. */
  readonly attestations: readonly Attestation[];
}

/** The folder for what is remembered across projects: indexes of base layers. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'slipway');
}

/**
 * Plans and makes an image, with all that the inputs say beside the request: where it goes, and how a builder is asked. A spare
 * layout takes what is made, and is not filled with an image that a registry has already. Who runs several images shares their
 * registries, closes them, and cleans their layouts up.
 */
export async function runImage(
  host: Host,
  inputs: ImageInputs,
  request: ImageRequest,
  planOnly: boolean,
  spareLayout = false,
  shared?: Registries,
): Promise<ImageRun> {
  const builder = readBuilder(host, inputs);
  readAttestInputs(inputs, host);
  const outputs = parseOutputs(inputs.outputs, host.workspace);
  readNames(inputs.tags);
  parseShare(inputs['verify-reuse']);
  const store = parseStore(inputs.store, host.workspace);
  const mounts = readMounts(inputs);
  const levels = parseLevels(inputs['lint-levels']);
  const own = shared ?? (await openRegistries(host, inputs));
  try {
    const { client } = own;
    const liftable = withLifts(host, inputs, request, own.images, own.lifts, planOnly);
    const plan = await planFrom(host, own, liftable, planOnly);
    warn(host, plan);
    if (inputs.lint) lintImage(host, plan, levels);
    if (planOnly) {
      const places = await existingPlaces(host, client, inputs, outputs);
      const results = openResults(host, store, request, places, client);
      const story = await foresee(host, inputs, plan, places, results);
      return { plan, story, made: undefined };
    }
    const places = await openDeliveries(host, client, inputs, outputs, spareLayout);
    const evidence = withEvidence(host, inputs, plan, places, own.images, builder.secrets);
    const results = openResults(host, store, request, places.deliveries, client);
    const about = { host, request, deliveries: places.deliveries, client, builder };
    const stores = { results, seeds: openMounts(mounts, store, about) };
    const result = await make(host, inputs, plan, evidence.deliveries, builder, stores);
    await exportImage(host, plan, result, places, inputs, outputs, request.cache);
    // What no name leads to any more would stay for ever: each build of a moving tag leaves its old layers behind.
    if (shared === undefined && places.layout !== undefined && !result.reused)
      await places.local?.collectGarbage();
    const filled = result.deliveries.some(({ kind }) => kind === 'layout');
    const layout = filled ? places.layout : undefined;
    const { names } = places;
    const attestations = evidence.attached;
    return {
      plan: result.plan,
      story: result,
      made: { result, traffic: client.traffic(), names, layout, attestations },
    };
  } finally {
    if (shared === undefined) own.client.close();
  }
}

/** The registries of a run and the bases that came from them: images that are made side by side share both. */
export interface Registries {
  readonly client: RegistryClient;
  readonly images: ResolveImage;
  /** As `images`, with every blob fetched once. */
  readonly kept: ResolveImage;
  readonly lifts: LiftCaches;
}

export async function openRegistries(host: Host, inputs: ImageInputs): Promise<Registries> {
  const client = await openClient(host, readRegistries(inputs['insecure-registries']));
  const known = new Map<string, ReturnType<ResolveImage>>();
  const images: ResolveImage = (reference, platform) => {
    const name = `${reference} ${formatPlatform(platform)}`;
    const found = known.get(name) ?? resolve(client, reference, platform);
    known.set(name, found);
    return found;
  };
  const kept = keepBlobs(images, join(host.temporary, 'blobs'));
  return { client, images, kept, lifts: new LiftCaches(host, inputs) };
}

async function resolve(client: RegistryClient, ...[reference, platform]: Parameters<ResolveImage>) {
  if (isLayoutReference(reference)) return await resolveLayoutImage(reference, platform);
  return await resolveImage(client, reference, platform);
}

async function planFrom(
  host: Host,
  { images, kept }: Registries,
  request: ImageRequest,
  planOnly: boolean,
): Promise<ImagePlan> {
  // A plan alone reads nothing twice.
  const from = planOnly ? images : kept;
  return await host.task('Plan the image', async () => {
    const plan = await planImage(request, from, join(host.temporary, 'plan'));
    return planOnly ? await plan.complete({ lifts: true }) : plan;
  });
}

/** What would come of the plan, by what is where the image is to be and where results are kept. */
async function foresee(
  host: Host,
  inputs: ImageInputs,
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  results: StageResults | undefined,
): Promise<Story> {
  if (inputs['no-cache']) return {};
  const where = { deliveries, results, keyTags: keyTagUse(inputs, host.run).read, signal: host.signal };
  return await host.task('Look for what earlier runs left', (task) => lookAhead(plan, where, task));
}

async function make(
  host: Host,
  inputs: ImageInputs,
  plan: ImagePlan,
  deliveries: readonly Delivery[],
  builder: BuilderSettings,
  stores: Pick<MakeOptions, 'results' | 'seeds'>,
): Promise<BuiltImage> {
  const options = {
    temporary: host.temporary,
    signal: host.signal,
    builder,
    reuse: !inputs['no-cache'],
    keyTags: keyTagUse(inputs, host.run),
    ...stores,
    trusted: host.run.trusted,
    verifyReuse: parseShare(inputs['verify-reuse']),
  };
  const result = await host.task('Make the image', (task) => buildImage(plan, deliveries, options, task));
  // Trying the steps out told more.
  warn(host, result.plan, plan.warnings);
  if (builder.cacheTo.length > 0 && (result.reused || !needsBuilder(result.plan)))
    host.annotate({
      level: 'notice',
      message: 'cache-to has nothing to keep: no builder took part in this image.',
    });
  return result;
}

async function openClient(host: Host, insecure: readonly string[]): Promise<RegistryClient> {
  const secret = (value: string) => host.secret(value);
  const credentials = await dockerCredentials({ secret, signal: host.signal });
  return new RegistryClient({
    credentials,
    secret,
    insecure,
    signal: host.signal,
    temporary: host.temporary,
    log: (line) => host.log(line),
  });
}

function warn(host: Host, plan: ImagePlan, told: ImagePlan['warnings'] = []): void {
  for (const { message, lines } of plan.warnings.slice(told.length))
    host.annotate({
      level: 'warning',
      message,
      location: {
        file: plan.dockerfile.path,
        ...(lines !== undefined && { line: lines.start, endLine: lines.end }),
      },
    });
}

function tell(host: Host, { result, names, layout, attestations }: MadeImage): void {
  host.output('imageid', imageId(result));
  host.output('digest', result.descriptor.digest);
  host.output('metadata', JSON.stringify(buildxMetadata(result, names)));
  host.output('reused', String(result.reused));
  host.output('attestations', JSON.stringify(attestations));
  const reference = referenceOf(names, result);
  if (reference !== undefined) host.output('reference', reference);
  if (layout !== undefined) host.output('layout', layout);
}

/** The first name with the digest. */
export function referenceOf(names: readonly string[], result: ImageResult): string | undefined {
  return names[0] === undefined ? undefined : `${names[0].replace(/@.*$/, '')}@${result.descriptor.digest}`;
}
