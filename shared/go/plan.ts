import { availableParallelism, totalmem } from 'node:os';
import { join, relative } from 'node:path';
import { FileDigests, type GitState, gitState, Key } from '../content/index.ts';
import { effectiveSettings } from './environment.ts';
import { explainDifferences } from './explain.ts';
import { loadingArguments, type SettledFlags, settleFlags } from './flags.ts';
import { findModule, type Module } from './module.ts';
import { checkDistinct, DEFAULT_NAMING, outputPath } from './output.ts';
import { listMains, type MainPackage, mainCandidates } from './packages.ts';
import { type BuildConditions, programKey } from './program-key.ts';
import { type ProgramRecord, Records } from './record.ts';
import { buildEnvironment, checkProfile, checkRequest, type GoBuildRequest, hostTarget } from './request.ts';
import { type BuildFacts, buildFacts, hasTemplate } from './stamp.ts';
import { formatTarget, parseTargets, type Target, targetEnvironment } from './target.ts';
import { findToolchain, type Go, type GoEnvironment, goEnvironment, type Toolchain } from './toolchain.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The machine and process that a build runs in, injected for tests. */
export interface GoContext {
  readonly env: Environment;
  readonly signal?: AbortSignal;
  readonly cores: number;
  /** Bytes. */
  readonly memory: number;
}

/** This process's environment and machine; inside of a container, the memory that it may use. */
export function goContext(signal?: AbortSignal): GoContext {
  const limit = process.constrainedMemory();
  const memory = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { env: process.env, ...(signal && { signal }), cores: availableParallelism(), memory };
}

/** Whether a program is built or left as it is, with the reason in the user's words. */
export type GoDecision =
  | {
      readonly kind: 'reuse';
      readonly because: string;
      readonly record: ProgramRecord;
      /** Absolute path of the program, where it has to be copied to its place first. */
      readonly from?: string;
    }
  | { readonly kind: 'build'; readonly because: string; readonly record: ProgramRecord | undefined };

/** One program of a plan: a main package for a target. */
export interface PlannedProgram {
  readonly package: MainPackage;
  readonly target: Target;
  /** Target as text, such as `linux/arm/v7`. */
  readonly platform: string;
  /** How messages call it: the target, with the package where there are several. */
  readonly title: string;
  /** Absolute path that the program is written to. */
  readonly output: string;
  readonly decision: GoDecision;
}

/** What a request is about, known before anything is read of its sources. */
export interface GoIdentity {
  readonly request: GoBuildRequest;
  readonly context: GoContext;
  readonly module: Module;
  readonly toolchain: Toolchain;
  /** Version of the go command itself; the module may switch to another. */
  readonly goVersion: string;
}

/** What would be built and why, made before anything is built. */
export interface GoPlan extends GoIdentity {
  readonly flags: SettledFlags;
  readonly facts: BuildFacts;
  readonly settings: Readonly<Record<string, string>>;
  readonly vcs: string | undefined;
  readonly programs: readonly PlannedProgram[];
}

/**
 * Called before a go command of the plan downloads modules, so that they can be taken from elsewhere; not at all where the plan needs
 * none of them.
 */
export type BeforeDownloads = (
  environment: GoEnvironment,
  what: Pick<GoPlan, 'module' | 'flags'>,
) => Promise<void>;

/** Finds the module and the go command of a request. Throws a Failure where there is none. */
export async function identifyGoBuild(
  request: GoBuildRequest,
  context: GoContext = goContext(),
): Promise<GoIdentity> {
  checkRequest(request);
  const env = buildEnvironment(request, context.env);
  const module = findModule(request.directory, env.GOWORK ?? '');
  const toolchain = findToolchain(env);
  const tool: Go = { program: toolchain.program, directory: request.directory, env, signal: context.signal };
  const goVersion = toolchain.version ?? (await goEnvironment(tool)).GOVERSION;
  return { request, context: { ...context, env }, module, toolchain, goVersion };
}

/**
 * Plans a build. Where nothing changed since the last one, this reads files and starts no go command. Throws a Failure for anything
 * in the request that cannot be built.
 */
export async function planGoBuild(
  request: GoBuildRequest,
  context: GoContext = goContext(),
  options: { readonly beforeDownloads?: BeforeDownloads } = {},
): Promise<GoPlan> {
  const targets = parseTargets(request.targets?.length ? request.targets : [hostTarget(context.env)]);
  const identity = await identifyGoBuild(request, context);
  const { module, toolchain } = identity;
  const { env, signal } = identity.context;
  const { facts, vcs } = await readCheckout(request, context);
  const flags = settleFlags(request.flags ?? {}, () => facts);
  checkProfile(flags, request.directory);
  const settings = effectiveSettings(env, toolchain);
  const records = new Records(module.root);
  const tool: Go = { program: toolchain.program, directory: request.directory, env, signal };
  const plan = { ...identity, flags, facts, settings, vcs };
  const beforeDownloads = async () => options.beforeDownloads?.(await goEnvironment(tool), plan);
  const packages = await findPackages(tool, plan, records, targets[0]!, beforeDownloads);
  const digests = FileDigests.open(join(records.folder, 'files.json'));
  const programs = nameOutputs(packages, targets, plan).map((program) => ({
    ...program,
    decision: decide(plan, program, records, digests),
  }));
  digests.save();
  return { ...plan, programs };
}

/** Asks git only where something in the request depends on the commit. */
async function readCheckout(
  request: GoBuildRequest,
  context: GoContext,
): Promise<{ facts: BuildFacts; vcs: string | undefined }> {
  const { flags = {}, output = {} } = request;
  const templates = [flags.ldflags ?? '', ...(flags.stamp ?? []), output.name ?? ''].some(hasTemplate);
  const recorded = flags.buildvcs === 'on' || flags.buildvcs === 'auto';
  if (!templates && !recorded) return { facts: {}, vcs: undefined };
  const git = await gitState(request.directory, context.signal);
  return { facts: buildFacts(git, request.known), vcs: recorded ? vcsState(git) : undefined };
}

/** What Go records, for which an untracked file counts as a change (cmd/go/internal/vcs, gitStatus). */
function vcsState(git: GitState | undefined): string | undefined {
  if (git === undefined) return undefined;
  const modified = git.dirty || git.untracked;
  return [git.commit, git.commitTime, modified, git.tag ?? '', git.nearest?.tag ?? ''].join(' ');
}

/** The packages of the last run, on whatever machine, while nothing could have changed them, else what `go list` says. */
async function findPackages(
  tool: Go,
  { request, module, flags, goVersion, settings }: Omit<GoPlan, 'programs'>,
  records: Records,
  target: Target,
  beforeDownloads: () => Promise<void>,
): Promise<readonly MainPackage[]> {
  const { directory, packages = [] } = request;
  const loading = loadingArguments(flags);
  const asked = [relative(module.root, directory), ...packages, '--', ...loading, formatTarget(target)];
  const question = [...asked, goVersion, settings.GOFLAGS ?? ''];
  const candidates = mainCandidates(directory);
  const known = records.packages(question);
  if (known !== undefined && Key.of(known.candidates).digest === Key.of(candidates).digest)
    return known.packages;
  const env = { ...tool.env, ...targetEnvironment(target), CGO_ENABLED: flags.cgo ? '1' : '0' };
  const found = await listMains({ ...tool, env }, packages, loading, beforeDownloads);
  records.savePackages(question, { scheme: 1, candidates, packages: found });
  return found;
}

type Undecided = Omit<PlannedProgram, 'decision'>;

function nameOutputs(
  packages: readonly MainPackage[],
  targets: readonly Target[],
  { request, facts }: Pick<GoPlan, 'request' | 'facts'>,
): Undecided[] {
  const naming = { ...DEFAULT_NAMING, ...request.output };
  const programs = packages.flatMap((main) =>
    targets.map((target) => {
      const platform = formatTarget(target);
      const context = { directory: request.directory, facts };
      const output =
        request.outputPath?.({ package: main, target }) ??
        outputPath(naming, { package: main, target }, context);
      const title = packages.length === 1 ? platform : `${main.name} for ${platform}`;
      return { package: main, target, platform, title, output };
    }),
  );
  checkDistinct(programs);
  return programs;
}

/** The name under which a program is remembered: the same place is asked again by the next run. */
export function slotOf(module: Module, program: Undecided): string[] {
  return [program.package.importPath, program.platform, relative(module.root, program.output)];
}

/** All that settles a program's bytes, for its key. */
export function conditionsOf(plan: Omit<GoPlan, 'programs'>, program: Undecided): BuildConditions {
  const { env } = plan.context;
  return {
    root: plan.module.root,
    package: program.package,
    target: program.target,
    flags: plan.flags,
    goVersion: plan.goVersion,
    settings: plan.settings,
    vcs: plan.vcs,
    folders: [plan.module.root, plan.toolchain.root ?? '', env.GOMODCACHE ?? env.GOPATH ?? env.HOME ?? ''],
  };
}

function decide(
  plan: Omit<GoPlan, 'programs'>,
  program: Undecided,
  records: Records,
  digests: FileDigests,
): GoDecision {
  const record = records.program(slotOf(plan.module, program));
  const build = (because: string): GoDecision => ({ kind: 'build', because, record });
  if (record === undefined) return build('it was not built here before');
  const key = programKey(conditionsOf(plan, program), record.sources, digests);
  const differences = key.differences(Key.of(record.parts));
  if (differences.length > 0) return build(explainDifferences(differences));
  if (plan.request.reuse === false) return build('reuse is off');
  if (record.sources.unkeyed !== undefined) return build(record.sources.unkeyed);
  const found = digests.digest(program.output);
  if (`sha256:${found}` === record.digest)
    return { kind: 'reuse', because: 'nothing that it is made of changed', record };
  const kept = records.keptProgram(record.digest);
  if (`sha256:${digests.digest(kept)}` === record.digest)
    return { kind: 'reuse', because: 'an earlier run built it from the same content', record, from: kept };
  const file = relative(plan.request.directory, program.output);
  return build(found === undefined ? `${file} is not there` : `${file} is not what was built`);
}
