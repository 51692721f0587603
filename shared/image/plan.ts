import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { type Key, makeOwnFolder } from '../content/index.ts';
import {
  createIgnore,
  type Dockerfile,
  type Ignore,
  ignoreFileNames,
  type Lines,
  type NamedContext,
  parseDockerfile,
  type ResolvedStage,
  resolveGraph,
  type StageGraph,
  type Step,
} from '../dockerfile/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import {
  type Compression,
  formatPlatform,
  type ImageConfig,
  type Platform,
  type ResolvedImage,
} from '../oci/index.ts';
import { checkAnnotations } from './annotations.ts';
import { type ContentDigests, openDigests } from './files/digests.ts';
import { diskTree } from './files/disk.ts';
import type { Directory } from './files/tree.ts';
import { Unmodelled } from './files/unmodelled.ts';
import { decideMethods, type Refusals, type StagePlan } from './method.ts';
import { instructionOf } from './names.ts';
import { once } from './once.ts';
import type { ImageRequest, ResolveImage } from './request.ts';
import { explainKey } from './reuse/explain.ts';
import { imageKey, platformKeyParts } from './reuse/key.ts';
import { StepFailure } from './steps.ts';
import { type AssembledStage, Workbench, type WorkbenchOptions } from './workbench.ts';

/** How the image will be made, decided before anything is made. */
export interface ImagePlan {
  readonly request: ImageRequest;
  readonly dockerfile: Dockerfile;
  readonly ignore: IgnoreFile | undefined;
  readonly how: 'assembled' | 'builder';
  /** Why the whole image is BuildKit's to make. */
  readonly because: Because | undefined;
  readonly platforms: readonly PlatformPlan[];
  /** Names the image by all that it is made of; undefined when a builder has a part in it. */
  readonly key: Key | undefined;
  /** What differs from the last image of this Dockerfile, in words; undefined when none is known. */
  readonly changes: readonly string[] | undefined;
  readonly warnings: readonly PlanWarning[];
  readonly digests: ContentDigests;
}

/** A reason with its place in the Dockerfile, where it has one. */
export interface Because {
  readonly reason: string;
  readonly lines: Lines | undefined;
}

/** What the user should know although the image can be made. */
export interface PlanWarning {
  readonly message: string;
  readonly lines: Lines | undefined;
}

/** The ignore file in force. */
export interface IgnoreFile {
  readonly path: string;
  readonly text: string;
}

/** The plan of the image for one platform. */
export interface PlatformPlan {
  readonly platform: Platform;
  readonly graph: StageGraph;
  readonly stages: readonly StagePlan[];
  /** The final stage, where no builder is needed for it. */
  readonly final: AssembledStage | undefined;
  /** Assembles the final stage once the files that builders make are there, by number of their stage. */
  readonly assemble: (built: ReadonlyMap<number, Directory>) => Promise<AssembledStage>;
  readonly bench: Workbench;
}

/** Plans an image: reads the Dockerfile, the context as far as it is copied, and manifests of bases; makes nothing. */
export async function planImage(
  request: ImageRequest,
  images: ResolveImage,
  temporary: string,
): Promise<ImagePlan> {
  checkRequest(request);
  const dockerfile = readDockerfile(request);
  const ignore = readIgnore(request);
  if (request.state !== undefined) makeOwnFolder(request.state);
  const digests = openDigests(
    request.state === undefined ? undefined : join(request.state, 'image-digests.json'),
  );
  const warnings: PlanWarning[] = [];
  const planner = new Planner(request, dockerfile, ignore, images, digests, temporary, warnings);
  const platforms = await Promise.all(request.platforms.map((platform) => planner.platform(platform)));
  const because =
    request.builderOnly !== undefined
      ? { reason: request.builderOnly, lines: undefined }
      : whole(platforms, request);
  const key = because === undefined ? await keyOf(request, platforms, digests) : undefined;
  digests.save();
  const how = because === undefined ? 'assembled' : 'builder';
  return {
    request,
    dockerfile,
    ignore: ignore?.file,
    how,
    because,
    platforms,
    key,
    changes: key === undefined ? undefined : explainKey(request, key),
    warnings: unique(warnings),
    digests,
  };
}

function unique(warnings: readonly PlanWarning[]): PlanWarning[] {
  return [...new Map(warnings.map((one) => [`${one.lines?.start} ${one.message}`, one])).values()];
}

function checkRequest(request: ImageRequest): void {
  const stats = statSync(request.context, { throwIfNoEntry: false });
  const shown = relative(request.workspace, request.context) || '.';
  if (stats === undefined) throw new Failure(`The build context ${shown} does not exist.`);
  if (!stats.isDirectory()) throw new Failure(`The build context ${shown} is a file; accepted is a folder.`);
  checkAnnotations(request.annotations, request.platforms, request.mediaTypes);
  if (request.mediaTypes === 'docker' && request.compression !== 'gzip')
    throw new Failure(
      `Docker media types know gzip alone; use media-types: oci with compression: ${request.compression satisfies Compression}.`,
    );
}

/** Reads the Dockerfile of a request. Throws a Failure when it is not there or is none. */
export function readDockerfile(request: Pick<ImageRequest, 'workspace' | 'dockerfile'>): Dockerfile {
  const shown = relative(request.workspace, request.dockerfile);
  let text: string;
  try {
    text = readFileSync(request.dockerfile, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT')
      throw new Failure(`There is no Dockerfile at ${shown}; name another with the input "file".`, {
        cause: error,
      });
    if (code === 'EISDIR')
      throw new Failure(`${shown} is a folder; the input "file" takes a Dockerfile.`, { cause: error });
    throw new Failure(`${shown} cannot be read: ${code}.`, { cause: error });
  }
  return parseDockerfile(text, shown);
}

/** The ignore file of a request, and its rules. */
export interface ReadIgnore {
  readonly file: IgnoreFile;
  readonly ignore: Ignore;
}

/** `<Dockerfile>.dockerignore` beside the Dockerfile wins over .dockerignore at the root of the context. */
export function readIgnore(request: Pick<ImageRequest, 'context' | 'dockerfile'>): ReadIgnore | undefined {
  const [own, general] = ignoreFileNames(request.dockerfile);
  const path = [own!, join(request.context, general!)].find((one) => existsSync(one));
  if (path === undefined) return undefined;
  const text = readFileSync(path, 'utf8');
  return { file: { path, text }, ignore: createIgnore(text) };
}

/** What Slipway itself writes below the context: it is not there for a COPY, or no image would ever be unchanged. */
export function ownPaths(request: ImageRequest): string[] {
  return [request.state, ...(request.own ?? [])]
    .filter((path) => path !== undefined)
    .map((path) => relative(request.context, path).split(sep).join('/'))
    .filter((path) => path !== '' && !path.startsWith('../') && path !== '..');
}

/** A configuration that nothing depends on: that of a base that BuildKit alone will see. */
function unknownConfig(platform: Platform): ImageConfig {
  return { ...platform, rootfs: { type: 'layers', diff_ids: [] } };
}

class Planner {
  readonly #request: ImageRequest;
  readonly #dockerfile: Dockerfile;
  readonly #images: ResolveImage;
  readonly #warnings: PlanWarning[];
  readonly #failures = new Map<string, Failure>();
  readonly #resolved = new Map<string, Promise<ResolvedImage>>();
  readonly #context: Directory;
  readonly #directories = new Map<string, Directory>();
  readonly #builderBases: ReadonlySet<string>;
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
    this.#context = diskTree(request.context, ignore?.ignore, new Set(ownPaths(request)));
    this.#builderBases = basesOfBuilders(dockerfile);
  }

  async platform(platform: Platform): Promise<PlatformPlan> {
    const graph = await this.#graph(platform);
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
    let refusals: Refusals = new Map();
    for (;;) {
      const stages = decideMethods(graph, refusals);
      const assemble = (built: ReadonlyMap<number, Directory>) => this.#assemble(graph, stages, bench, built);
      try {
        const final =
          graph.unmodelled.length > 0 || needsBuilder(graph, stages) ? undefined : await assemble(new Map());
        return { platform, graph, stages, final, assemble, bench };
      } catch (error) {
        if (!(error instanceof Refused) || graph.unmodelled.length > 0) throw error;
        refusals = new Map([
          ...refusals,
          [error.stage, { reason: error.refusal.reason, lines: error.refusal.lines! }],
        ]);
      }
    }
  }

  async #graph(platform: Platform): Promise<StageGraph> {
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

  async #configOf(reference: string, platform: Platform): Promise<ImageConfig> {
    if (this.#builderBases.has(reference)) return unknownConfig(platform);
    try {
      return (await this.#resolve(reference, platform)).config;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // It matters only if a stage that is assembled here starts from it; the engine of a builder may know the image.
      this.#failures.set(`${reference} ${formatPlatform(platform)}`, error);
      return unknownConfig(platform);
    }
  }

  #resolve(reference: string, platform: Platform): Promise<ResolvedImage> {
    const id = `${reference} ${formatPlatform(platform)}`;
    return once(this.#resolved, id, () => this.#images(reference, platform));
  }

  #directory(path: string): Directory {
    return once(this.#directories, path, () => {
      const own = join(path, '.dockerignore');
      return diskTree(path, existsSync(own) ? createIgnore(readFileSync(own, 'utf8')) : undefined);
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

class Refused extends Error {
  readonly stage: number;
  readonly refusal: Unmodelled;

  constructor(stage: number, refusal: Unmodelled) {
    super(refusal.reason);
    this.stage = stage;
    this.refusal = refusal;
  }
}

/** References, as written, that only stages with RUN start from: no registry has to be asked about them. */
function basesOfBuilders(dockerfile: Dockerfile): Set<string> {
  const runs = (stage: Dockerfile['stages'][number]) =>
    stage.instructions.some((one) => one.keyword === 'RUN');
  const others = new Set(dockerfile.stages.filter((stage) => !runs(stage)).map((stage) => stage.from));
  return new Set(
    dockerfile.stages
      .filter(runs)
      .map((stage) => stage.from)
      .filter((from) => !others.has(from)),
  );
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

/** Whether the final stage waits for a builder, as a whole or for files that it copies. */
function needsBuilder(graph: StageGraph, stages: readonly StagePlan[]): boolean {
  return builderStages(graph, stages).length > 0;
}

/** The stages that a builder has to make: those reached from the target without passing through a builder's stage. */
export function builderStages(graph: StageGraph, stages: readonly StagePlan[]): StagePlan[] {
  const seen = new Set<number>();
  const found: StagePlan[] = [];
  const visit = (index: number): void => {
    if (seen.has(index)) return;
    seen.add(index);
    const plan = stages.find(({ stage }) => stage.index === index)!;
    if (plan.method.kind === 'builder') found.push(plan);
    if (plan.method.kind === 'assembled') plan.stage.needs.forEach(visit);
  };
  visit(graph.target);
  return found;
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
    else if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(value) && !/^git@/.test(value))
      contexts.set(name, { kind: 'directory', path: value });
  }
  const names = dockerfile.stages.flatMap((stage) => [
    String(stage.index),
    ...(stage.name === undefined ? [] : [stage.name]),
  ]);
  for (const [given, directory] of Object.entries(request.handedIn)) {
    const name = given.toLowerCase();
    if (!names.includes(name))
      throw new Failure(
        `The stage "${given}" that is handed in is not in ${dockerfile.path}; its stages are ${names.join(', ')}.${didYouMean(name, names)}`,
      );
    contexts.set(name, { kind: 'directory', path: existingDirectory(given, directory(platform), request) });
  }
  return contexts;
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

/** The reason to give the whole image to BuildKit, if there is one. */
function whole(platforms: readonly PlatformPlan[], request: ImageRequest): Because | undefined {
  const remote = Object.entries(request.contexts).find(([, value]) =>
    /^(?!docker-image:)[a-z][a-z0-9+.-]*:\/\/|^git@/i.test(value),
  );
  if (remote !== undefined)
    return { reason: `the build context "${remote[0]}" is at ${remote[1]}`, lines: undefined };
  for (const { graph, stages } of platforms) {
    const [unknown] = graph.unmodelled;
    if (unknown !== undefined) return { reason: unknown.message, lines: unknown.lines };
    const final = stages.find(({ stage }) => stage.index === graph.target)!;
    if (final.method.kind === 'builder') return { reason: final.method.reason, lines: final.method.lines };
    if (final.method.kind === 'handed-in')
      return { reason: 'the final stage is handed in', lines: final.stage.lines };
    const parents = parentsOfBuilder(graph, stages);
    if (parents !== undefined) return parents;
  }
  return undefined;
}

/** What --parents brings from a builder's stage includes directories that a copy alone does not carry over. */
function parentsOfBuilder(graph: StageGraph, stages: readonly StagePlan[]): Because | undefined {
  const builders = new Set(builderStages(graph, stages).map(({ stage }) => stage.index));
  for (const { stage, method } of stages) {
    if (method.kind !== 'assembled') continue;
    const step = stage.steps.find(
      (one: Step) =>
        one.kind === 'copy' && one.parents && one.from.kind === 'stage' && builders.has(one.from.index),
    );
    if (step !== undefined)
      return { reason: 'COPY --parents takes from a stage that a builder makes', lines: step.lines };
  }
  return undefined;
}

async function keyOf(
  request: ImageRequest,
  platforms: readonly PlatformPlan[],
  digests: ContentDigests,
): Promise<Key | undefined> {
  if (platforms.some(({ final }) => final === undefined)) return undefined;
  const parts = await Promise.all(
    platforms.map(async ({ platform, graph, final }) => {
      const { config } = graph.stages.find((stage) => stage.index === graph.target)!;
      return [formatPlatform(platform), await platformKeyParts(final!, config, digests)] as const;
    }),
  );
  return imageKey(request, Object.fromEntries(parts));
}
