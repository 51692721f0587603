import type { Readable } from 'node:stream';
import { ExecError, run } from '../../exec/index.ts';
import { Failure, type Task } from '../../host/index.ts';
import { type BuilderSettings, secretEnvironment } from './arguments.ts';
import { BuildProgress, type BuildStep } from './progress.ts';

export interface BuildxRun {
  readonly settings: BuilderSettings;
  readonly args: readonly string[];
  readonly signal: AbortSignal | undefined;
  readonly task: Task;
  /** The Dockerfile as messages show it. */
  readonly dockerfile: string;
  /** Why a builder is needed at all, for the message when there is none: `The stage "build" (Dockerfile, line 4) …`. */
  readonly need: string;
  readonly consume?: (stdout: Readable) => Promise<void>;
  /** The instruction of the user's Dockerfile that a line stands for which was added to it. */
  readonly place?: (line: number) => { readonly instruction: string; readonly line: number } | undefined;
}

/**
 * Runs `docker buildx build`; what it tells goes to groups of the task's log, and an instruction that fails becomes a Failure at its line.
 * Gives the steps that were carried out.
 */
export async function runBuildx(build: BuildxRun): Promise<readonly BuildStep[]> {
  const progress = new BuildProgress(build.task);
  try {
    await run({
      program: build.settings.program ?? 'docker',
      args: build.args,
      env: { ...process.env, ...secretEnvironment(build.settings), BUILDX_NO_DEFAULT_ATTESTATIONS: '1' },
      onLine: (line, stream) => {
        if (stream === 'stderr') progress.line(line);
      },
      ...(build.consume !== undefined && { consume: build.consume }),
      ...(build.signal !== undefined && { signal: build.signal }),
    });
    return progress.steps;
  } catch (error) {
    throw explain(error, progress, build);
  } finally {
    progress.end();
  }
}

const TWO_WAYS_OUT =
  'Hand its files in with stages: NAME=FOLDER, or make a builder reachable: start Docker, or name one with the input "builder".';

function explain(error: unknown, progress: BuildProgress, build: BuildxRun): unknown {
  if (!(error instanceof ExecError) || error.reason === 'cancelled') return error;
  const program = build.settings.program ?? 'docker';
  if (error.reason === 'missing')
    return new Failure(
      `${build.need}, and there is no builder: ${program} is not installed. ${TWO_WAYS_OUT}`,
      { cause: error },
    );
  const said = progress.error ?? `${program} buildx ended with ${error.code ?? error.reason}`;
  if (noBuilder(said, progress.words))
    return new Failure(`${build.need}, and no builder can be reached: ${said}. ${TWO_WAYS_OUT}`, {
      cause: error,
    });
  const added = progress.dockerfileLine === undefined ? undefined : build.place?.(progress.dockerfileLine);
  const line = added?.line ?? progress.dockerfileLine;
  const where = added?.instruction ?? progress.failed ?? 'BuildKit';
  return new Failure(`${where}: ${said}.`, {
    ...(line !== undefined && { location: { file: build.dockerfile, line } }),
    cause: error,
  });
}

/** The ways in which docker and buildx say that nothing answers. They have no exit code of their own for it. */
function noBuilder(said: string, words: readonly string[]): boolean {
  const all = [said, ...words].join('\n');
  return /cannot connect to the docker daemon|failed to connect to the docker API|is not a docker command|unknown (shorthand )?flag: .*progress|no builder .* found|unknown command: docker buildx|failed to (dial|find driver)|context deadline exceeded|connection refused|no valid drivers found/i.test(
    all,
  );
}
