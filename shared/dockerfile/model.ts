import type { ImageConfig, Platform } from '../oci/index.ts';

/** Lines of a Dockerfile, counted from 1, both included. */
export interface Lines {
  readonly start: number;
  readonly end: number;
}

/** A Dockerfile as written: nothing is expanded. */
export interface Dockerfile {
  /** As messages show it. */
  readonly path: string;
  readonly source: string;
  readonly directives: { readonly syntax?: string; readonly escape: '\\' | '`'; readonly check?: string };
  /** ARG instructions before the first FROM. */
  readonly globalArgs: readonly Instruction[];
  readonly stages: readonly Stage[];
}

export interface Stage {
  readonly index: number;
  /** Lower case; undefined for a stage without AS. */
  readonly name: string | undefined;
  readonly from: string;
  readonly platform: string | undefined;
  readonly lines: Lines;
  readonly instructions: readonly Instruction[];
}

/** One instruction as written, continuation lines joined, its flags and heredocs apart. */
export interface Instruction {
  /** Upper case, such as COPY. */
  readonly keyword: string;
  /** Everything behind the keyword and the flags, on one line. */
  readonly rest: string;
  /** In order of appearance; a flag without a value has `true`. */
  readonly flags: readonly { readonly name: string; readonly value: string | true }[];
  readonly heredocs: readonly Heredoc[];
  readonly lines: Lines;
}

export interface Heredoc {
  readonly name: string;
  readonly content: string;
  /** False where the delimiter was quoted: `<<'EOF'`. */
  readonly expand: boolean;
  /** `<<-EOF`: leading tabs are cut. */
  readonly chomp: boolean;
  readonly fileDescriptor: number;
}

/** The stages that a target needs, for one platform, with all arguments expanded: what would be executed. Bases come before users. */
export interface StageGraph {
  readonly platform: Platform;
  readonly target: number;
  readonly stages: readonly ResolvedStage[];
}

export interface ResolvedStage {
  readonly index: number;
  readonly name: string | undefined;
  readonly platform: Platform;
  readonly base: Base;
  readonly steps: readonly Step[];
  /**
   * Configuration of an image that ends here. `history` holds one entry a step, in order after the base's; `rootfs.diff_ids` is
   * the base's. `created` is left to the caller.
   */
  readonly config: ImageConfig;
  /** Indexes of the stages that this one builds on or copies from, without repeats, in order. */
  readonly needs: readonly number[];
  /** Build arguments that any step of the stage used, with the values that it saw. */
  readonly args: Readonly<Record<string, string>>;
  readonly lines: Lines;
}

export type Base =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string }
  /** The stage as a whole was replaced: a directory that is handed in (`stages: build=DIR`, `build-contexts`). */
  | { readonly kind: 'directory'; readonly path: string };

export type Source =
  | { readonly kind: 'context' }
  | { readonly kind: 'stage'; readonly index: number }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'directory'; readonly path: string };

interface StepBase {
  readonly lines: Lines;
  /** The text that BuildKit writes into the history, such as `COPY app /app # buildkit`. */
  readonly createdBy: string;
}

export interface CopyStep extends StepBase {
  readonly kind: 'copy' | 'add';
  readonly from: Source;
  /** As given, expanded: patterns in Go's path.Match syntax, relative or absolute; for ADD also URLs and git references. */
  readonly sources: readonly string[];
  /** Files given in the Dockerfile itself (heredocs), already expanded. */
  readonly inline: readonly { readonly name: string; readonly content: string }[];
  /** Absolute; a trailing slash is kept, for it says "directory". */
  readonly destination: string;
  readonly chown: string | undefined;
  /** Octal digits or symbolic, as given. */
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** ADD only. */
  readonly checksum: string | undefined;
  readonly keepGitDir: boolean;
  /** ADD only: `--unpack`, or undefined for the default (local archives are unpacked, remote ones are not). */
  readonly unpack: boolean | undefined;
  /** USER in force is no owner of copied files; WORKDIR in force is already in `destination`. */
}

export interface WorkdirStep extends StepBase {
  readonly kind: 'workdir';
  /** Absolute and clean. */
  readonly path: string;
}

export interface RunStep extends StepBase {
  readonly kind: 'run';
  readonly shell: boolean;
  /** The command line of the shell form, or the arguments of the exec form. */
  readonly command: string | readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly mounts: readonly RunMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
}

export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  readonly target: string | undefined;
  readonly from: Source | undefined;
  readonly options: Readonly<Record<string, string>>;
}

/** A step that changes the configuration alone. */
export interface ConfigStep extends StepBase {
  readonly kind: 'config';
  readonly keyword: string;
}

export type Step = CopyStep | WorkdirStep | RunStep | ConfigStep;
