import { existsSync, globSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { didYouMean, Failure } from '../../host/index.ts';

/** What is read: a file, what comes on standard input, or a folder that a kustomization renders. Paths are absolute. */
export type Source =
  | { readonly kind: 'stdin' }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'kustomization'; readonly folder: string };

const KUSTOMIZATIONS = ['kustomization.yaml', 'kustomization.yml', 'Kustomization'];
const MANIFEST = /\.(?:ya?ml|json)$/i;

/** The kustomization file of a folder, or undefined. */
export const kustomizationOf = (folder: string): string | undefined =>
  KUSTOMIZATIONS.map((name) => join(folder, name)).find((file) => isFile(file));

/** `deploy/web.yaml`: relative to the workspace where it is inside, with slashes. */
export function display(path: string, workspace: string): string {
  const inside = relative(workspace, path);
  return (inside.startsWith('..') || isAbsolute(inside) ? path : inside || '.').replaceAll('\\', '/');
}

/**
 * The files that are meant by what the user named, in that order, each once; those of a folder in the order of their names. What
 * names nothing is a Failure.
 */
export function findSources(given: readonly string[], workspace: string): Source[] {
  if (given.length === 0) throw new Failure('No manifests are named; name files, folders, globs or "-".');
  const found = new Map<string, Source>();
  for (const one of given)
    for (const source of expand(one, workspace)) found.set(source.kind + pathOf(source), source);
  return [...found.values()];
}

const pathOf = (source: Source): string =>
  source.kind === 'stdin' ? '' : source.kind === 'file' ? source.path : source.folder;

function expand(given: string, workspace: string): Source[] {
  if (given === '-') return [{ kind: 'stdin' }];
  if (/^https?:\/\//.test(given))
    throw new Failure(
      `"${given}" is an address; fetch it into a file first, so that what is rolled out is in your repository.`,
    );
  const path = resolve(workspace, given);
  if (existsSync(path)) return statSync(path).isDirectory() ? folder(path, workspace) : [file(path)];
  if (/[*?[{]/.test(given)) return glob(given, workspace);
  throw new Failure(
    `The manifests "${given}" do not exist in ${workspace}.${didYouMean(given, besides(given, path))}`,
  );
}

/** What there is where the user looked, as he would write it. */
const besides = (given: string, path: string): string[] =>
  namesIn(dirname(path)).map((name) => `${given.slice(0, given.length - basename(given).length)}${name}`);

/** A kustomization that is named as a file stands for its folder. */
const file = (path: string): Source =>
  KUSTOMIZATIONS.includes(basename(path))
    ? { kind: 'kustomization', folder: dirname(path) }
    : { kind: 'file', path };

function glob(pattern: string, workspace: string): Source[] {
  const paths = globSync(pattern, { cwd: workspace }).map((path) => resolve(workspace, path));
  const sources = paths.sort(byName).flatMap((path): Source[] => {
    if (!isFolder(path)) return MANIFEST.test(path) && isFile(path) ? [file(path)] : [];
    return kustomizationOf(path) === undefined ? [] : [{ kind: 'kustomization', folder: path }];
  });
  if (sources.length === 0)
    throw new Failure(
      paths.length === 0
        ? `The pattern "${pattern}" matches nothing in ${workspace}.`
        : `The pattern "${pattern}" matches no .yaml, .yml or .json file and no kustomization in ${workspace}.`,
    );
  return sources;
}

function folder(path: string, workspace: string): Source[] {
  const sources = within(path, workspace, new Set());
  if (sources.length > 0) return sources;
  throw new Failure(`The folder "${display(path, workspace)}" holds no .yaml, .yml or .json file.`);
}

function within(path: string, workspace: string, seen: Set<string>): Source[] {
  // A link may lead back to a folder above it.
  const real = realpathSync(path);
  if (seen.has(real)) return [];
  seen.add(real);
  if (kustomizationOf(path) !== undefined) return [{ kind: 'kustomization', folder: path }];
  if (isFile(join(path, 'Chart.yaml')))
    throw new Failure(
      `"${display(path, workspace)}" is a Helm chart: give what "helm template" makes of it, such as with manifests "-".`,
      { location: { file: display(join(path, 'Chart.yaml'), workspace), line: 1 } },
    );
  return namesIn(path)
    .filter((name) => !name.startsWith('.') && name !== 'node_modules')
    .sort(byName)
    .flatMap((name): Source[] => {
      const inner = join(path, name);
      if (isFolder(inner)) return within(inner, workspace, seen);
      if (MANIFEST.test(name) && !existsSync(inner))
        throw new Failure(`"${display(inner, workspace)}" is a link to a file that does not exist.`);
      return MANIFEST.test(name) && isFile(inner) ? [{ kind: 'file', path: inner }] : [];
    });
}

const byName = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const namesIn = (path: string): string[] => (isFolder(path) ? readdirSync(path) : []);
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
