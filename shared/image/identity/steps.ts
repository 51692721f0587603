import { type Digest, digestOf, type KeyPart } from '../../content/index.ts';
import {
  type CopyStep,
  isGitReference,
  type ResolvedStage,
  type RunMount,
  type RunStep,
  type Source,
  type StageGraph,
  type Step,
} from '../../dockerfile/index.ts';
import type { ContentDigests } from '../files/digests.ts';
import type { Directory } from '../files/tree.ts';
import type { Because } from '../plan.ts';
import type { ImageRequest } from '../request.ts';
import { isRemote, withoutPattern } from '../steps.ts';
import { allFiles, boundFiles, copiedFiles } from './selection.ts';

/** The named parts of a key. */
export type Parts = Readonly<Record<string, KeyPart>>;

/** What steps reach for when their part of a key is made. */
export interface KeySurroundings {
  readonly request: ImageRequest;
  readonly graph: StageGraph;
  readonly context: Directory;
  readonly directory: (path: string) => Directory;
  readonly digests: ContentDigests;
  /** Digest of the manifest that a reference means for the graph's platform. */
  readonly imageDigest: (reference: string) => Promise<Digest>;
}

/** Says what stands in a key for another stage: its key, or, where no more than paths of it is taken, their content. */
export type Upstream = (index: number, paths?: readonly string[]) => string;

/** A step in a key; what it takes from other stages is filled in last. */
export interface KeyedStep {
  /** Says in a few words which step it is; made of nothing but what is in `parts` too. */
  readonly name: string;
  readonly parts: (upstream: Upstream) => Parts;
  /** Why the key holds for a time only. */
  readonly aging: Because | undefined;
}

/** A step that no key can hold; it makes its stage unkeyed. */
export class Unkeyable extends Error {
  readonly because: Because;

  constructor(because: Because) {
    super(because.reason);
    this.because = because;
  }
}

/** The part of a step in the key of its stage; undefined for a step that changes the configuration alone. */
export async function keyStep(step: Step, around: KeySurroundings): Promise<KeyedStep | undefined> {
  switch (step.kind) {
    case 'config':
      return undefined;
    case 'workdir':
      return {
        name: `WORKDIR ${step.path}`,
        parts: () => ({ path: step.path, user: step.user ?? '' }),
        aging: undefined,
      };
    case 'copy':
    case 'add':
      return await keyCopy(step, around);
    case 'run':
      return await keyRun(step, around);
  }
}

async function keyCopy(step: CopyStep, around: KeySurroundings): Promise<KeyedStep> {
  const remote = step.sources.filter(isRemote);
  const local = step.sources.filter((source) => !isRemote(source));
  const files = (tree: Directory) => copiedFiles(tree, { ...step, sources: local }, around.digests);
  // The folders above what --parents brings come along with modes and owners of their own.
  const paths = step.parents ? undefined : local.map(withoutPattern);
  const from = await takenFrom(step.from, around, files, paths);
  const { destination, chown = '', chmod = '', link, parents, exclude, inline } = step;
  const own: Parts = {
    destination,
    chown,
    chmod,
    link,
    parents,
    exclude,
    sources: step.sources.map(concealed),
    inline: Object.fromEntries(inline.map(({ name, content }) => [name, hidden(content)])),
    ...(step.kind === 'add'
      ? { unpack: step.unpack ?? 'default', checksum: step.checksum ?? '', keepGitDir: step.keepGitDir }
      : {}),
  };
  const what = [...step.sources.map(concealed), ...inline.map(({ name }) => `<<${name}`)].join(' ');
  return {
    name: `${step.kind.toUpperCase()} ${what} ${destination}`,
    parts: (upstream) => ({ ...own, ...from(upstream) }),
    aging: agingOfRemotes(step, remote),
  };
}

/** A checksum, or a whole commit, says what an address holds; anything else can change behind it. */
function agingOfRemotes(step: CopyStep, remote: readonly string[]): Because | undefined {
  if (step.checksum !== undefined) return undefined;
  const loose = remote.find((source) => !isGitReference(source) || !hasCommit(source));
  return loose === undefined
    ? undefined
    : { reason: `ADD fetches ${concealed(loose)} without a checksum`, lines: step.lines };
}

function hasCommit(source: string): boolean {
  return /#[0-9a-f]{40}(?:[0-9a-f]{24})?(?::|$)/.test(source);
}

async function keyRun(step: RunStep, around: KeySurroundings): Promise<KeyedStep> {
  if (step.security === 'insecure')
    throw new Unkeyable({ reason: 'RUN --security=insecure sees the machine it runs on', lines: step.lines });
  if (step.devices !== undefined)
    throw new Unkeyable({ reason: 'RUN --device uses a device of the machine', lines: step.lines });
  const { runs } = around.request;
  const network = step.network === 'default' ? (runs?.network ?? 'default') : step.network;
  const mounts = await Promise.all(step.mounts.map((mount) => keyMount(mount, around)));
  const own: Parts = {
    argv: step.argv,
    heredocs: scriptsOf(step),
    // A command sees its variables in an order.
    env: { listing: Object.entries(step.env).flatMap(([name, value]) => [name, hidden(value)]) },
    workdir: step.workdir,
    user: step.user,
    network,
  };
  return {
    name: `RUN ${Array.isArray(step.command) ? step.command.join(' ') : step.command}`,
    parts: (upstream) => ({
      ...own,
      mounts: Object.fromEntries(mounts.map(({ name, parts }, at) => [`${at + 1} ${name}`, parts(upstream)])),
    }),
    aging: agingOfRun(step, network),
  };
}

/** A heredoc that is a program of its own is a file beside the command; any other is in the command. */
function scriptsOf({ argv, heredocs }: RunStep): KeyPart {
  if (!argv.some((argument) => argument.startsWith('/dev/pipes/'))) return [];
  return Object.fromEntries(
    heredocs.map(({ name, content, chomp }) => [name, { content: hidden(content), chomp }]),
  );
}

/**
 * Stands for a text that keys are to tell apart and nobody is to read there: keys are stored, and arguments may hold what they should not.
 */
function hidden(text: string): string {
  return digestOf(text).slice('sha256:'.length, 'sha256:'.length + 32);
}

/** An address without the password that it may hold, before its host or as a token behind it. */
export function concealed(source: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(source)) return source;
  return source
    .replace(/^([^/]*\/\/)([^/@]*)@/, (_, scheme, user) => `${scheme}${hidden(user)}@`)
    .replace(/\?[^#]*/, (query) => `?${hidden(query)}`);
}

function agingOfRun({ mounts, lines }: RunStep, network: string): Because | undefined {
  const secret = mounts.find(({ type }) => type === 'secret' || type === 'ssh');
  if (network !== 'none') return { reason: 'RUN may use the network', lines };
  if (secret?.type === 'secret') return { reason: 'RUN reads a secret, whose value is in no key', lines };
  if (secret?.type === 'ssh') return { reason: 'RUN may ask others through SSH', lines };
  return undefined;
}

interface KeyedMount {
  readonly name: string;
  readonly parts: (upstream: Upstream) => Parts;
}

async function keyMount(mount: RunMount, around: KeySurroundings): Promise<KeyedMount> {
  const name = `${mount.type} ${mount.target ?? mountId(mount)}`;
  return { name, parts: await partsOfMount(mount, around) };
}

async function partsOfMount(
  mount: RunMount,
  around: KeySurroundings,
): Promise<(upstream: Upstream) => Parts> {
  const { type, target = '', from, options } = mount;
  // What a cache holds, and who else uses it at the time, must not matter to a command.
  const { sharing: _, source = '/', ...rest } = options;
  const own: Parts = { type, target, options: rest };
  switch (type) {
    case 'secret':
    case 'ssh': {
      const id = mountId(mount);
      const given = around.request.runs?.[type === 'secret' ? 'secrets' : 'ssh'].includes(id) ?? false;
      return () => ({ ...own, id, given });
    }
    case 'tmpfs':
      return () => own;
    case 'bind':
    case 'cache': {
      if (from === undefined) return () => own;
      const taken = await takenFrom(from, around, (tree) => boundFiles(tree, source, around.digests));
      const path = isStage(from, around) || from.kind === 'image' ? { source } : {};
      return (upstream) => ({ ...own, ...path, ...taken(upstream) });
    }
  }
}

/** The id by which a secret or an agent is given (BuildKit, dispatchSecret and dispatchSSH). */
function mountId({ type, target = '', options }: RunMount): string {
  if (type === 'ssh') return options.id || 'default';
  return options.source || options.id || target.slice(target.lastIndexOf('/') + 1);
}

/** What stands for a source: files of a folder one by one, the digest of an image, and whatever stands for a stage. */
async function takenFrom(
  source: Source,
  around: KeySurroundings,
  select: (tree: Directory) => Parts,
  paths?: readonly string[],
): Promise<(upstream: Upstream) => Parts> {
  switch (source.kind) {
    case 'context': {
      const files = select(around.context);
      return () => files;
    }
    case 'directory': {
      const files = select(around.directory(source.path));
      return () => files;
    }
    case 'image': {
      const digest = source.reference === 'scratch' ? 'scratch' : await around.imageDigest(source.reference);
      return () => ({ from: digest });
    }
    case 'stage': {
      const folder = handedIn(around.graph, source.index);
      if (folder === undefined) return (upstream) => ({ from: upstream(source.index, paths) });
      const files = select(around.directory(folder));
      return () => files;
    }
  }
}

/** The folder that stands for a stage as it is. */
export function handedIn(graph: StageGraph, index: number): string | undefined {
  const stage = graph.stages.find((one) => one.index === index);
  return stage?.base.kind === 'directory' && stage.steps.length === 0 ? stage.base.path : undefined;
}

function isStage(source: Source, { graph }: KeySurroundings): boolean {
  return source.kind === 'stage' && handedIn(graph, source.index) === undefined;
}

/** The part of a base that is a folder: all that it holds. */
export function keyFolder(stage: ResolvedStage, around: KeySurroundings): Parts {
  if (stage.base.kind !== 'directory') throw new Error('not a folder');
  return allFiles(around.directory(stage.base.path), around.digests);
}
