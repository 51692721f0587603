import { digestOf } from '../content/index.ts';
import {
  type CopyStep,
  createMatcher,
  hasWildcards,
  type Ignore,
  type Source,
  type Step,
  type WorkdirStep,
} from '../dockerfile/index.ts';
import { Failure } from '../host/index.ts';
import { type CopyOptions, copyPath, expandSource, type ParentsSource, splitParents } from './files/copy.ts';
import { type LayerMember, overlay, takeLayer } from './files/layer.ts';
import type { LayerIndex } from './files/layer-index.ts';
import { type Chmod, parseChmod } from './files/mode.ts';
import { type Owner, type ReadContent, resolveOwner } from './files/owner.ts';
import {
  type Archive,
  baseOf,
  clean,
  type Directory,
  emptyDirectory,
  type FileSystem,
  fileSystem,
  follow,
  join,
  lookup,
  makeDirectories,
  parentOf,
  type RegularFile,
} from './files/tree.ts';
import { Unmodelled } from './files/unmodelled.ts';
import { unpackInto } from './files/unpack.ts';

/** What steps reach for beyond the tree that they work on. */
export interface Surroundings {
  /** The tree that a COPY takes from. */
  readonly source: (source: Source) => Promise<Directory>;
  readonly read: ReadContent;
  /** What the archive in a file holds, or undefined when it is none. */
  readonly archive: (
    file: RegularFile,
  ) => Promise<{ readonly index: LayerIndex; readonly archive: Archive } | undefined>;
  readonly warn: (message: string, step: Step) => void;
  /** Seconds since 1970 that all members of new layers carry. */
  readonly mtime: number;
}

/** A layer that a step makes. */
export interface StepLayer {
  readonly step: Step;
  readonly members: readonly LayerMember[];
}

/** Carries out the steps of a stage on a tree, and gives the layers that they make: one for each step that works on files. */
export async function applySteps(
  fs: FileSystem,
  steps: readonly Step[],
  around: Surroundings,
): Promise<StepLayer[]> {
  const layers: StepLayer[] = [];
  for (const step of steps) {
    const members = await located(step, () => applyStep(fs, step, around));
    if (members !== undefined) layers.push({ step, members });
  }
  return layers;
}

async function located<T>(step: Step, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Unmodelled && error.lines === undefined)
      throw new Unmodelled(error.reason, step.lines);
    if (error instanceof Failure && error.location === undefined) throw new StepFailure(error, step);
    throw error;
  }
}

/** A Failure at a step, which the plan places in its Dockerfile. */
export class StepFailure extends Error {
  override readonly name = 'StepFailure';
  readonly failure: Failure;
  readonly step: Step;

  constructor(failure: Failure, step: Step) {
    super(failure.message, { cause: failure });
    this.failure = failure;
    this.step = step;
  }
}

async function applyStep(
  fs: FileSystem,
  step: Step,
  around: Surroundings,
): Promise<LayerMember[] | undefined> {
  switch (step.kind) {
    case 'config':
      return undefined;
    case 'run':
      throw new Unmodelled('RUN needs a container', step.lines);
    case 'workdir':
      return step.path === '/' ? undefined : workdir(fs, step, around);
    case 'copy':
    case 'add':
      return copy(fs, step, around);
  }
}

async function workdir(fs: FileSystem, step: WorkdirStep, around: Surroundings): Promise<LayerMember[]> {
  const owner = await ownerOf(step.user, fs, step, around);
  makeDirectories(fs, follow(fs.root, step.path), {
    mode: 0o755,
    uid: owner?.uid ?? 0,
    gid: owner?.gid ?? 0,
  });
  fs.pristine = false;
  return takeLayer(fs, around.mtime);
}

function ownerOf(
  given: string | undefined,
  fs: FileSystem,
  step: Step,
  around: Surroundings,
): Promise<Owner | undefined> {
  if (given === undefined || given === '') return Promise.resolve(undefined);
  return resolveOwner(given, fs, around.read, (message) => around.warn(message, step));
}

async function copy(fs: FileSystem, step: CopyStep, around: Surroundings): Promise<LayerMember[]> {
  // BuildKit gives --link up when --chmod is there, and so do we.
  if (!step.link || step.chmod !== undefined) {
    await copySources(fs, step, around);
    fs.pristine = false;
    return takeLayer(fs, around.mtime);
  }
  const own = fileSystem();
  await copySources(own, step, around);
  overlay(fs, own.root);
  fs.touched.clear();
  fs.covered.clear();
  fs.pristine = false;
  return takeLayer(own, around.mtime);
}

async function copySources(fs: FileSystem, step: CopyStep, around: Surroundings): Promise<void> {
  const chmod = step.chmod === undefined ? undefined : parseChmod(step.chmod);
  const exclude = step.exclude.length === 0 ? undefined : createMatcher(step.exclude);
  for (const source of step.sources) {
    if (isRemote(source)) throw new Unmodelled(`ADD fetches ${source}`, step.lines);
    const owner = await ownerOf(step.chown, fs, step, around);
    await copySource(
      fs,
      source,
      step,
      { destination: step.destination, owner, chmod, exclude, include: undefined },
      around,
    );
  }
  for (const file of step.inline) {
    const owner = await ownerOf(step.chown, fs, step, around);
    copyInline(fs, file, step.destination, owner, chmod);
  }
}

/** A URL, or one of the ways to name a git repository; what looks like a path is one. */
export function isRemote(source: string): boolean {
  return /^(https?|git|ssh):\/\//i.test(source) || /^[\w.-]+@[\w.-]+:/.test(source);
}

/** A pattern stands for the folder that it looks in. */
export function withoutPattern(source: string): string {
  const names = clean(source).split('/');
  const first = names.findIndex(hasWildcards);
  return `/${(first === -1 ? names : names.slice(0, first)).join('/')}`;
}

async function copySource(
  fs: FileSystem,
  source: string,
  step: CopyStep,
  options: CopyOptions,
  around: Surroundings,
): Promise<void> {
  const tree = await around.source(step.from);
  const parents = step.parents ? splitParents(source) : undefined;
  // BuildKit looks for the path "/" then, which it does not find.
  if (parents?.pattern === '') throw new Unmodelled('COPY --parents takes everything', step.lines);
  const include: Ignore | undefined = parents === undefined ? undefined : createMatcher([parents.pattern]);
  if (parents?.required) requirePath(tree, parents, options.exclude);
  const paths = expandSource(tree, parents?.root ?? source);
  if (paths.length === 0 && isLocal(step.from) && source.includes('/'))
    throw new Unmodelled(
      `${source} matches nothing, which BuildKit refuses or not by what else is copied`,
      step.lines,
    );
  for (const path of paths) {
    if (step.kind === 'add' && step.unpack !== false && (await unpack(fs, tree, path, options, around)))
      continue;
    copyPath(fs, tree, path, { ...options, include });
  }
}

/** Of a folder of this machine BuildKit gets only what patterns match: without a match not even the folder that they look in. */
function isLocal(source: Source): boolean {
  return source.kind === 'context' || source.kind === 'directory';
}

/** The last part may be a link that leads nowhere: --parents copies links as they are. */
function requirePath(tree: Directory, { root, pattern }: ParentsSource, exclude: Ignore | undefined): void {
  const wanted = clean(`${root}/${pattern}`);
  const found = lookup(tree, join(follow(tree, parentOf(wanted)), baseOf(wanted)));
  if (found === undefined) throw new Failure(`/${wanted} is not there.`);
  if (exclude?.ignores(pattern, found.type === 'directory'))
    throw new Failure(`/${wanted} is asked for by name and left out by --exclude.`);
}

async function unpack(
  fs: FileSystem,
  tree: Directory,
  path: string,
  options: CopyOptions,
  around: Surroundings,
): Promise<boolean> {
  const node = lookup(tree, follow(tree, path));
  if (node?.type !== 'file') return false;
  const archive = await around.archive(node);
  if (archive === undefined) return false;
  unpackInto(fs, archive.index, archive.archive, options.destination, options.owner);
  return true;
}

function copyInline(
  fs: FileSystem,
  file: { readonly name: string; readonly content: string },
  destination: string,
  owner: Owner | undefined,
  chmod: Chmod | undefined,
): void {
  const bytes = Buffer.from(file.content, 'utf8');
  const name = clean(file.name);
  const tree = emptyDirectory();
  tree.children.set(name, {
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: bytes.length,
    content: { kind: 'bytes', bytes, digest: digestOf(bytes) },
  });
  copyPath(fs, tree, name, { destination, owner, chmod, exclude: undefined, include: undefined });
}
