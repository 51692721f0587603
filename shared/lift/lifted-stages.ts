import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  type Dockerfile,
  type Instruction,
  type NamedContext,
  type ResolvedStage,
  resolveGraph,
  type Stage,
  type StageGraph,
} from '../dockerfile/index.ts';
import {
  CompileFailure,
  fetchToolchain,
  type Go,
  type GoEnvironment,
  type MachineGo,
  machineGo,
  Pool,
  runGivenBuild,
  go as runGo,
  type ToolchainOf,
  toolchainOf,
} from '../go/index.ts';
import { Failure, type Task } from '../host/index.ts';
import {
  type Because,
  type ImageRequest,
  type LiftedStage,
  type ResolveImage,
  readDockerfile,
} from '../image/index.ts';
import { formatPlatform, type ImageConfig, machinePlatform, type Platform } from '../oci/index.ts';
import { argumentsFor, environmentFor, environmentInside, listArguments, type StagePlace } from './go-run.ts';
import { layOut, settleModes } from './lay-out.ts';
import { openRoot, ownRootKind } from './own-root.ts';
import { firstFolder, type ProvedRecipe, placesOf, proveFiles, wantedPaths } from './proof.ts';
import { type Recipe, type RecipeBuild, readRecipe } from './recipe.ts';
import { nodeAt, type StageTree } from './stage-tree.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What lifting needs of the run that it is part of. */
export interface LiftOptions {
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
  /** Folder for this run's files. */
  readonly temporary: string;
  /** Nothing is to be made: a Go that is not here is not fetched to prove that it can be. */
  readonly planOnly: boolean;
  readonly images: ResolveImage;
  /** Called before the go commands of a stage. */
  readonly beforeBuild?: (builds: GoBuilds, task: Task) => Promise<void>;
  /** Called after each stage that was made. */
  readonly afterBuild?: () => void;
}

/** What is about to be compiled, as far as caches are about it. */
export interface GoBuilds {
  readonly environment: GoEnvironment;
  /** Version of the Go that compiles, such as `go1.26.8`. */
  readonly version: string;
  /** Folders on this machine that hold go.mod, and the module's path. */
  readonly modules: readonly { readonly root: string; readonly path: string; readonly workspace?: string }[];
}

/**
 * The stages of a Dockerfile that compile Go, each with its proof and its making: the same commands over the same files, in the
 * environment of the stage and with its version of Go. What cannot be proved gives the line that stops it.
 */
export function liftStages(
  request: ImageRequest,
  options: LiftOptions,
): Readonly<Record<string, LiftedStage>> {
  const dockerfile = readDockerfile(request);
  const lifter = new Lifter(request, dockerfile, options);
  return Object.fromEntries(
    candidates(dockerfile).map((stage) => {
      const name = stage.name ?? String(stage.index);
      return [name, lifter.stage(stage.index, name)];
    }),
  );
}

/** Stages that others copy from and that look as if they compiled Go: of these a plan says why they are not lifted. */
function candidates({ stages }: Dockerfile): readonly Stage[] {
  const instructions = stages.flatMap((stage) => stage.instructions);
  const sources = new Set(
    instructions.flatMap(({ flags }) =>
      flags.flatMap(({ name, value }) => {
        if (name === 'from') return [String(value).toLowerCase()];
        return name === 'mount' ? (/(?:^|,)from=([^,]*)/.exec(String(value))?.[1] ?? []) : [];
      }),
    ),
  );
  return stages.filter(
    (stage) => looksLikeGo(stage) && (sources.has(String(stage.index)) || sources.has(stage.name ?? '')),
  );
}

function looksLikeGo({ from, instructions }: Stage): boolean {
  const runs = instructions.filter(({ keyword }) => keyword === 'RUN');
  return runs.length > 0 && (/golang/.test(from) || runs.some((run) => compilesGo(scriptOf(run))));
}

function compilesGo(text: string): boolean {
  return /\bgo(?:\s+|"\s*,\s*")(?:build|install)\b/.test(text);
}

function scriptOf({ original, heredocs }: Instruction): string {
  return [original, ...heredocs.map(({ content }) => content)].join('\n');
}

/** A stage with all that its making takes. */
interface Proof extends ProvedRecipe {
  readonly machine: MachineGo;
  readonly toolchain: ToolchainOf;
  readonly version: string;
}

type Outcome =
  | { readonly kind: 'proved'; readonly proof: Proof }
  | { readonly kind: 'no'; readonly because: Because };

class Lifter {
  readonly #request: ImageRequest;
  readonly #dockerfile: Dockerfile;
  readonly #options: LiftOptions;
  readonly #graphs = new Map<string, Promise<StageGraph>>();
  readonly #configs = new Map<string, Promise<ImageConfig>>();
  readonly #unread = new Map<string, string>();
  readonly #fetched = new Map<string, Promise<ToolchainOf>>();
  #roots: ReturnType<typeof ownRootKind> | undefined;
  #machine: Promise<MachineGo | { readonly because: string }> | undefined;
  /** One go command at a time: it uses every core by itself, and memory as it goes. */
  readonly #pool = new Pool(1);

  constructor(request: ImageRequest, dockerfile: Dockerfile, options: LiftOptions) {
    this.#request = request;
    this.#dockerfile = dockerfile;
    this.#options = options;
  }

  stage(index: number, name: string): LiftedStage {
    const outcomes = new Map<string, Promise<Outcome>>();
    const proved = (platform: Platform) =>
      once(outcomes, formatPlatform(platform), () => this.#prove(index, platform));
    return {
      what: this.#what(index),
      prove: async (platform) => {
        const outcome = await proved(platform);
        return outcome.kind === 'no' ? outcome.because : undefined;
      },
      make: async (platform, task) => {
        const outcome = await proved(platform);
        if (outcome.kind === 'no') throw new Error(`stage ${name} was not proved: ${outcome.because.reason}`);
        return await this.#make(name, platform, outcome.proof, task);
      },
    };
  }

  /** The commands as written, for a plan that is made before anything is read. */
  #what(index: number): string {
    const lines = this.#dockerfile.stages[index]!.instructions.filter(({ keyword }) => keyword === 'RUN')
      .flatMap((run) => scriptOf(run).split('\n'))
      .flatMap((text) => /\bgo (?:build|install)\b[^;&|]*/.exec(text)?.[0].trim() ?? []);
    return lines.join('; ') || 'go build';
  }

  async #prove(index: number, platform: Platform): Promise<Outcome> {
    const no = (reason: string, lines: Because['lines']): Outcome => ({
      kind: 'no',
      because: { reason, lines },
    });
    if (process.platform !== 'linux')
      return no(`this machine runs ${process.platform}, and stages are lifted on Linux`, undefined);
    const graph = await this.#graph(platform);
    const stage = graph.stages.find((one) => one.index === index);
    if (stage === undefined) return no('the target does not need it', undefined);
    const reading = readRecipe(graph, stage);
    if (reading.kind === 'beyond') return no(reading.because, reading.lines);
    const { recipe } = reading;
    const unread = this.#unread.get(recipe.base);
    if (unread !== undefined) return no(`its base cannot be read: ${unread}`, stage.lines);
    const version = versionOf(await this.#config(recipe.base, stage.platform));
    if (version === undefined)
      return no(`the configuration of ${recipe.base} does not tell its version of Go`, stage.lines);
    const foreign = foreignDefaults(
      stage,
      recipe.builds.map(({ go }) => go.env),
    );
    if (foreign !== undefined) return no(foreign, stage.lines);
    const machine = await this.#goOfMachine();
    if ('because' in machine) return no(machine.because, stage.lines);
    const samePaths = needsSamePaths(recipe) && (await this.#ownRoots()) !== undefined;
    const files = await proveFiles(this.#request, recipe, samePaths);
    if (files.kind === 'no') return files;
    const toolchain = await this.#toolchain(version, machine);
    if (toolchain.kind === 'none') return no(toolchain.because, stage.lines);
    return { kind: 'proved', proof: { ...files.proved, machine, toolchain, version } };
  }

  #graph(platform: Platform): Promise<StageGraph> {
    return once(this.#graphs, formatPlatform(platform), () =>
      resolveGraph(this.#dockerfile, {
        target: this.#request.target,
        platform,
        buildPlatform: this.#request.buildPlatform,
        buildArgs: this.#request.buildArgs,
        contexts: contextsOf(this.#request, platform),
        configOf: (reference, on) => this.#config(reference, on),
      }),
    );
  }

  /** The configuration of a golang image; that of other bases has no part in what is lifted. */
  #config(reference: string, platform: Platform): Promise<ImageConfig> {
    const unknown = { ...platform, rootfs: { type: 'layers', diff_ids: [] } } as const;
    return once(this.#configs, `${reference} ${formatPlatform(platform)}`, async () => {
      if (!/(^|\/)golang(?=[:@]|$)/.test(reference)) return unknown;
      try {
        return (await this.#options.images(reference, platform)).config;
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        this.#unread.set(reference, error.message.replace(/\.$/, ''));
        return unknown;
      }
    });
  }

  #goOfMachine(): Promise<MachineGo | { readonly because: string }> {
    const { env, temporary, signal } = this.#options;
    this.#machine ??= (async () => {
      mkdirSync(temporary, { recursive: true });
      return await machineGo(env, temporary, signal);
    })();
    return this.#machine;
  }

  async #toolchain(version: string, machine: MachineGo): Promise<ToolchainOf> {
    const found = toolchainOf(version, machine);
    if (found.kind !== 'fetch' || this.#options.planOnly) return found;
    return await once(this.#fetched, version, () => fetchToolchain(version, machine));
  }

  async #make(name: string, platform: Platform, proof: Proof, task: Task): Promise<string> {
    const { recipe, tree } = proof;
    const own = `${name}-${formatPlatform(platform).replaceAll('/', '-')}-${randomUUID().slice(0, 8)}`;
    const folder = join(this.#options.temporary, 'lifted', own);
    layOut(tree, folder, wantedPaths(recipe, tree));
    const place: StagePlace = { folder, tree, platform: recipe.platform, machine: proof.machine };
    await this.#restore(proof, folder, task);
    await this.#pool.run(async () => {
      for (const build of recipe.builds) {
        task.log(build.shown);
        if (needsSamePaths(recipe)) await this.#buildInside(name, build, place, proof, task);
        else await this.#build(name, build, place, proof, task);
      }
    });
    for (const { path } of recipe.taken) settleModes(tree, folder, firstFolder(path));
    this.#options.afterBuild?.();
    return folder;
  }

  async #build(name: string, build: RecipeBuild, place: StagePlace, proof: Proof, task: Task): Promise<void> {
    const { folder, tree } = place;
    await runGivenBuild(
      {
        tool: this.#tool(build, place, proof),
        args: argumentsFor(build, place),
        title: `stage ${name}`,
        locate: (file) =>
          file.startsWith(`${folder}/`) ? this.#locate(file.slice(folder.length), tree) : undefined,
      },
      task,
    );
  }

  #tool(build: RecipeBuild, place: StagePlace, { toolchain }: Proof): Go {
    const { program, root } = toolchain as Extract<ToolchainOf, { kind: 'here' }>;
    return {
      program,
      directory: place.folder + build.cwd,
      env: environmentFor(build, place, root, this.#options.env),
      signal: this.#options.signal,
    };
  }

  /** Builds where the stage's files, modules and Go have the paths that they have in the container. */
  async #buildInside(
    name: string,
    build: RecipeBuild,
    place: StagePlace,
    proof: Proof,
    task: Task,
  ): Promise<void> {
    const { tree, folder, machine } = place;
    const { signal } = this.#options;
    const { root } = proof.toolchain as Extract<ToolchainOf, { kind: 'here' }>;
    const { modules, objects } = placesOf(build.go.env);
    const { GOCACHE, GOMODCACHE } = machine.environment;
    for (const path of [GOCACHE, GOMODCACHE, `${folder}/tmp`]) mkdirSync(path, { recursive: true });
    const binds = [
      { from: root, to: '/usr/local/go' },
      { from: GOMODCACHE, to: modules },
      { from: GOCACHE, to: objects },
    ];
    const own = await openRoot((await this.#ownRoots())!, folder, binds, signal);
    try {
      const once = () => {
        const args = argumentsFor(build, { ...place, folder: '' });
        const inner = own.inside(build.cwd, '/usr/local/go/bin/go', args);
        return runGivenBuild(
          {
            tool: {
              program: inner.program,
              directory: folder,
              env: environmentInside(build, place, this.#options.env),
              signal,
            },
            args: inner.args,
            title: `stage ${name}`,
            directory: build.cwd,
            locate: (file) => this.#locate(file, tree),
          },
          task,
        );
      };
      try {
        await once();
      } catch (error) {
        if (!(error instanceof CompileFailure) || !isForModules(error)) throw error;
        // Modules that are not here yet: the root has no network of its own.
        await runGo(this.#tool(build, place, proof), listArguments(build, place));
        await once();
      }
    } finally {
      await own.close();
    }
  }

  #ownRoots(): ReturnType<typeof ownRootKind> {
    this.#roots ??= ownRootKind(this.#options.temporary, this.#options.signal);
    return this.#roots;
  }

  async #restore({ machine, modules, version }: Proof, folder: string, task: Task): Promise<void> {
    await this.#options.beforeBuild?.(
      {
        environment: machine.environment,
        version,
        modules: modules.map(({ root, path, workspace }) => ({
          root: folder + root,
          path,
          ...(workspace && { workspace: folder + workspace }),
        })),
      },
      task,
    );
  }

  /** The file of the context that lies at a path of the stage, relative to the workspace. */
  #locate(path: string, tree: StageTree): string | undefined {
    const node = nodeAt(tree, path);
    if (node?.type !== 'file' || node.content.kind !== 'disk') return undefined;
    return relative(this.#request.workspace, node.content.path);
  }
}

function once<T>(memory: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = memory.get(key);
  if (known !== undefined) return known;
  const made = make();
  memory.set(key, made);
  return made;
}

/** The release that a golang image says it has, such as `go1.26.8`; before 1.21 toolchains were not the same everywhere. */
function versionOf({ config }: ImageConfig): string | undefined {
  const said = config?.Env?.find((one) => one.startsWith('GOLANG_VERSION='))?.slice('GOLANG_VERSION='.length);
  const [, minor] = /^1\.(\d+)(?:\.\d+)?(?:(?:rc|beta)\d+)?$/.exec(said ?? '') ?? [];
  return minor === undefined || Number(minor) < 21 ? undefined : `go${said}`;
}

/** Whether Go said that it would have to fetch something. */
function isForModules({ diagnostics }: CompileFailure): boolean {
  return diagnostics.some(({ message }) => /disabled by GOPROXY=off/.test(message));
}

function needsSamePaths({ builds }: Recipe): boolean {
  return builds.some(({ go }) => !go.trimpath);
}

/** A level of the processor that the toolchain of the stage takes from its own machine, and no variable names. */
function foreignDefaults(
  { platform }: ResolvedStage,
  environments: readonly Environment[],
): string | undefined {
  const own = machinePlatform();
  for (const env of environments) {
    const arch = env.GOARCH || platform.architecture;
    if (arch === 'arm' && !env.GOARM && platform.architecture !== own.architecture)
      return `it compiles for arm as ${formatPlatform(platform)} does by default; name GOARM`;
  }
  return undefined;
}

function contextsOf(request: ImageRequest, platform: Platform): Map<string, NamedContext> {
  const contexts = new Map<string, NamedContext>();
  for (const [name, value] of Object.entries(request.contexts)) {
    if (value.startsWith('docker-image://'))
      contexts.set(name, { kind: 'image', reference: value.slice('docker-image://'.length) });
    else contexts.set(name, { kind: 'directory', path: value });
  }
  for (const [name, folder] of Object.entries(request.handedIn))
    contexts.set(name.toLowerCase(), { kind: 'directory', path: folder(platform) });
  return contexts;
}
