import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { type Lines, matchGlob } from '../dockerfile/index.ts';
import { type Because, type ImageRequest, stageFiles } from '../image/index.ts';
import { Beyond } from './beyond.ts';
import type { GoFlag } from './go-invocation.ts';
import type { WantedPaths } from './lay-out.ts';
import type { Recipe, RecipeBuild } from './recipe.ts';
import { within } from './recipe.ts';
import {
  BASE_FOLDERS,
  EMPTY_IN_BASE,
  isOfBase,
  nearestWith,
  nodeAt,
  repositoryAround,
  type StageTree,
  strangeNode,
} from './stage-tree.ts';

/** A recipe that was held against the files of the context. */
export interface ProvedRecipe {
  readonly recipe: Recipe;
  readonly tree: StageTree;
  /** Folders of the stage that hold the go.mod of a build, with the path of the module. */
  readonly modules: readonly { readonly root: string; readonly path: string; readonly workspace?: string }[];
}

/**
 * Lays out in thought what the stage would hold, and looks for all that would mean something else on this machine. `samePaths` says
 * that builds will see the paths of the stage.
 */
export async function proveFiles(
  request: ImageRequest,
  recipe: Recipe,
  samePaths: boolean,
): Promise<
  | { readonly kind: 'proved'; readonly proved: ProvedRecipe }
  | { readonly kind: 'no'; readonly because: Because }
> {
  const laid = await stageFiles(request, recipe.files, BASE_FOLDERS);
  if (laid.kind === 'unknown') return { kind: 'no', because: laid.because };
  try {
    checkMounts(recipe, laid.root);
    const bound =
      recipe.binds.length === 0
        ? laid
        : await stageFiles(request, [...recipe.files, ...recipe.binds], BASE_FOLDERS);
    if (bound.kind === 'unknown') return { kind: 'no', because: bound.because };
    const tree = bound.root;
    const strange = strangeNode(tree);
    if (strange !== undefined) throw new Beyond(strange, recipe.lines);
    checkPlaces(tree, recipe);
    const builds = recipe.builds.map((build) => withNames(tree, build));
    const modules = builds.map((build) => checkBuild(tree, build, samePaths));
    for (const taken of recipe.taken) checkTaken(tree, recipe, taken.path, taken.lines);
    return { kind: 'proved', proved: { recipe: { ...recipe, builds }, tree, modules } };
  } catch (error) {
    if (error instanceof Beyond)
      return { kind: 'no', because: { reason: error.message, lines: error.lines } };
    throw error;
  }
}

/** A folder that is mounted hides what lies below it: the one tree of ours has both. */
function checkMounts({ binds }: Recipe, tree: StageTree): void {
  for (const { destination, lines } of binds) {
    const hidden = nodeAt(tree, destination);
    if (hidden !== undefined && !(hidden.type === 'directory' && hidden.children.size === 0))
      throw new Beyond(`a mount hides what lies at ${destination}`, lines);
  }
}

/** Files that take part in every build, wherever it runs, and those by which Go reaches modules: this machine has its own. */
function checkPlaces(tree: StageTree, { builds, lines }: Recipe): void {
  const settings = ['/root/.config/go/env', '/root/.config/go/telemetry'].find((path) => nodeAt(tree, path));
  if (settings !== undefined) throw new Beyond(`it brings settings for Go, ${settings}`, lines);
  const access = ['/root/.netrc', '/root/.gitconfig', '/root/.config/git', '/root/.ssh'].find((path) =>
    nodeAt(tree, path),
  );
  if (access !== undefined) throw new Beyond(`it brings what gives access to modules, ${access}`, lines);
  for (const { go } of builds) {
    const { modules } = placesOf(go.env);
    const node = nodeAt(tree, modules);
    if (node !== undefined && !(node.type === 'directory' && node.children.size === 0))
      throw new Beyond(`it brings modules of its own, ${modules}`, lines);
  }
}

function checkBuild(
  tree: StageTree,
  build: RecipeBuild,
  samePaths: boolean,
): ProvedRecipe['modules'][number] {
  const { go, lines } = build;
  const folder = folderOf(build);
  checkPath(tree, build);
  if (nodeAt(tree, folder)?.type !== 'directory')
    throw new Beyond(`it compiles in ${folder}, which nothing of the context lies in`, lines);
  const workspace = workspaceOf(tree, folder, go.env.GOWORK);
  const root =
    nearestWith(tree, folder, 'go.mod') ?? (workspace === undefined ? undefined : posix.dirname(workspace));
  if (root === undefined) throw new Beyond(`there is no go.mod in ${folder} or above it`, lines);
  const gopath = go.env.GOPATH || '/root/go';
  if (isOfBase(root) || root === gopath) throw new Beyond(`its module lies in ${root}`, lines);
  for (const name of ['GOPATH', 'GOMODCACHE', 'GOCACHE', 'GOTMPDIR'])
    if (go.env[name] !== undefined && (go.env[name] === root || within(go.env[name], root)))
      throw new Beyond(`${name} is a folder of the module, ${go.env[name]}`, lines);
  if (!go.trimpath && !samePaths)
    throw new Beyond(
      `its program holds the folders of the container, ${root} first, and this machine lets no process have such folders of its own: with -trimpath the program would be the same everywhere`,
      lines,
    );
  if (!go.unstamped) checkCommit(tree, root, build);
  const files =
    workspace === undefined ? [posix.join(root, 'go.mod')] : [workspace, ...used(tree, workspace)];
  for (const file of files) checkPaths(tree, file, lines);
  const module = files.find((file) => file !== workspace) ?? files[0]!;
  return { root, path: modulePath(tree, module), ...(workspace && { workspace }) };
}

/** The go.mod files of the modules in a workspace. */
function used(tree: StageTree, workspace: string): string[] {
  return localPaths(textOf(tree, workspace) ?? '', 'use').map((path) =>
    posix.resolve(posix.dirname(workspace), path, 'go.mod'),
  );
}

/** The go command has to be the one of the image: no file of the stage may stand before it on the PATH. */
function checkPath(tree: StageTree, { path, lines }: RecipeBuild): void {
  const folders = path.split(':');
  const own = folders.indexOf('/usr/local/go/bin');
  if (own < 0)
    throw new Beyond(`its PATH, ${path}, leads to another go command than that of the image`, lines);
  const other = folders
    .slice(0, own)
    .find((folder) => !folder.startsWith('/') || nodeAt(tree, posix.join(folder, 'go')) !== undefined);
  if (other !== undefined)
    throw new Beyond(`its PATH has "${other}" before the go command of the image`, lines);
}

/** The build with names of files in the place of its patterns, as the shell of the stage would have put them there (POSIX, 2.13.3). */
function withNames(tree: StageTree, build: RecipeBuild): RecipeBuild {
  if (build.patterns.length === 0) return build;
  const packages = build.go.packages.flatMap((word) => {
    if (!build.patterns.includes(word)) return [word];
    const prefix = /^\.\/+/.exec(word)?.[0] ?? '';
    const found = [...matching(tree, build.cwd, word.slice(prefix.length).split('/'))].map(
      (name) => prefix + name,
    );
    return found.length === 0 ? [word] : found.sort();
  });
  return { ...build, go: { ...build.go, packages } };
}

function* matching(tree: StageTree, folder: string, parts: readonly string[]): Generator<string> {
  const [part = '', ...rest] = parts;
  const node = nodeAt(tree, folder);
  if (node?.type !== 'directory') return;
  for (const name of node.children.keys()) {
    if (!(matchGlob(part, name) && (part.startsWith('.') || !name.startsWith('.')))) continue;
    if (rest.length === 0) yield name;
    else for (const below of matching(tree, posix.join(folder, name), rest)) yield `${name}/${below}`;
  }
}

/** The folder in which Go looks for packages. */
export function folderOf({ go, cwd }: RecipeBuild): string {
  return posix.resolve(cwd, flagValue(go.flags, 'C') ?? '.');
}

export function flagValue(flags: readonly GoFlag[], name: string): string | undefined {
  return flags.findLast((flag) => flag.name === name)?.value;
}

function checkCommit(tree: StageTree, root: string, { lines }: RecipeBuild): void {
  const repository = repositoryAround(tree, root);
  if (repository !== undefined)
    throw new Beyond(
      `Go records the commit of ${repository} in the program: leave it out by .dockerignore, or build with -buildvcs=false`,
      lines,
    );
}

/** The go.work in force, as a path of the stage. */
export function workspaceOf(tree: StageTree, folder: string, given: string | undefined): string | undefined {
  if (given === 'off') return undefined;
  if (given) return posix.resolve('/', given);
  const found = nearestWith(tree, folder, 'go.work');
  return found === undefined ? undefined : posix.join(found, 'go.work');
}

/** Folders that go.mod and go.work name have to lie in the stage, by relative paths: an absolute one would be this machine's. */
function checkPaths(tree: StageTree, file: string, lines: Lines): void {
  const text = textOf(tree, file);
  if (text === undefined) return;
  const folder = posix.dirname(file);
  for (const path of localPaths(text)) {
    if (path.startsWith('/')) throw new Beyond(`${file} names the folder ${path} of the container`, lines);
    const depth = folder.split('/').filter(Boolean).length;
    const up = path.split('/').filter((part) => part === '..').length;
    const target = posix.resolve(folder, path);
    if (up >= depth + 1 || (isOfBase(target) && nodeAt(tree, target)?.type !== 'directory'))
      throw new Beyond(`${file} names the folder ${path}, which is not in the stage`, lines);
  }
}

/** Paths behind `=>` of replace lines, and those of use lines (go.dev/ref/mod, go.dev/ref/mod#go-work-file). */
export function localPaths(text: string, only?: 'use' | 'replace'): string[] {
  const found: string[] = [];
  let block = '';
  for (const raw of text.split('\n')) {
    const words =
      raw
        .replace(/\/\/.*$/, '')
        .match(/"[^"]*"|`[^`]*`|[^\s"`]+/g)
        ?.map((word) => word.replace(/^["`]|["`]$/g, '')) ?? [];
    const [first] = words;
    if (first === undefined) continue;
    if (words[1] === '(') block = first;
    else if (first === ')') block = '';
    else {
      const line = block === '' ? words : [block, ...words];
      const arrow = line.indexOf('=>');
      const path = line[0] === 'use' ? line[1] : arrow > 0 ? line[arrow + 1] : undefined;
      if (only !== undefined && line[0] !== only) continue;
      if (path !== undefined && /^(\.\.?(\/|$)|\/)/.test(path)) found.push(path);
    }
  }
  return found;
}

function modulePath(tree: StageTree, file: string): string {
  return /^module\s+"?([^\s"]+)/m.exec(textOf(tree, file) ?? '')?.[1] ?? file;
}

export function textOf(tree: StageTree, path: string): string | undefined {
  const node = nodeAt(tree, path);
  if (node?.type !== 'file') return undefined;
  if (node.content.kind === 'disk') return readFileSync(node.content.path, 'utf8');
  return node.content.kind === 'bytes' ? Buffer.from(node.content.bytes).toString('utf8') : undefined;
}

/** Later stages may take what `go build` writes and what was copied; whatever the base could have a part in is not ours. */
function checkTaken(tree: StageTree, { builds }: Recipe, path: string, lines: Lines): void {
  const outputs = builds.map((build) => outputOf(tree, build));
  const pattern = /[*?[\\]/.test(path);
  const folder = firstFolder(path);
  const isProgram = outputs.some(
    (one) => one.path === path || (one.folder && posix.dirname(path) === one.path),
  );
  if (!pattern && isProgram) return;
  const node = nodeAt(tree, folder);
  if (!pattern && node?.type === 'file') {
    checkOwners(tree, path, lines);
    return;
  }
  const known = node !== undefined || outputs.some((one) => one.path === folder || within(one.path, folder));
  if (!known || (isOfBase(folder) && !(pattern && EMPTY_IN_BASE.has(folder))))
    throw new Beyond(`${path} is taken from it, which is not what its "go build" writes`, lines);
  checkOwners(tree, folder, lines);
}

/** A path without its wildcards and all behind them. */
export function firstFolder(pattern: string): string {
  if (!/[*?[\\]/.test(pattern)) return pattern;
  const names = pattern.split('/');
  return (
    names
      .slice(
        0,
        names.findIndex((name) => /[*?[\\]/.test(name)),
      )
      .join('/') || '/'
  );
}

/** Files that cross keep their owners, and what is laid out here is root's. */
function checkOwners(tree: StageTree, path: string, lines: Lines): void {
  const node = nodeAt(tree, path);
  if (node === undefined) return;
  if (node.uid !== 0 || node.gid !== 0)
    throw new Beyond(`${path} is taken from it, which belongs to ${node.uid}:${node.gid}`, lines);
  if (node.type !== 'directory') return;
  for (const name of node.children.keys()) checkOwners(tree, posix.join(path, name), lines);
}

/** Where a build writes: a program, or a folder that takes programs by their names. */
export function outputOf(
  tree: StageTree,
  build: RecipeBuild,
): { readonly path: string; readonly folder: boolean } {
  const { go } = build;
  if (go.verb === 'install') return { path: installFolder(build), folder: true };
  const given = flagValue(go.flags, 'o');
  if (given === undefined || given === '') return { path: folderOf(build), folder: true };
  const path = posix.resolve(folderOf(build), given);
  return { path, folder: given.endsWith('/') || nodeAt(tree, path)?.type === 'directory' };
}

/** `go help install`: GOBIN, else bin of GOPATH, there in a folder of its own for another system or processor. */
export function installFolder({ go }: RecipeBuild): string {
  return go.env.GOBIN || posix.join(go.env.GOPATH || '/root/go', 'bin');
}

/** Where the go command of the stage keeps things, by the variables that it gets. */
export function placesOf({ GOMODCACHE, GOPATH, GOCACHE }: Readonly<Record<string, string>>): {
  readonly modules: string;
  readonly objects: string;
} {
  return {
    modules: GOMODCACHE || `${(GOPATH || '/root/go').split(':')[0]}/pkg/mod`,
    objects: GOCACHE || '/root/.cache/go-build',
  };
}

/** What has to lie on this machine beside what every build reads. */
export function wantedPaths({ builds, taken }: Recipe, tree: StageTree): WantedPaths {
  const named = builds.flatMap((build) => {
    const { flags, packages } = build.go;
    const profile = flagValue(flags, 'pgo');
    const files = packages.filter((name) => name.endsWith('.go'));
    return [...files, ...(profile === undefined ? [] : [profile])].map((name) =>
      posix.resolve(folderOf(build), name),
    );
  });
  const outputs = builds.map((build) => outputOf(tree, build));
  return {
    folders: builds.flatMap((build) => [build.cwd, folderOf(build)]),
    // Go refuses to write over what is no program, and over a folder.
    entries: outputs.filter(({ folder }) => folder).map(({ path }) => path),
    whole: [
      ...named,
      ...outputs.filter(({ folder }) => !folder).map(({ path }) => path),
      ...taken.map(({ path }) => firstFolder(path)),
    ],
  };
}
