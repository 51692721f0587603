import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { FileDigests } from '../content/index.ts';
import { Failure, type Task } from '../host/index.ts';
import type { Run } from './compile.ts';
import { shareMachine } from './jobs.ts';
import type { GoPlan, PlannedProgram } from './plan.ts';
import type { Records } from './record.ts';
import { checkPorts } from './target.ts';
import {
  compareVersions,
  type Go,
  type GoEnvironment,
  goEnvironment,
  goPorts,
  toolchainNotice,
  tooOld,
} from './toolchain.ts';

/** Called once before the first go command that reads caches, and not at all where nothing has to be built. */
export type BeforeBuild = (environment: GoEnvironment, plan: GoPlan, task: Task) => Promise<void>;

/** Asks the go command what the plan could not know, and makes ready what all builds of the run share. */
export async function prepare(
  plan: GoPlan,
  records: Records,
  missing: readonly PlannedProgram[],
  notices: string[],
  task: Task,
  beforeBuild: BeforeBuild | undefined,
): Promise<Run> {
  const { env, signal } = plan.context;
  const tool: Go = { program: plan.toolchain.program, directory: plan.request.directory, env, signal };
  const environment = await goEnvironment(tool);
  checkVersion(plan, environment);
  checkPorts(
    plan.programs.map(({ target }) => target),
    await goPorts(tool),
    environment.GOVERSION,
  );
  const { toolchain } = plan.module;
  const notice = toolchainNotice(
    plan.toolchain.version,
    environment.GOVERSION,
    toolchain,
    environment.GOTOOLCHAIN,
  );
  if (notice !== undefined) notices.push(notice);
  await beforeBuild?.(environment, plan, task);
  const { compilers } = shareMachine(missing.length, plan.context, plan.request.jobs);
  const digests = FileDigests.open(join(records.folder, 'files.json'));
  return { plan, tool, environment, records, digests, temporary: temporaryFolder(records.folder), compilers };
}

/** With GOTOOLCHAIN=local the go command answers `go env` and refuses only later, once for every package. */
function checkVersion({ module }: GoPlan, { GOVERSION, GOTOOLCHAIN }: GoEnvironment): void {
  if (module.go === undefined || compareVersions(GOVERSION, module.go) >= 0) return;
  throw new Failure(tooOld(module.go, GOVERSION, GOTOOLCHAIN));
}

/** A folder of this process; what a killed one left is removed. */
function temporaryFolder(folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) {
    const pid = /^tmp-(\d+)$/.exec(name)?.[1];
    if (pid !== undefined && !isAlive(Number(pid)))
      rmSync(join(folder, name), { recursive: true, force: true });
  }
  const own = join(folder, `tmp-${process.pid}`);
  mkdirSync(own, { recursive: true });
  return own;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
