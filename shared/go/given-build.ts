import { resolve } from 'node:path';
import { ExecError } from '../exec/index.ts';
import type { Task } from '../host/index.ts';
import { BuildOutput, compileFailure } from './diagnostics.ts';
import { type Go, go } from './toolchain.ts';

/** A go command whose words and variables others have decided, such as a Dockerfile. */
export interface GivenBuild {
  readonly tool: Go;
  readonly args: readonly string[];
  /** As messages name it. */
  readonly title: string;
  /** The file that a user knows, relative to his workspace, for one that the compiler names by its absolute path. */
  readonly locate: (file: string) => string | undefined;
  /** The folder that Go is in as it sees it itself; default: the tool's. */
  readonly directory?: string;
}

/** Runs it. Throws CompileFailure with every complaint of the compiler at its place in the user's files. */
export async function runGivenBuild(
  { tool, args, title, locate, directory = tool.directory }: GivenBuild,
  task: Task,
): Promise<void> {
  const output = new BuildOutput();
  try {
    await go(tool, args, {
      onLine: (line) => {
        const said = output.line(line);
        if (said !== '') task.log(said);
      },
    });
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const found = output.diagnostics(directory, '/').map(({ message, location }) => {
      const file = location === undefined ? undefined : locate(resolve('/', location.file));
      return file === undefined ? { message } : { message, location: { ...location, file } };
    });
    throw compileFailure([title], found, error);
  }
}
