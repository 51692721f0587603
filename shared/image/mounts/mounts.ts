import type { Readable } from 'node:stream';
import type { Dockerfile, ResolvedStage, StageGraph } from '../../dockerfile/index.ts';
import type { Task } from '../../host/index.ts';
import type { Platform } from '../../oci/index.ts';

/**
 * Content of `RUN --mount=type=cache`, carried from run to run: a builder that starts from nothing gets the mounts as an earlier run
 * left them. A help and never a condition: what goes wrong is told in the task's log.
 */
export interface MountSeeds {
  /** Prepares the Dockerfile of a solve that runs these stages; undefined when they have no cache mounts. */
  prepare(solve: SeedRequest, task: Task): Promise<SeededDockerfile | undefined>;
}

/** The solve that cache mounts are wanted for. */
export interface SeedRequest {
  readonly dockerfile: Dockerfile;
  /** All that the target needs: what takes files of a stage decides whether a folder of it can become a mount. */
  readonly graph: StageGraph;
  /** The stages that will be run, resolved. */
  readonly stages: readonly ResolvedStage[];
  readonly platform: Platform;
  /** Folder for this run's files. */
  readonly temporary: string;
  readonly signal: AbortSignal | undefined;
}

/** A Dockerfile whose cache mounts start from what an earlier run kept. */
export interface SeededDockerfile {
  /** The source with the flags of its RUNs changed: the same instructions on the same lines. Stages may be appended to it. */
  readonly source: string;
  /** Named contexts that it needs, in buildx's words. */
  readonly contexts: Readonly<Record<string, string>>;
  /** Whether a solve failed because of what is added here, so that it is to be tried again with `plain`. */
  blamed(error: unknown): boolean;
  /** The same with mounts that start from nothing, and are kept anew: a seed that cannot be had shall not stay one. */
  plain(): SeededDockerfile;
  /** Keeps what the mounts hold after the solve; only called for trusted runs, on the same builder, right after it. */
  save(again: SolveAgain, task: Task): Promise<void>;
}

/**
 * Runs the builder once more over the same Dockerfile, arguments and contexts, with stages appended to its end: steps that have run
 * are in the builder's own cache. `output` is a value of buildx's `--output`; with `dest=-` its bytes go to `consume`.
 */
export type SolveAgain = (more: {
  readonly appended: string;
  readonly target: string;
  readonly output: string;
  readonly consume?: (stdout: Readable) => Promise<void>;
}) => Promise<void>;
