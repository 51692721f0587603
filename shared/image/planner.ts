import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Digest } from '../content/index.ts';
import {
  createIgnore,
  type Dockerfile,
  type Lines,
  type NamedContext,
  type ResolvedStage,
  resolveGraph,
  type StageGraph,
} from '../dockerfile/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import {
  formatPlatform,
  type ImageConfig,
  isLayoutReference,
  type Platform,
  type ResolvedImage,
} from '../oci/index.ts';
import { chainOf } from './chain.ts';
import { type ContentDigests, openDigests } from './files/digests.ts';
import { diskTree } from './files/disk.ts';
import type { Directory } from './files/tree.ts';
import { Unmodelled } from './files/unmodelled.ts';
import { identifyImage } from './identity/identify.ts';
import type { ImageIdentity, PlatformIdentity } from './identity/identity.ts';
import { builderStages, decideMethods, needsBuilder, type Refusals, type StagePlan } from './method.ts';
import { instructionOf } from './names.ts';
import { once } from './once.ts';
import type { PlanWarning, PlatformPlan } from './plan.ts';
import type { ImageRequest, ResolveImage } from './request.ts';
import { ownPaths, type ReadIgnore } from './sources.ts';
import { StepFailure } from './steps.ts';
import { type AssembledStage, Workbench, type WorkbenchOptions } from './workbench.ts';

/** Stands for the configuration of a base that is not to be had here: whoever depends on it has no key and is not assembled. */
function unknownConfig(platform: Platform): ImageConfig {
  return { ...platform, rootfs: { type: 'layers', diff_ids: [] } };
}

/** Plans an image for one platform after the other, over one reading of Dockerfile, context and bases. */
export class Planner {
  readonly #request: ImageRequest;
  readonly #dockerfile: Dockerfile;
  readonly #images: ResolveImage;
  readonly #warnings: PlanWarning[];
  readonly #failures = new Map<string, Failure>();
  readonly #resolved = new Map<string, Promise<ResolvedImage>>();
  readonly #ignore: ReadIgnore | undefined;
  readonly #context: Directory;
  readonly #directories = new Map<string, Directory>();
  readonly #indexes: WorkbenchOptions['indexes'] = new Map();
  readonly #digests: ContentDigests;
  readonly #temporary: string;

  constructor(
    request: ImageRequest,
    dockerfile: Dockerfile,
    ignore: ReadIgnore | undefined,
    images: ResolveImage,
    digests: ContentDigests,
    temporary: string,
    warnings: PlanWarning[],
  ) {
    this.#request = request;
    this.#dockerfile = dockerfile;
    this.#images = images;
    this.#digests = digests;
    this.#temporary = temporary;
    this.#warnings = warnings;
    this.#ignore = ignore;
    this.#context = diskTree(request.context, ignore?.ignore, new Set(ownPaths(request)), digests.blobs);
  }

  /** The same over the files as they are now, which it reads again; what registries said still holds. */
  anew(): Planner {
    const { state } = this.#request;
    const digests = openDigests(state === undefined ? undefined : join(state, 'image-digests.json'));
    return new Planner(
      this.#request,
      this.#dockerfile,
      this.#ignore,
      (reference, platform) => this.#resolve(reference, platform),
      digests,
      this.#temporary,
      [],
    );
  }

  async graph(platform: Platform): Promise<StageGraph> {
    const graph = await resolveGraph(this.#dockerfile, {
      target: this.#request.target,
      platform,
      buildPlatform: this.#request.buildPlatform,
      buildArgs: this.#request.buildArgs,
      labels: this.#request.labels,
      contexts: contextsFor(this.#request, this.#dockerfile, platform),
      configOf: (reference, on) => this.#configOf(reference, on),
    });
    for (const message of graph.warnings) this.#warnings.push(message);
    return graph;
  }

  async identify(graphs: readonly StageGraph[], now: number): Promise<ImageIdentity> {
    return await identifyImage({
      request: this.#request,
      dockerfile: this.#dockerfile,
      graphs,
      images: (reference, platform) => this.#resolve(reference, platform),
      context: this.#context,
      directory: (path) => this.#directory(path),
      digests: this.#digests,
      now,
    });
  }

  /** The plan for a platform as the Dockerfile says it. */
  async outline(graph: StageGraph, identity: PlatformIdentity): Promise<PlatformPlan> {
    const { platform } = graph;
    const bench = new Workbench({
      platform,
      request: this.#request,
      images: (reference, on) => this.#resolve(reference, on),
      indexes: this.#indexes,
      digests: this.#digests,
      temporary: join(this.#temporary, formatPlatform(platform).replaceAll('/', '-')),
      context: this.#context,
      directory: (path) => this.#directory(path),
      warn: (message, step) => this.#warnings.push({ message, lines: step.lines }),
    });
    const base = await this.#rootBase(graph);
    return this.#withMethods({ platform, graph, identity, base, bench }, new Map());
  }

  #withMethods(
    own: Pick<PlatformPlan, 'platform' | 'graph' | 'identity' | 'base' | 'bench'>,
    refusals: Refusals,
  ): PlatformPlan {
    const stages = decideMethods(own.graph, refusals, this.#request.lifted);
    const assemble = (built: ReadonlyMap<number, Directory>) =>
      this.#assemble(own.graph, stages, own.bench, built);
    return { ...own, stages, final: undefined, assemble };
  }

  /** The plan with everything tried that needs no builder. */
  async complete(outline: PlatformPlan, lifts: boolean): Promise<PlatformPlan> {
    const { graph } = outline;
    let refusals: Refusals = lifts ? await disproved(outline) : new Map();
    for (;;) {
      const open = this.#withMethods(outline, refusals);
      const plan = lifts ? { ...open, stages: open.stages.map(asProved) } : open;
      const target = plan.stages.find(({ stage }) => stage.index === graph.target)!;
      if (target.method.kind !== 'assembled') return plan;
      if (graph.unmodelled.length > 0 || needsBuilder(graph, plan.stages)) return plan;
      try {
        return { ...plan, final: await plan.assemble(new Map()) };
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refusals = new Map([...refusals, [error.stage, error.because]]);
      }
    }
  }

  async #configOf(reference: string, platform: Platform): Promise<ImageConfig> {
    try {
      return (await this.#resolve(reference, platform)).config;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // It matters only if a stage that is assembled here starts from it; the engine of a builder may know the image. Without its
      // configuration such a stage has no key.
      this.#failures.set(`${reference} ${formatPlatform(platform)}`, error);
      return unknownConfig(platform);
    }
  }

  #resolve(reference: string, platform: Platform): Promise<ResolvedImage> {
    const id = `${reference} ${formatPlatform(platform)}`;
    return once(this.#resolved, id, () => this.#images(reference, platform));
  }

  async pinned(reference: string, platform: Platform): Promise<Digest | undefined> {
    try {
      return (await this.#resolve(reference, platform)).root.digest;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      return undefined;
    }
  }

  #directory(path: string): Directory {
    return once(this.#directories, path, () => {
      const own = join(path, '.dockerignore');
      const ignore = existsSync(own) ? createIgnore(readFileSync(own, 'utf8')) : undefined;
      return diskTree(path, ignore, undefined, this.#digests.blobs);
    });
  }

  async #assemble(
    graph: StageGraph,
    stages: readonly StagePlan[],
    bench: Workbench,
    built: ReadonlyMap<number, Directory>,
  ): Promise<AssembledStage> {
    const done = new Map<number, Promise<AssembledStage>>();
    const copiedFrom = sourcesOfStages(stages);
    const one = async (index: number): Promise<AssembledStage> => {
      const { stage } = stages.find((plan) => plan.stage.index === index)!;
      const base = stage.base.kind === 'stage' ? await stageOf(stage.base.index) : await this.#base(stage);
      if (base !== undefined && 'children' in base) throw new Error('a stage on a builder’s files');
      try {
        return await bench.assemble(stage, stageOf, base, copiedFrom.has(index));
      } catch (error) {
        throw this.#explain(error, index);
      }
    };
    const stageOf = (index: number): Promise<AssembledStage | Directory> => {
      const plan = stages.find((candidate) => candidate.stage.index === index)!;
      if (plan.method.kind === 'handed-in') return Promise.resolve(this.#directory(plan.method.directory));
      const files = built.get(index);
      if (files !== undefined) return Promise.resolve(files);
      return once(done, index, () => one(index));
    };
    return (await stageOf(graph.target)) as AssembledStage;
  }

  async #base(stage: ResolvedStage): Promise<ResolvedImage | undefined> {
    const { base, platform } = stage;
    if (base.kind !== 'image') return undefined;
    const failure = this.#failures.get(`${base.reference} ${formatPlatform(platform)}`);
    if (failure !== undefined)
      throw new Failure(failure.message, {
        location: { file: this.#dockerfile.path, line: stage.lines.start },
        cause: failure,
      });
    return await this.#resolve(base.reference, platform);
  }

  /** The base of an image: that of the lowest stage which the target builds on. */
  async #rootBase(graph: StageGraph): Promise<ResolvedImage | undefined> {
    const { base, platform } = chainOf(graph)[0]!;
    if (base.kind !== 'image' || this.#failures.has(`${base.reference} ${formatPlatform(platform)}`))
      return undefined;
    return await this.#resolve(base.reference, platform);
  }

  #explain(error: unknown, stage: number): unknown {
    if (error instanceof Unmodelled) return new Refused(stage, error);
    if (!(error instanceof StepFailure)) return error;
    const { lines } = error.step;
    const source = instructionOf(error.step);
    return new Failure(`${source}: ${error.failure.message}`, {
      location: { file: this.#dockerfile.path, line: lines.start, endLine: lines.end },
      cause: error.failure,
    });
  }
}

/** A stage that was to be assembled, and that BuildKit has to make. */
export class Refused extends Error {
  readonly stage: number;
  readonly because: { readonly reason: string; readonly lines: Lines };

  constructor(stage: number, { reason, lines }: Unmodelled) {
    super(reason);
    this.stage = stage;
    this.because = { reason, lines: lines! };
  }
}

function asProved(plan: StagePlan): StagePlan {
  return plan.method.kind === 'lifted' ? { ...plan, method: { ...plan.method, proved: true } } : plan;
}

/** The stages that turn out not to be liftable. */
async function disproved({ platform, graph, stages }: PlatformPlan): Promise<Refusals> {
  const found = builderStages(graph, stages).map(async ({ stage, method }) => {
    if (method.kind !== 'lifted') return [];
    const because = await method.lifted.prove(platform);
    if (because === undefined) return [];
    return [[stage.index, { reason: because.reason, lines: because.lines ?? method.lines }] as const];
  });
  return new Map((await Promise.all(found)).flat());
}

/** Stages whose files are taken by others, or that are built upon. */
function sourcesOfStages(stages: readonly StagePlan[]): Set<number> {
  return new Set(
    stages.flatMap(({ stage }) => [
      ...(stage.base.kind === 'stage' ? [stage.base.index] : []),
      ...stage.steps.flatMap((step) =>
        (step.kind === 'copy' || step.kind === 'add') && step.from.kind === 'stage' ? [step.from.index] : [],
      ),
    ]),
  );
}

function contextsFor(
  request: ImageRequest,
  dockerfile: Dockerfile,
  platform: Platform,
): Map<string, NamedContext> {
  const contexts = new Map<string, NamedContext>();
  for (const [name, value] of Object.entries(request.contexts)) {
    if (value.startsWith('docker-image://'))
      contexts.set(name, { kind: 'image', reference: value.slice('docker-image://'.length) });
    else if (isLayoutReference(value)) contexts.set(name, { kind: 'image', reference: value });
    else if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(value) && !/^git@/.test(value))
      contexts.set(name, { kind: 'directory', path: value });
  }
  const names = dockerfile.stages.flatMap(({ name }) => name ?? []);
  for (const [given, directory] of Object.entries(request.handedIn)) {
    const name = given.toLowerCase();
    if (!names.includes(name)) throw notHandedIn(given, dockerfile, names);
    contexts.set(name, { kind: 'directory', path: existingDirectory(given, directory(platform), request) });
  }
  return contexts;
}

/** A builder replaces stages by their names alone. */
function notHandedIn(given: string, { path, stages }: Dockerfile, names: readonly string[]): Failure {
  const numbered = stages.find(({ index }) => String(index) === given);
  if (numbered === undefined) {
    const known = names.length === 0 ? 'none of its stages has a name' : `its stages are ${names.join(', ')}`;
    return new Failure(
      `The stage "${given}" that is handed in is not in ${path}; ${known}.${didYouMean(given.toLowerCase(), names)}`,
    );
  }
  const { name, opening } = numbered;
  const instead = name === undefined ? 'which this one has not: write FROM … AS name' : `here "${name}"`;
  return new Failure(
    `The stage that is handed in is called by its number, ${given}; accepted is its name, ${instead}.`,
    { location: { file: path, line: opening.lines.start } },
  );
}

function existingDirectory(stage: string, path: string, request: ImageRequest): string {
  const stats = statSync(path, { throwIfNoEntry: false });
  const shown = relative(request.workspace, path);
  if (stats === undefined)
    throw new Failure(`The folder ${shown}, handed in for the stage "${stage}", does not exist.`);
  if (!stats.isDirectory())
    throw new Failure(
      `${shown}, handed in for the stage "${stage}", is a file; accepted is a folder that holds what would lie in the stage, such as ${dirname(shown)}.`,
    );
  return path;
}
