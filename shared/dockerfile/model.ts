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
  /** Instructions that have an empty line among their continuation lines, which BuildKit means to refuse one day. */
  readonly emptyContinuations: readonly Lines[];
}

export interface Stage {
  readonly index: number;
  /** Lower case; undefined for a stage without AS. */
  readonly name: string | undefined;
  readonly from: string;
  readonly platform: string | undefined;
  readonly lines: Lines;
  readonly instructions: readonly Instruction[];
  /** The FROM instruction itself. */
  readonly opening: Instruction;
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
  /** The keyword as written. */
  readonly word: string;
  /** The whole instruction on one line, flags included, heredoc bodies not. */
  readonly original: string;
  /** Text of the comment lines right above it, without `#`; a blank comment line ends the block. Parser directives are no comments. */
  readonly comments: readonly string[];
}

export interface Heredoc {
  readonly name: string;
  /** As written, leading tabs and all. */
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
  /** Seconds since 1970 that SOURCE_DATE_EPOCH gives, as a build argument or a global ARG; BuildKit's time of the history and of files. */
  readonly sourceDateEpoch: number | undefined;
  /** What the user should know and BuildKit does without a word, such as a build argument that nothing declares. */
  readonly warnings: readonly Warning[];
  /** What this room does not model exactly; an executor other than BuildKit must not build a graph that has such a remark. */
  readonly unmodelled: readonly Warning[];
}

/** A sentence with its place in the Dockerfile, where it has one. */
export interface Warning {
  readonly message: string;
  readonly lines: Lines | undefined;
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

/** An image is the one for the graph's platform, whatever the platform of the stage that reads it; `scratch` is the empty image. */
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
  /** The USER in force, of whom BuildKit makes the directories that are missing; absent where none is. */
  readonly user?: string | undefined;
}

export interface RunStep extends StepBase {
  readonly kind: 'run';
  readonly shell: boolean;
  /**
   * The command line of the shell form, or the arguments of the exec form. A heredoc is part of the line as BuildKit passes it to
   * the shell: its content alone for `RUN <<EOF`, a path below /dev/pipes for one that starts with `#!`.
   */
  readonly command: string | readonly string[];
  /** What is executed: the command behind the SHELL in force, or the exec form as it is. */
  readonly argv: readonly string[];
  readonly heredocs: readonly Heredoc[];
  readonly mounts: readonly RunMount[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
  /** Devices of the builder that the command may use (`--device`); absent where there are none. */
  readonly devices?: readonly string[] | undefined;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string;
  readonly user: string;
}

export interface RunMount {
  readonly type: 'bind' | 'cache' | 'tmpfs' | 'secret' | 'ssh';
  /** Absolute; undefined for a secret or agent that has none. */
  readonly target: string | undefined;
  /** Where a bind or cache mount takes its content from; undefined for a cache that starts empty and for the other types. */
  readonly from: Source | undefined;
  /** The other options by their long names, expanded: source, id, sharing, readonly, required, size, mode, uid, gid, env. */
  readonly options: Readonly<Record<string, string>>;
}

/** A step that changes the configuration alone. */
export interface ConfigStep extends StepBase {
  readonly kind: 'config';
  readonly keyword: string;
}

export type Step = CopyStep | WorkdirStep | RunStep | ConfigStep;
