import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { digestOfFile, type Key } from '../content/index.ts';
import { ExecError } from '../exec/index.ts';
import { Failure, formatBytes, type Task } from '../host/index.ts';
import { readBuildInfo } from './build-info.ts';
import { announcedModule } from './caches.ts';
import { compile, putInPlace, RefusedBuild, type Run } from './compile.ts';
import { BuildOutput, compileFailure, type Diagnostic } from './diagnostics.ts';
import { loadingArguments } from './flags.ts';
import { Pool, shareMachine } from './jobs.ts';
import { conditionsOf, type GoPlan, type PlannedProgram, slotOf } from './plan.ts';
import { type BeforeBuild, prepare } from './prepare.ts';
import { programKey } from './program-key.ts';
import { type ProgramRecord, Records } from './record.ts';
import { type BuiltProgram, describe, type GoBuildResult, reused } from './result.ts';
import { checkSizes, sbomPath, writeSidecars } from './sidecars.ts';
import { listSources, type SourceMap } from './sources.ts';
import { reproduce } from './verify.ts';

/**
 * Does what the plan says: builds what has to be built, in parallel, and leaves the rest. A program appears at its path in one
 * step, when it is whole. Throws CompileFailure with every complaint of the compiler, and Failure for what the user can mend.
 */
export async function runGoBuild(
  plan: GoPlan,
  task: Task,
  options: { readonly beforeBuild?: BeforeBuild } = {},
): Promise<GoBuildResult> {
  const records = new Records(plan.module.root);
  const missing = plan.programs.filter((program) => program.decision.kind === 'build');
  const notices: string[] = [];
  const verify = plan.request.verify === true;
  const built = new Map<PlannedProgram, BuiltProgram>();
  if (missing.length > 0 || verify) {
    const run = await prepare(plan, records, missing, notices, task, options.beforeBuild);
    try {
      for (const [program, result] of await buildAll(run, missing, task)) built.set(program, result);
      if (verify) await verifyAll(run, built, task);
    } finally {
      run.digests.save();
      rmSync(run.temporary, { recursive: true, force: true });
    }
  }
  const programs = await Promise.all(
    plan.programs.map(async (program) => built.get(program) ?? (await reused(plan, program, task))),
  );
  const checksums = await writeSidecars(plan, programs);
  checkSizes(programs, plan.request.maxSize);
  return { programs, notices: [...notices, ...leftOutC(plan, records)], checksums };
}

/** Some packages are an empty shell without their C code, and the program says so only when it runs. */
function leftOutC(plan: GoPlan, records: Records): string[] {
  const maps = plan.programs.map((program) => records.program(slotOf(plan.module, program))?.sources);
  const packages = [...new Set(maps.flatMap((map) => map?.withoutC ?? []))];
  if (packages.length === 0 || (plan.request.flags?.cgo ?? 'auto') !== 'auto') return [];
  return [
    `${packages.join(', ')} ${packages.length === 1 ? 'has' : 'have'} C code, which is left out since cgo is off: set "cgo" to on if the program needs it, or to off if it does not.`,
  ];
}

interface Sources {
  readonly map: SourceMap;
  readonly key: Key;
}

async function buildAll(
  run: Run,
  missing: readonly PlannedProgram[],
  task: Task,
): Promise<Map<PlannedProgram, BuiltProgram>> {
  if (missing.length === 0) return new Map();
  const { jobs } = shareMachine(missing.length, run.plan.context, run.plan.request.jobs);
  const pool = new Pool(jobs);
  const sources = await task.task('modules', (own) => readSources(run, missing, pool, own));
  const failed: { program: PlannedProgram; diagnostics: readonly Diagnostic[]; cause: unknown }[] = [];
  const built = new Map<PlannedProgram, BuiltProgram>();
  const one = (program: PlannedProgram) =>
    pool.run(async () => {
      if (failed.length > 0) return;
      const outcome = await task
        .task(program.title, (own) => build(run, program, sources.get(program)!, own))
        .catch((error: unknown) => {
          if (!(error instanceof RefusedBuild)) throw error;
          failed.push({ program, diagnostics: error.diagnostics, cause: error.cause });
        });
      if (outcome !== undefined) built.set(program, outcome);
    });
  await settled(
    firstOfEachTarget(missing).map(async ([first, ...others]) => {
      // Two go commands at once would compile the packages that they share twice: the first one fills the cache for the others.
      await one(first!);
      await settled(others.map(one));
    }),
  );
  failed.sort((a, b) => missing.indexOf(a.program) - missing.indexOf(b.program));
  if (failed.length > 0)
    throw compileFailure(
      failed.map(({ program }) => program.title),
      failed.flatMap((each) => each.diagnostics),
      failed[0]!.cause,
    );
  return built;
}

/** Waits for all, also when one throws: nobody may write into a folder that is being removed. Then throws the first error. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

function firstOfEachTarget(programs: readonly PlannedProgram[]): PlannedProgram[][] {
  return [...Map.groupBy(programs, (program) => program.platform).values()];
}

/** The first program is asked for alone, so that missing modules are downloaded once. */
async function readSources(
  run: Run,
  programs: readonly PlannedProgram[],
  pool: Pool,
  task: Task,
): Promise<Map<PlannedProgram, Sources>> {
  const { plan, tool, environment, digests } = run;
  const started = Date.now();
  let downloads = 0;
  const read = async (program: PlannedProgram): Promise<[PlannedProgram, Sources]> => {
    const map = await listSources(tool, {
      root: plan.module.root,
      moduleCache: environment.GOMODCACHE,
      package: program.package.importPath,
      target: program.target,
      workspace: plan.module.workspace,
      flags: plan.flags,
      loading: loadingArguments(plan.flags),
      findC: (plan.request.flags?.cgo ?? 'auto') === 'auto',
      onLine: (line) => {
        const announced = announcedModule(line, environment.GOMODCACHE, started);
        if (announced?.downloaded) downloads++;
        task.log(announced?.downloaded === false ? `unpacking ${announced.module}` : line);
      },
    }).catch((error: unknown) => {
      throw refused(plan, program, error);
    });
    return [program, { map, key: programKey(conditionsOf(plan, program), map, digests) }];
  };
  const [first, ...others] = programs;
  const sources = [
    await read(first!),
    ...(await Promise.all(others.map((one) => pool.run(() => read(one))))),
  ];
  task.note(downloads === 0 ? 'nothing to download' : `${downloads} downloaded`);
  return new Map(sources);
}

function refused(plan: GoPlan, program: PlannedProgram, error: unknown): unknown {
  if (!(error instanceof ExecError) || error.reason !== 'exit') return error;
  const output = new BuildOutput();
  for (const line of error.stderr.split('\n')) output.line(line);
  const workspace = plan.request.workspace ?? plan.module.root;
  return compileFailure([program.title], output.diagnostics(plan.request.directory, workspace), error);
}

async function build(run: Run, program: PlannedProgram, sources: Sources, task: Task): Promise<BuiltProgram> {
  const { plan, tool, environment, records, digests } = run;
  const started = performance.now();
  const unfinished = join(run.temporary, `program-${plan.programs.indexOf(program)}`);
  await compile(run, program, unfinished, task);
  const [{ digest, size }, buildInfo] = await Promise.all([
    digestOfFile(unfinished),
    readBuildInfo(tool, environment.GOVERSION, unfinished),
  ]);
  putInPlace(unfinished, program.output);
  const milliseconds = performance.now() - started;
  const record: ProgramRecord = {
    scheme: 1,
    output: relative(plan.module.root, program.output),
    parts: sources.key.parts,
    sources: sources.map,
    digest,
    size,
    goVersion: environment.GOVERSION,
    buildInfo: buildInfo ?? {
      GoVersion: environment.GOVERSION,
      Path: program.package.importPath,
      Main: { Path: plan.module.path },
    },
    milliseconds,
  };
  digests.note(program.output, digest.slice('sha256:'.length));
  // A file that was saved while Go compiled may or may not be in the program: such a build is not remembered.
  const after = programKey(conditionsOf(plan, program), sources.map, digests);
  if (after.digest === sources.key.digest) records.saveProgram(slotOf(plan.module, program), record);
  else task.log('Source files changed during the build, so the next run will build again.');
  task.note(`${formatBytes(size)}, ${program.decision.because}`);
  return {
    ...describe(program, record),
    reused: false,
    because: program.decision.because,
    milliseconds,
    saved: 0,
    reproduction: undefined,
    previousSize: program.decision.record?.size,
    sbom: sbomPath(plan, program),
  };
}

async function verifyAll(run: Run, built: Map<PlannedProgram, BuiltProgram>, task: Task): Promise<void> {
  for (const program of run.plan.programs) {
    const result = built.get(program) ?? (await reused(run.plan, program, undefined));
    const record = run.records.program(slotOf(run.plan.module, program));
    if (record === undefined)
      throw new Failure(`${program.title} cannot be verified: its source files changed during the build.`);
    const reproduction = await task.task(
      `${program.title}: build again elsewhere and compare`,
      async (own) => {
        const outcome = await reproduce(run.tool, run.plan, program, record, run.temporary, own);
        own.note(outcome.kind === 'same' ? 'the same bytes' : outcome.difference);
        return outcome;
      },
    );
    built.set(program, { ...result, reproduction });
  }
  const different = [...built.values()].find((one) => one.reproduction?.kind === 'different');
  if (different?.reproduction?.kind === 'different')
    throw new Failure(
      `${different.target}: a second build in another folder gives other bytes: ${different.reproduction.difference}.`,
    );
}
