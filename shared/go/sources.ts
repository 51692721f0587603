import { dirname, isAbsolute, join, relative, sep } from 'node:path';
import type { SettledFlags } from './flags.ts';
import { parseStream } from './packages.ts';
import { type Target, targetEnvironment } from './target.ts';
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
  /** Packages outside of the distribution whose C code a build without cgo leaves out; asked for only where nobody chose. */
  readonly withoutC?: readonly string[];
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
    /** Whether to look for packages whose C code is left out. */
    readonly findC: boolean;
    readonly onLine?: (line: string) => void;
  },
): Promise<SourceMap> {
  const env = { ...targetEnvironment(options.target), CGO_ENABLED: options.flags.cgo ? '1' : '0' };
  const { stdout } = await go(
    tool,
    ['list', '-e', '-deps', `-json=${FIELDS}`, ...options.loading, '--', options.package],
    { env, keep: 2 ** 30, onLine: (line, stream) => stream === 'stderr' && options.onLine?.(line) },
  );
  const map = sourceMap(parseStream<ListedPackage>(stdout.toString()), options);
  const withoutC = options.findC && !options.flags.cgo ? await packagesWithC(tool, options) : [];
  return withoutC.length === 0 ? map : { ...map, withoutC };
}

/** The packages that would have C code if cgo were on. No C compiler is needed to ask. */
async function packagesWithC(
  tool: Go,
  {
    package: main,
    target,
    loading,
  }: { readonly package: string; readonly target: Target; readonly loading: readonly string[] },
): Promise<string[]> {
  const format = '{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}';
  const { stdout } = await go(tool, ['list', '-e', '-deps', '-f', format, ...loading, '--', main], {
    env: { ...targetEnvironment(target), CGO_ENABLED: '1' },
    keep: 2 ** 20,
  });
  return stdout.toString().split('\n').filter(Boolean);
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
