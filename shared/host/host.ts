import type { Deployments } from './deployments.ts';
import type { Location } from './failure.ts';
import type { IdentityToken } from './identity-token.ts';

/** A message that the runner attaches to a file and line, or that a terminal prints with its place. */
export interface Annotation {
  readonly level: 'error' | 'warning' | 'notice';
  readonly message: string;
  readonly title?: string;
  readonly location?: Location | undefined;
}

/**
 * A piece of work that the reader follows: a line of the live tree on a terminal, a group of lines in a log. Tasks nest and run
 * side by side; a log shows each task's lines together, however they interleaved.
 */
export interface Task {
  /** Runs `work` as a child task. It counts as failed when `work` throws; the error goes on to the caller. */
  task<T>(title: string, work: (task: Task) => Promise<T>): Promise<T>;
  /** A line of detail: compiler output, a transferred blob. Hidden on a terminal unless the task fails or --verbose is given. */
  log(line: string): void;
  /** The short result shown beside the title, such as `reused` or `14.2 MB, sha256:9f…`. The last one wins. */
  note(text: string): void;
}

/** The summary of a run, in the two forms in which people read it. */
export interface Summary {
  readonly markdown: string;
  readonly text: string;
  /** The text for a terminal of `width` columns, in colours or not; where it is missing, `text` is shown. */
  readonly render?: (format: { readonly width: number; readonly color: boolean }) => string;
}

/**
 * The boundary to whatever runs this process: a GitHub runner or a terminal. Nothing else in Slipway knows which one it is.
 */
export interface Host extends Task {
  readonly kind: 'github' | 'terminal';
  /** Aborted when the run is cancelled (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
  /** Absolute path of the checkout that the run is about. */
  readonly workspace: string;
  /** Absolute path of a folder for this run's temporary files; the runner or the process empties it. */
  readonly temporary: string;
  /** Absolute path of a folder for files that an output names and later steps of the job read; undefined in a terminal. */
  readonly kept?: string | undefined;
  /** What is known of the run that this is part of; undefined parts are unknown, never guessed. */
  readonly run: RunContext;
  /** Proves to others which run this is; undefined where it has no identity that it could prove. */
  readonly identityToken?: IdentityToken | undefined;
  /** Where what this run deploys is recorded, with a token that may write there; undefined where nobody keeps such a record. */
  readonly deployments?: ((token: string) => Deployments) | undefined;
  /** The raw text of an input as it was given, or undefined. */
  input(name: string): string | undefined;
  output(name: string, value: string): void;
  /** Masks a value, and its derived forms, in everything that is printed from now on. */
  secret(value: string): void;
  /** The text without the secrets that are known: for files that others read. All that is said here is masked anyway. */
  mask(text: string): string;
  annotate(annotation: Annotation): void;
  summarize(summary: Summary): Promise<void>;
  /** Keeps a value for the post step of the same action. */
  saveState(name: string, value: string): void;
  state(name: string): string | undefined;
}

/** Facts about the triggering event that trust and naming depend on. */
export interface RunContext {
  /** Whether what this run writes may be read by others: false for a fork's pull request and for events that carry foreign code. */
  readonly trusted: boolean;
  readonly repository?: string;
  /** Branch that cache entries of this run belong to, and those they may be restored from, nearest first. */
  readonly branch?: string;
  readonly baseBranch?: string;
  readonly defaultBranch?: string;
  readonly tag?: string;
  readonly sha?: string;
  readonly url?: string;
  /** Who started it, as the author of what it commits. */
  readonly actor?: { readonly name: string; readonly email: string };
  /** The workflow that this is a run of. */
  readonly workflow?: WorkflowRun;
}

/** A run of a workflow, as GitHub's own provenance names it. */
export interface WorkflowRun {
  /** Such as `https://github.com`. */
  readonly server: string;
  /** `owner/name/.github/workflows/release.yml@refs/heads/main` */
  readonly workflow?: string;
  /** Full name of what was pushed or is merged: `refs/heads/main`. */
  readonly ref?: string;
  readonly event?: string;
  readonly runId?: string;
  readonly attempt?: string;
  readonly repositoryId?: string;
  readonly ownerId?: string;
  /** `github-hosted` or `self-hosted`. */
  readonly runner?: string;
  /** Of the repository: `public`, `private` or `internal`. */
  readonly visibility?: string;
}
