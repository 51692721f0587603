import { chmodSync, copyFileSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { FileDigests } from '../content/index.ts';
import { ExecError } from '../exec/index.ts';
import { Failure, type Task } from '../host/index.ts';
import { BuildOutput, type Diagnostic } from './diagnostics.ts';
import { buildArguments } from './flags.ts';
import type { GoPlan, PlannedProgram } from './plan.ts';
import type { Records } from './record.ts';
import { targetEnvironment } from './target.ts';
import { compareVersions, type Go, type GoEnvironment, go } from './toolchain.ts';

/** What all builds of one run share. */
export interface Run {
  readonly plan: GoPlan;
  readonly tool: Go;
  readonly environment: GoEnvironment;
  readonly records: Records;
  readonly digests: FileDigests;
  /** Folder for unfinished programs. */
  readonly temporary: string;
  /** Compilers that each build may start at once. */
  readonly compilers: number;
}

/** The compiler said no to one program; the others may have more to say. */
export class RefusedBuild extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: readonly Diagnostic[], cause: unknown) {
    super('go build failed', { cause });
    this.diagnostics = diagnostics;
  }
}

/** Compiles and links one program into `file`. Throws RefusedBuild for what the compiler says no to. */
export async function compile(
  { plan, tool, environment, compilers }: Run,
  program: PlannedProgram,
  file: string,
  task: Task,
): Promise<void> {
  const events = compareVersions(environment.GOVERSION, 'go1.24') >= 0;
  const output = new BuildOutput();
  const args = [
    'build',
    ...(events ? ['-json'] : []),
    `-p=${compilers}`,
    ...buildArguments(plan.flags),
    '-o',
    file,
    '--',
    program.package.importPath,
  ];
  try {
    await go(tool, args, {
      env: { ...targetEnvironment(program.target), CGO_ENABLED: plan.flags.cgo ? '1' : '0' },
      onLine: (line) => {
        const said = output.line(line);
        if (said !== '') task.log(said);
      },
    });
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const workspace = plan.request.workspace ?? plan.module.root;
    throw new RefusedBuild(
      explained(output.diagnostics(plan.request.directory, workspace), output.text),
      error,
    );
  }
}

/** What the compiler's own words do not say. */
function explained(diagnostics: readonly Diagnostic[], text: string): readonly Diagnostic[] {
  if (/signal: killed/.test(text))
    return [
      {
        message:
          'the compiler or linker was killed, most likely for want of memory; set "jobs" to 1 or use a larger machine',
      },
      ...diagnostics,
    ];
  if (/No space left on device|not enough space/.test(text))
    return [{ message: 'the disk is full' }, ...diagnostics];
  return diagnostics;
}

/** The program appears whole or not at all, with the mode that `go build` gives, whatever the umask. */
export function putInPlace(unfinished: string, output: string): void {
  writing(output, () => {
    chmodSync(unfinished, 0o755);
    try {
      renameSync(unfinished, output);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      copyBeside(unfinished, output);
    }
  });
}

/** The same for a program that stays where it is. */
export function copyIntoPlace(from: string, output: string): void {
  writing(output, () => copyBeside(from, output));
}

function copyBeside(from: string, output: string): void {
  const beside = `${output}.${process.pid}.tmp`;
  try {
    copyFileSync(from, beside);
    chmodSync(beside, 0o755);
    renameSync(beside, output);
  } finally {
    rmSync(beside, { force: true });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'it may not be written to',
  EPERM: 'it may not be written to',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  ENOTDIR: 'a part of its path is a file',
  EEXIST: 'a part of its path is a file',
  ENAMETOOLONG: 'its name is too long',
};

/** Makes the folder of an output and writes to it; what the user can mend becomes a Failure. */
function writing(output: string, write: () => void): void {
  if (statSync(output, { throwIfNoEntry: false })?.isDirectory())
    throw new Failure(`The program is to be written to ${output}, which is a folder.`);
  try {
    mkdirSync(dirname(output), { recursive: true });
    write();
  } catch (error) {
    const reason = REASONS[(error as NodeJS.ErrnoException).code ?? ''];
    if (reason === undefined) throw error;
    throw new Failure(`The program cannot be written to ${output}: ${reason}.`, { cause: error });
  }
}
