import type { Digest } from '../content/index.ts';
import { formatBytes, formatDuration, type Task } from '../host/index.ts';
import type { BuildInfo } from './build-info.ts';
import { copyIntoPlace } from './compile.ts';
import { programName } from './output.ts';
import type { GoPlan, PlannedProgram } from './plan.ts';
import type { ProgramRecord } from './record.ts';
import { sbomPath } from './sidecars.ts';
import type { Reproduction } from './verify.ts';

/** One program after a run. */
export interface BuiltProgram {
  readonly name: string;
  /** Import path of its main package. */
  readonly package: string;
  readonly target: string;
  /** Absolute. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Bytes of the program that was built here before; undefined when there was none. */
  readonly previousSize: number | undefined;
  readonly goVersion: string;
  readonly buildInfo: BuildInfo;
  /** Absolute path of its bill of materials, where one was asked for. */
  readonly sbom: string | undefined;
  readonly reused: boolean;
  readonly because: string;
  /** Milliseconds of this run; what a reused program took when it was built is in `saved`. */
  readonly milliseconds: number;
  /** Milliseconds that reuse spared; 0 when it was built. */
  readonly saved: number;
  readonly reproduction: Reproduction | undefined;
}

/** What came of a plan. */
export interface GoBuildResult {
  readonly programs: readonly BuiltProgram[];
  /** What a reader should know, such as a switched toolchain. */
  readonly notices: readonly string[];
  /** Absolute path of the file of checksums, where one was asked for. */
  readonly checksums: string | undefined;
}

/** What a record says of a program, for its result. */
export function describe(program: PlannedProgram, record: ProgramRecord) {
  const { digest, size, goVersion, buildInfo } = record;
  return {
    name: programName(program.package.importPath),
    package: program.package.importPath,
    target: program.platform,
    path: program.output,
    digest,
    size,
    goVersion,
    buildInfo,
  };
}

/** The result of a program that is left as it is, after it was copied to its place where an earlier run kept it. */
export async function reused(
  plan: GoPlan,
  program: PlannedProgram,
  task: Task | undefined,
): Promise<BuiltProgram> {
  const { decision } = program;
  if (decision.kind !== 'reuse') throw new Error(`${program.title} was neither built nor reused`);
  const { record, because, from } = decision;
  if (from !== undefined) copyIntoPlace(from, program.output);
  await task?.task(program.title, async (own) => {
    own.note(`unchanged, ${formatBytes(record.size)}, ${formatDuration(record.milliseconds)} spared`);
  });
  return {
    ...describe(program, record),
    reused: true,
    because,
    milliseconds: 0,
    saved: record.milliseconds,
    reproduction: undefined,
    previousSize: record.size,
    sbom: sbomPath(plan, program),
  };
}
