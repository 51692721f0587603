import { cleanPath, joinPath } from '../../../shared/dockerfile/go-text.ts';
import type {
  CopyStep,
  Dockerfile,
  Instruction,
  RunStep,
  StageGraph,
  Step,
} from '../../../shared/dockerfile/index.ts';
import type { ImageConfig } from '../../../shared/oci/index.ts';

/** The oracle's answer about the parts of a file. */
export interface ParseAnswer {
  readonly nodes: readonly {
    readonly word: string;
    readonly original: string;
    readonly flags: readonly string[] | null;
    readonly start: number;
    readonly end: number;
    readonly heredocs:
      | readonly Readonly<Record<'Name' | 'FileDescriptor' | 'Expand' | 'Chomp' | 'Content', unknown>>[]
      | null;
    readonly comments: readonly string[] | null;
  }[];
  readonly escape: string;
  readonly warnings: number;
  readonly check: string;
  readonly syntax: string;
}

const trim = (text: string) => text.replace(/^[\t-\r \u0085\u00a0]+|[\t-\r \u0085\u00a0]+$/g, '');

/** What BuildKit's parser found, in words that both sides share. */
export function theirParse(answer: ParseAnswer): unknown {
  const nodes = answer.nodes.map((node) => [
    node.word,
    trim(node.original),
    node.flags ?? [],
    node.start,
    node.end,
    (node.heredocs ?? []).map((one) => [one.Name, one.FileDescriptor, one.Expand, one.Chomp, one.Content]),
    node.comments ?? [],
  ]);
  return [nodes, answer.escape, answer.warnings, answer.check, answer.syntax];
}

export function ourParse(dockerfile: Dockerfile): unknown {
  const stages = dockerfile.stages.flatMap((stage) => [stage.opening, ...stage.instructions]);
  const { escape: token, check = '', syntax = '' } = dockerfile.directives;
  const nodes = [...dockerfile.globalArgs, ...stages].map(ourNode);
  return [nodes, token, dockerfile.emptyContinuations.length, check, syntax];
}

function ourNode(one: Instruction): unknown {
  const flags = one.flags.map(({ name, value }) => (value === true ? `--${name}` : `--${name}=${value}`));
  const heredocs = one.heredocs.map((doc) => [
    doc.name,
    doc.fileDescriptor,
    doc.expand,
    doc.chomp,
    doc.content,
  ]);
  return [one.word, one.original, flags, one.lines.start, one.lines.end, heredocs, one.comments];
}

/** A configuration with its keys in one order. Layers, and the time where none is given, are left to the caller of resolveGraph. */
export function comparable(config: ImageConfig): unknown {
  const history = config.history?.map(({ created: _, ...entry }) => entry);
  return sortKeys({ ...config, created: undefined, rootfs: undefined, history });
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = Object.entries(value).filter(([, one]) => one !== undefined && one !== null);
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, one]) => [key, sortKeys(one)]),
  );
}

/** One operation of BuildKit's solver, in the oracle's words. */
export type Operation =
  | {
      readonly op: 'exec';
      readonly argv: readonly string[];
      readonly env: readonly string[];
      readonly cwd: string;
      readonly user: string;
      readonly mounts: readonly {
        readonly type: string;
        readonly target: string;
        readonly readonly: boolean;
      }[];
      readonly network: string;
      readonly security: string;
    }
  | {
      readonly op: 'copy';
      readonly src: string;
      readonly dest: string;
      readonly mode: number;
      readonly modeText: string;
      readonly exclude: readonly string[] | null;
      readonly include: readonly string[] | null;
      readonly owner: unknown;
    }
  | { readonly op: 'mkdir'; readonly path: string }
  | { readonly op: 'mkfile'; readonly path: string; readonly data: string }
  | { readonly op: 'other' };

/** The solver's operations as sentences. Equal ones are one to the solver, and it orders them its own way. */
export function theirOperations(operations: readonly Operation[]): string[] {
  // What a cache mount with an owner starts from is BuildKit's own business.
  return unique(operations.map(describeTheirs)).filter((one) => one !== 'mkdir /cache');
}

function describeTheirs(one: Operation): string {
  switch (one.op) {
    case 'exec': {
      const mounts = one.mounts
        .filter(
          (mount) =>
            mount.target !== '/' &&
            mount.target !== '/dev/pipes/' &&
            ['BIND', 'CACHE', 'TMPFS'].includes(mount.type),
        )
        .map((mount) => `${mount.type.toLowerCase()} ${mount.target}${mount.readonly ? ' ro' : ''}`);
      // The socket of the agent is known when the command runs.
      const env = one.env.filter((variable) => !variable.startsWith('SSH_AUTH_SOCK='));
      return exec(one.argv, env, one.cwd, one.user, mounts, `${one.network} ${one.security}`);
    }
    case 'copy':
      return copy(
        one.src,
        one.dest,
        one.modeText === '' ? one.mode : -1,
        one.modeText,
        one.exclude ?? [],
        one.include ?? [],
        (one.owner ?? null) !== null,
      );
    case 'mkdir':
      return `mkdir ${cleanPath(one.path)}`;
    case 'mkfile':
      return `mkfile ${one.path.replace(/^\//, '')} ${JSON.stringify(one.data)}`;
    default:
      return 'other';
  }
}

export function ourOperations(graph: StageGraph): string[] {
  return unique(graph.stages.flatMap((stage) => stage.steps.flatMap(describeOurs)));
}

function describeOurs(step: Step): string[] {
  switch (step.kind) {
    case 'run':
      return describeRun(step);
    case 'copy':
    case 'add':
      return describeCopy(step);
    case 'workdir':
      return [`mkdir ${step.path}`];
    default:
      return [];
  }
}

const NETWORK = { default: 'UNSET', none: 'NONE', host: 'HOST' };

function describeRun(step: RunStep): string[] {
  const mounts = step.mounts
    .filter((mount) => ['bind', 'cache', 'tmpfs'].includes(mount.type))
    .map((mount) => `${mount.type} ${mount.target}${mount.options.readonly === 'true' ? ' ro' : ''}`);
  const env = Object.entries(step.env).map(([name, value]) => `${name}=${value}`);
  const isolation = `${NETWORK[step.network]} ${step.security.toUpperCase()}`;
  const script = step.argv.at(-1)!.startsWith('/dev/pipes/') ? step.heredocs[0]! : undefined;
  const body = script?.chomp ? script.content.replace(/^\t+/gm, '') : script?.content;
  const file = script === undefined ? [] : [`mkfile ${script.name} ${JSON.stringify(body)}`];
  return [...file, exec(step.argv, env, step.workdir, step.user, mounts, isolation)];
}

function describeCopy(step: CopyStep): string[] {
  const octal = step.chmod !== undefined && /^[0-7]+$/.test(step.chmod);
  const mode = octal ? Number.parseInt(step.chmod!, 8) : -1;
  const modeText = octal ? '' : (step.chmod ?? '');
  const one = (source: string, include: readonly string[]) =>
    copy(source, step.destination, mode, modeText, step.exclude, include, step.chown !== undefined);
  const inline = step.inline.flatMap((file) => [
    `mkfile ${file.name} ${JSON.stringify(file.content)}`,
    one(file.name, []),
  ]);
  return [
    ...step.sources.map((source) => (step.parents ? parents(source, one) : one(remoteName(source), []))),
    ...inline,
  ];
}

const remoteName = (source: string) =>
  /^https?:/.test(source) ? new URL(source).pathname.split('/').at(-1) || '__unnamed__' : source;

function parents(source: string, one: (source: string, include: readonly string[]) => string): string {
  const pivot = source.indexOf('/./');
  const pattern = joinPath('/', pivot < 0 ? source : source.slice(pivot + 3)).slice(1);
  return one(pivot < 0 ? '/' : source.slice(0, pivot), [pattern]);
}

function exec(
  argv: readonly string[],
  env: readonly string[],
  cwd: string,
  user: string,
  mounts: string[],
  isolation: string,
): string {
  return `exec ${JSON.stringify(argv)} env ${[...env].sort().join(' ')} in ${cleanPath(cwd)} as ${user} with ${mounts.sort().join(', ')} ${isolation}`;
}

function copy(
  source: string,
  destination: string,
  mode: number,
  modeText: string,
  exclude: readonly string[],
  include: readonly string[],
  owned: boolean,
): string {
  const directory = /\/\.?$/.test(destination) && cleanPath(destination) !== '/';
  const to = cleanPath(destination) + (directory ? '/' : '');
  const filters = `include ${include.map((one) => cleanPath(one)).join()} exclude ${exclude.join()}`;
  return `copy ${joinPath('/', source)} to ${to} mode ${mode}${modeText} ${filters}${owned ? ' owned' : ''}`;
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
