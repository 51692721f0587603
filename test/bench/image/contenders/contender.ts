import type { Bases } from '../bases.ts';
import type { Example } from '../examples.ts';
import type { Commit } from '../repository.ts';
import type { FreshRunner } from '../runner.ts';

/** The same for all: the image of a commit under a tag, with its labels. */
export interface Job {
  readonly example: Example;
  readonly commit: Commit;
  readonly runner: FreshRunner;
  readonly bases: Bases;
  /** Repository of the contender's own, as clients reach it, without a tag. */
  readonly repository: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Folders of several services, each an image of that name below `repository`; undefined: the checkout is one service. */
  readonly services: readonly string[] | undefined;
}

export interface Contender {
  /** As `--contender` takes it. */
  readonly id: string;
  readonly name: string;
  /**
   * `boots`: a BuildKit with empty state is started in every run, as by docker/setup-buildx-action, and its time counts. `if used`: it
   * counts where something was built on it. `none`: there is none.
   */
  readonly builder: 'boots' | 'if used' | 'none';
  /** Whether an image is pushed; the floor only compiles. */
  readonly pushes: boolean;
  /** The whole job, with what it restores first and saves last. */
  run(job: Job): Promise<void>;
  /** What has to be ready for the next run and is nobody's time. */
  after?(job: Job): Promise<void>;
}

export const tagOf = ({ repository }: Job) => `${repository}:latest`;

/** Name of the builder that was started for a job; it is the current one of buildx, too. */
export const BUILDER = 'bench';
