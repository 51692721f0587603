import { existsSync, readdirSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { type FileDigests, Key, type KeyDifference, type KeyPart } from '../content/index.ts';
import { embeddedFiles } from './embed.ts';
import { settingsFor } from './environment.ts';
import type { SettledFlags } from './flags.ts';
import { parseStream } from './packages.ts';
import { excludedByName, isSourceFile } from './source-files.ts';
import { formatTarget, type Target, targetEnvironment } from './target.ts';
import { type Go, go } from './toolchain.ts';

/**
 * Where the files of a build lie, as the last `go list` saw it. The files themselves say when this is out of date: an import or a
 * pattern can be added only by changing one of them.
 */
export interface SourceMap {
  /** Folders of the packages that are not in the module cache or the distribution, relative to the module's root. */
  readonly packages: readonly { readonly directory: string; readonly embeds: readonly string[] }[];
  /** Files that settle which modules are used, relative to the module's root. */
  readonly modules: readonly string[];
  /** Why an equal key would not prove an equal program; undefined when it does. */
  readonly unkeyed?: string;
}

interface ListedPackage {
  readonly ImportPath: string;
  readonly Dir?: string;
  readonly Standard?: boolean;
  readonly CgoFiles?: readonly string[];
  readonly SwigFiles?: readonly string[];
  readonly EmbedPatterns?: readonly string[];
  readonly Module?: {
    readonly Path: string;
    readonly Main?: boolean;
    readonly GoMod?: string;
    readonly Replace?: { readonly GoMod?: string };
  };
}

const FIELDS = 'ImportPath,Dir,Standard,CgoFiles,SwigFiles,EmbedPatterns,Module';

/**
 * Asks Go which packages the program is made of. Downloads the modules that are missing on the way, once for all targets when the
 * first is asked alone.
 */
export async function listSources(
  tool: Go,
  options: {
    readonly root: string;
    readonly moduleCache: string;
    readonly package: string;
    readonly target: Target;
    readonly workspace: string | undefined;
    readonly flags: SettledFlags;
    readonly loading: readonly string[];
    readonly onLine?: (line: string) => void;
  },
): Promise<SourceMap> {
  const env = { ...targetEnvironment(options.target), CGO_ENABLED: options.flags.cgo ? '1' : '0' };
  const { stdout } = await go(
    tool,
    ['list', '-e', '-deps', `-json=${FIELDS}`, ...options.loading, '--', options.package],
    { env, keep: 2 ** 30, onLine: (line, stream) => stream === 'stderr' && options.onLine?.(line) },
  );
  return sourceMap(parseStream<ListedPackage>(stdout.toString()), options);
}

function sourceMap(
  listed: readonly ListedPackage[],
  {
    root,
    moduleCache,
    flags,
    workspace,
  }: {
    readonly root: string;
    readonly moduleCache: string;
    readonly flags: SettledFlags;
    readonly workspace: string | undefined;
  },
): SourceMap {
  const local = listed.filter(
    (one) => one.Standard !== true && one.Dir !== undefined && !within(moduleCache, one.Dir),
  );
  const goMods = local.flatMap((one) => one.Module?.Replace?.GoMod ?? one.Module?.GoMod ?? []);
  const roots = [root, ...goMods.filter((file) => !within(moduleCache, file)).map((file) => dirname(file))];
  const modules = new Set(roots.flatMap((folder) => ['go.mod', 'go.sum'].map((name) => join(folder, name))));
  modules.add(join(root, 'vendor', 'modules.txt'));
  if (workspace !== undefined) {
    modules.add(workspace);
    modules.add(`${workspace}.sum`);
    modules.add(join(dirname(workspace), 'vendor', 'modules.txt'));
  }
  const unkeyed = unkeyedBecause(listed, local, flags);
  return {
    packages: local.map((one) => ({ directory: shown(root, one.Dir!), embeds: one.EmbedPatterns ?? [] })),
    modules: [...modules].map((file) => shown(root, file)).sort(),
    ...(unkeyed && { unkeyed }),
  };
}

/** What decides over the program beside files, flags and Go's version. */
function unkeyedBecause(
  listed: readonly ListedPackage[],
  local: readonly ListedPackage[],
  flags: SettledFlags,
): string | undefined {
  const foreign = listed.find((one) => (one.CgoFiles?.length ?? 0) > 0 || (one.SwigFiles?.length ?? 0) > 0);
  if (foreign !== undefined)
    return `cgo is on and ${foreign.ImportPath} uses it: the C compiler and its libraries are not part of the key`;
  const outside = /(?:^|\s)--?(linkmode|extld|extldflags|extar|L|importcfg|tmpdir)\b/.exec(flags.ldflags);
  if (outside !== null) return `ldflags use -${outside[1]}, which brings in files outside of the key`;
  const extra = flags.extra.find((flag) =>
    /^--?(overlay|toolexec|modfile|pkgdir|compiler|gccgoflags)\b/.test(flag),
  );
  if (extra !== undefined) return `the flag ${extra} brings in files outside of the key`;
  const mains = new Set(local.filter((one) => one.Module?.Main === true).map((one) => one.Module!.Path));
  const nested = listed.find((one) =>
    [...mains].some((path) => one.ImportPath.startsWith(`${path}/`) && !local.includes(one)),
  );
  if (nested !== undefined)
    return `${nested.ImportPath} lies in a module of its own inside of the main module's path, where a new folder could take its place`;
  return undefined;
}

function within(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
}

function shown(root: string, path: string): string {
  return relative(root, path).split(sep).join('/') || '.';
}

/** All that decides over a program's bytes besides its source files. */
export interface BuildConditions {
  readonly root: string;
  readonly package: { readonly importPath: string; readonly directory: string };
  readonly target: Target;
  readonly flags: SettledFlags;
  /** Version of the go command itself; go.mod's lines, which are part of the key, settle what it switches to. */
  readonly goVersion: string;
  readonly settings: Readonly<Record<string, string>>;
  /** The commit and whether files differ from it, where Go records them in the program. */
  readonly vcs: string | undefined;
  /** Absolute folders that get into the program when paths are not trimmed. */
  readonly folders: readonly string[];
}

/** The key of a program: equal keys mean equal bytes, as far as `sources.unkeyed` does not say otherwise. */
export function programKey(conditions: BuildConditions, sources: SourceMap, digests: FileDigests): Key {
  const { root, target, flags } = conditions;
  const { tags, trimpath, ...others } = flags;
  return Key.of({
    scheme: 1,
    go: conditions.goVersion,
    target: formatTarget(target),
    package: conditions.package.importPath,
    flags: { ...others, tags, trimpath },
    settings: settingsFor(conditions.settings, Object.keys(targetEnvironment({ ...target, variant: '-' }))),
    vcs: flags.buildvcs === 'off' ? null : (conditions.vcs ?? null),
    folders: trimpath ? [] : conditions.folders,
    modules: moduleFiles(root, sources, digests),
    profile: profileDigest(conditions, digests),
    files: sourceFiles(root, sources, target, tagsInForce(tags, conditions.settings), digests),
  });
}

function tagsInForce(tags: readonly string[], settings: Readonly<Record<string, string>>): readonly string[] {
  return [...tags, ...(settings.GOFLAGS ?? '').split(/[\s,='"]+/)];
}

function moduleFiles(root: string, sources: SourceMap, digests: FileDigests): Record<string, KeyPart> {
  const files = new Set(sources.modules);
  // A go.mod that appears between a package and its module's root takes the package out of the module.
  for (const { directory } of sources.packages)
    for (
      let folder = directory;
      folder !== '.' && folder !== '..' && !folder.endsWith('/..');
      folder = dirname(folder)
    )
      files.add(`${folder}/go.mod`);
  const named = [...files]
    .sort()
    .map((file) => [file, digests.digest(resolve(root, file), { through: true })] as const);
  return Object.fromEntries(named.filter((one): one is [string, string] => one[1] !== undefined));
}

function profileDigest({ package: main, flags, root }: BuildConditions, digests: FileDigests): string | null {
  if (flags.pgo === 'off') return null;
  const file = flags.pgo === 'auto' ? join(main.directory, 'default.pgo') : resolve(root, flags.pgo);
  return digests.digest(file, { through: true }) ?? null;
}

function sourceFiles(
  root: string,
  sources: SourceMap,
  target: Target,
  tags: readonly string[],
  digests: FileDigests,
): Record<string, KeyPart> {
  const files: Record<string, KeyPart> = {};
  const add = (file: string) => {
    // go list follows a link to a file in a package's folder, but not one to a folder.
    const digest = digests.digest(resolve(root, file), { through: true });
    if (digest !== undefined) files[file] = digest;
  };
  for (const { directory, embeds } of sources.packages) {
    const prefix = directory === '.' ? '' : `${directory}/`;
    for (const name of namesIn(resolve(root, directory)))
      if (isSourceFile(name) && !excludedByName(name, target, tags)) add(prefix + name);
    for (const pattern of embeds)
      for (const file of embeddedFiles(resolve(root, directory), pattern)) add(prefix + file);
  }
  return files;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

/** One phrase for why a program must be built: the first part of its key that differs from the last one's, in the user's words. */
export function explainDifferences(differences: readonly KeyDifference[]): string {
  const [first, ...rest] = [...differences].sort((a, b) => weight(a) - weight(b));
  if (first === undefined) return 'nothing changed';
  const files = rest.filter((one) => one.path[0] === 'files' || one.path[0] === 'modules').length;
  const more =
    rest.length === 0
      ? ''
      : `, and ${rest.length} more ${files === rest.length ? plural('file', files) : plural('difference', rest.length)}`;
  return `${phrase(first)}${more}`;
}

function plural(word: string, count: number): string {
  return count === 1 ? word : `${word}s`;
}

// A new Go explains everything behind it; a changed file is the most common and the least surprising.
const ORDER = [
  'scheme',
  'go',
  'target',
  'package',
  'flags',
  'settings',
  'profile',
  'folders',
  'modules',
  'files',
  'vcs',
];

function weight(difference: KeyDifference): number {
  return ORDER.indexOf(difference.path[0]!);
}

function phrase({ path, before, after }: KeyDifference): string {
  const [kind, name = ''] = path;
  const change = `${show(before)} → ${show(after)}`;
  switch (kind) {
    case 'files':
    case 'modules':
      return before === undefined
        ? `${name} is new`
        : after === undefined
          ? `${name} is gone`
          : `${name} changed`;
    case 'flags':
      return `${name} changed: ${change}`;
    case 'settings':
      return `the environment's ${name} changed: ${change}`;
    case 'go':
      return `Go changed: ${change}`;
    case 'profile':
      return before === null
        ? 'there is a profile (PGO)'
        : after === null
          ? 'the profile (PGO) is gone'
          : 'the profile (PGO) changed';
    case 'vcs':
      return 'the commit that Go records in the program changed';
    case 'folders':
      return 'the folders changed, and they are part of the program without trimpath';
    case 'scheme':
      return 'this version of Slipway keys programs in another way';
    default:
      return `${path.join('.')} changed: ${change}`;
  }
}

function show(part: KeyPart | undefined): string {
  if (part === undefined || part === null || part === '') return 'none';
  if (Array.isArray(part))
    return part.length === 0 ? 'none' : part.map((one) => show(one as KeyPart)).join(',');
  return typeof part === 'string' ? part : JSON.stringify(part);
}

/** The files of the program by name, for copying a build elsewhere. */
export function filesOf(key: Key): readonly string[] {
  const { files, modules } = key.parts as { files: Record<string, string>; modules: Record<string, string> };
  return [...Object.keys(modules), ...Object.keys(files)];
}
