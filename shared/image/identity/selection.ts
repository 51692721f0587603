import { type KeyListing, type KeyPart, ListingWriter } from '../../content/index.ts';
import { type CopyStep, createMatcher, type Ignore } from '../../dockerfile/index.ts';
import { Failure } from '../../host/index.ts';
import { copyPath, expandSource, splitParents } from '../files/copy.ts';
import type { ContentDigests } from '../files/digests.ts';
import { parseChmod } from '../files/mode.ts';
import {
  clean,
  type Directory,
  fileSystem,
  follow,
  join,
  lookup,
  type Node,
  type RegularFile,
  walk,
} from '../files/tree.ts';
import { Unmodelled } from '../files/unmodelled.ts';
import { once } from '../once.ts';

/** Files that a step takes from a tree, by their path there: what they are, in the order in which they are taken. */
interface Selection {
  /** Paths that the sources stand for, in order: they decide where each file goes. */
  readonly tops: readonly KeyPart[];
  readonly nodes: readonly Nodes[];
}

type Nodes = Iterable<{ readonly path: string; readonly node: Node }>;

/**
 * What COPY or ADD takes from a folder of this machine, as a part of a key: the same code selects that copies when the stage is
 * assembled. Modes are those after `--chmod`, so a mode that is overwritten does not count.
 *
 * @throws Failure where a source is missing, Unmodelled where BuildKit may take another selection: such a step has no key.
 */
export function copiedFiles(
  tree: Directory,
  step: CopyStep,
  digests: ContentDigests,
): Readonly<Record<string, KeyPart>> {
  const exclude = step.exclude.length === 0 ? undefined : createMatcher(step.exclude);
  const tops: KeyPart[] = [];
  const files = new Listing(digests);
  for (const source of step.sources) {
    const found = select(tree, source, step, exclude);
    tops.push(...found.tops);
    for (const nodes of found.nodes) files.add(nodes);
  }
  return { tops, files: files.end() };
}

function select(tree: Directory, source: string, step: CopyStep, exclude: Ignore | undefined): Selection {
  const parents = step.parents ? splitParents(source) : undefined;
  if (parents?.pattern === '') throw new Unmodelled('COPY --parents takes everything', step.lines);
  const include = parents === undefined ? undefined : createMatcher([parents.pattern]);
  const paths = expandSource(tree, parents?.root ?? source);
  // At the root of a context BuildKit lets a pattern match nothing; below, it depends on what else is copied.
  if (paths.length === 0 && source.includes('/'))
    throw new Unmodelled(`${source} matches nothing`, step.lines);
  const tops = parents === undefined ? paths : paths.map((root) => ({ root, pattern: parents.pattern }));
  const chmod = step.chmod === undefined ? undefined : parseChmod(step.chmod);
  const whole = exclude === undefined && include === undefined && chmod === undefined;
  const below = (path: string) =>
    whole
      ? everything(tree, path)
      : copied(tree, path, { destination: COPIED, owner: undefined, chmod, exclude, include });
  return { tops, nodes: paths.map(below) };
}

const COPIED = '/copied/';

/** What lies at a path and below it, under the names by which it is asked for. */
function* everything(tree: Directory, path: string): Nodes {
  const node = lookup(tree, follow(tree, path));
  if (node === undefined) throw new Failure(`/${clean(path)} is not there.`);
  if (node.type === 'directory') yield* walk(node, clean(path));
  else yield { path: clean(path), node };
}

/** What arrives of a path in an empty folder. */
function* copied(tree: Directory, path: string, options: Parameters<typeof copyPath>[3]): Nodes {
  const fs = fileSystem();
  copyPath(fs, tree, path, options);
  const arrived = lookup(fs.root, clean(COPIED)) as Directory;
  const isDirectory = lookup(tree, follow(tree, path))?.type === 'directory';
  for (const one of walk(arrived))
    yield { path: isDirectory ? join(clean(path), one.path) : clean(path), node: one.node };
}

/** What a mount binds from a folder of this machine: all that lies at its source. */
export function boundFiles(
  tree: Directory,
  source: string,
  digests: ContentDigests,
): Readonly<Record<string, KeyPart>> {
  return { top: clean(source), files: new Listing(digests).add(everything(tree, source)).end() };
}

/** Everything below a folder. */
export function allFiles(tree: Directory, digests: ContentDigests): Readonly<Record<string, KeyPart>> {
  return new Listing(digests).add(walk(tree)).end();
}

/** Paths with what lies there: type, mode, content or target. Owners are root's: those of a folder of this machine never count. */
class Listing {
  readonly #digests: ContentDigests;
  readonly #listing = new ListingWriter();
  /** Where files were met first that may be met again under another name. */
  readonly #first = new Map<RegularFile, string>();
  /** Types with modes, of which there are few. */
  readonly #kinds = new Map<number, string>();

  constructor(digests: ContentDigests) {
    this.#digests = digests;
  }

  end(): KeyListing {
    return this.#listing.end();
  }

  add(nodes: Nodes): this {
    for (const { path, node } of nodes) this.#listing.add(path, this.#textOf(node, path));
    return this;
  }

  #textOf(node: Node, path: string): string {
    switch (node.type) {
      case 'symlink':
        return `symlink -> ${node.target}`;
      case 'file': {
        const mode = once(this.#kinds, node.mode, () => `file ${node.mode.toString(8)} `);
        return `${mode}${this.#digests.name(node)}${this.#sameAs(node, path)}`;
      }
      default:
        return `${node.type} ${node.mode.toString(8)}`;
    }
  }

  #sameAs(file: RegularFile, path: string): string {
    if (file.content.kind === 'disk' && file.content.single) return '';
    const before = this.#first.get(file);
    if (before !== undefined) return ` = ${before}`;
    this.#first.set(file, path);
    return '';
  }
}
