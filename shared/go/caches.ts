import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { KeptFile, Restored } from '../cache/index.ts';
import type { GoIdentity, GoPlan } from './plan.ts';
import { PROGRAMS, Records, writeAtomically } from './record.ts';
import type { GoEnvironment } from './toolchain.ts';

/** The names of a run that a cache entry's key is made of. */
export interface CacheRun {
  readonly branch?: string | undefined;
  readonly baseBranch?: string | undefined;
  readonly defaultBranch?: string | undefined;
  /** The commit, or anything else that is new when the content is. */
  readonly sha: string;
}

/** One of the things that are kept between runs, as plain data that a post step can read. */
export interface GoCache {
  /**
   * `objects`: what the compiler made; `modules`: what was downloaded; `programs`: the programs themselves with the records that tell
   * when they are still right.
   */
  readonly kind: 'objects' | 'modules' | 'programs';
  readonly key: string;
  readonly prefixes: readonly string[];
  /** Absolute path of the folder that the files lie in. */
  readonly folder: string;
  /** Module and version of each module file; only for modules. */
  readonly sums: readonly string[];
}

/** Times that restored objects get: older than the hour within which Go does not note a use, younger than the five days after which it trims. */
const BACKDATED = 25 * 3_600_000;

/** The time to give to restored files, so that a use shows: Go then sets their time to that of the use (cmd/go/internal/cache, used). */
export function backdated(now: number): Date {
  return new Date(now - BACKDATED);
}

/** What a restored entry held, to tell later what was gained. */
export interface RestoredCache {
  readonly cache: GoCache;
  /** Milliseconds since 1970 before the restore. */
  readonly since: number;
  readonly exact: boolean;
  /** All of it was on this machine before, so that nothing was asked of the store. */
  readonly local?: boolean;
  /** Sizes of the restored files by name; empty when nothing was restored. */
  readonly files: Readonly<Record<string, number>>;
}

export function restoredCache(cache: GoCache, since: number, result: Restored): RestoredCache {
  const files = result.kind === 'restored' ? result.files : [];
  return {
    cache,
    since,
    exact: result.kind === 'restored' && result.exact,
    files: Object.fromEntries(files.map(({ name, size }) => [name, size])),
  };
}

/** Programs and records of earlier runs: enough to do nothing on a fresh machine when nothing changed. Needs no go command. */
export function programsCache({ module, goVersion, request }: GoIdentity, run: CacheRun): GoCache {
  const { packages = [], targets = [], flags = {}, output = {} } = request;
  const identity = hash([module.path, goVersion, packages, targets, flags, output]);
  const keys = keysOf(`slipway-go-programs-v1-${identity}`, run);
  return { kind: 'programs', ...keys, folder: new Records(module.root).folder, sums: [] };
}

/** Compiled packages, for this machine's system, Go version and everything that decides whether an object can be used again. */
export function objectsCache(plan: GoPlan, environment: GoEnvironment, run: CacheRun): GoCache {
  const { ldflags: _, ...compiled } = plan.flags;
  const targets = plan.programs.map(({ platform, package: { importPath } }) => `${platform} ${importPath}`);
  return objectsCacheOf([plan.module.path, compiled, plan.settings, targets], environment, run);
}

/**
 * The same for a build that has no plan, such as one of a Dockerfile; `what` tells it from other builds of the repository. Builds that
 * differ in their `variant` alone start from each other's objects where they have none of their own.
 */
export function objectsCacheOf(
  what: readonly unknown[],
  environment: Pick<GoEnvironment, 'GOHOSTOS' | 'GOHOSTARCH' | 'GOVERSION' | 'GOCACHE'>,
  run: CacheRun,
  variant?: readonly unknown[],
): GoCache {
  const { GOHOSTOS, GOHOSTARCH, GOVERSION, GOCACHE } = environment;
  const identity = hash(what);
  const base = `slipway-go-objects-v1-${GOHOSTOS}-${GOHOSTARCH}-${GOVERSION}-${identity}`;
  const keys = keysOf(base, run, variant === undefined ? '' : `${hash(variant)}.`);
  return { kind: 'objects', ...keys, folder: GOCACHE, sums: [] };
}

/** Downloaded modules, keyed by go.sum. Undefined for a module that downloads nothing: a vendored one, or one without dependencies. */
export function modulesCache(
  plan: {
    readonly module: Pick<GoPlan['module'], 'root' | 'path' | 'workspace'>;
    readonly flags: { readonly mod: string };
  },
  environment: Pick<GoEnvironment, 'GOMODCACHE'>,
): GoCache | undefined {
  const { root, path, workspace } = plan.module;
  if (existsSync(join(root, 'vendor', 'modules.txt')) && plan.flags.mod !== 'mod') return undefined;
  const files = [
    join(root, 'go.sum'),
    ...(workspace === undefined ? [] : [`${workspace}.sum`, ...sumsBeside(workspace)]),
  ];
  const sums = [
    ...new Set(files.filter((file) => existsSync(file)).flatMap((file) => readSums(file))),
  ].sort();
  if (sums.length === 0) return undefined;
  const base = `slipway-go-modules-v1-${hash([path])}-`;
  const folder = join(environment.GOMODCACHE, 'cache', 'download');
  return { kind: 'modules', key: `${base}${hash(sums)}`, prefixes: [base], folder, sums };
}

/** go.sum files of the modules that go.work uses. */
function sumsBeside(workspace: string): string[] {
  const used = [
    ...readFileSync(workspace, 'utf8').matchAll(
      /^\s*(?:use\s+)?"?(\.{1,2}(?:\/[^\s")]*)?)"?\s*(?:\/\/.*)?$/gm,
    ),
  ];
  return used.map((match) => join(dirname(workspace), match[1]!, 'go.sum'));
}

/** Lines `path version h1:…` as `path version`; versions end in /go.mod where only that file was needed. */
function readSums(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [path, version, sum] = line.trim().split(/\s+/);
      return path && version && sum?.startsWith('h1:') ? [`${path} ${version}`] : [];
    });
}

/**
 * Whether all that go.sum lists, or all that the entry of this key is known to hold, is on this machine already: then there is nothing
 * to restore. go.sum lists more than a build downloads, such as what only the tests of modules need.
 */
export function isComplete(cache: GoCache): boolean {
  const { kind, folder, sums } = cache;
  if (kind !== 'modules') return false;
  const here = (files: readonly string[]) => files.every((file) => existsSync(join(folder, file)));
  return here(sums.map(fileOfSum)) || here(heldFiles(cache) ?? ['?']);
}

/** Beside the downloads, so that it goes when they go. */
function noteOfHeld({ folder, key }: GoCache): string {
  return join(dirname(folder), 'slipway', `${hash(key)}.json`);
}

function heldFiles(cache: GoCache): readonly string[] | undefined {
  try {
    const files: unknown = JSON.parse(readFileSync(noteOfHeld(cache), 'utf8'));
    return Array.isArray(files) && files.every((file) => typeof file === 'string') ? files : undefined;
  } catch {
    return undefined;
  }
}

/** Remembers on this machine what the entry of the cache's own key holds. Where that cannot be written, it is restored again. */
export function noteHeld(cache: GoCache, result: Restored): void {
  if (cache.kind !== 'modules' || result.kind !== 'restored' || !result.exact) return;
  const note = noteOfHeld(cache);
  const names = result.files.map(({ name }) => name).filter((name) => !name.endsWith('.ziphash'));
  try {
    mkdirSync(dirname(note), { recursive: true });
    writeAtomically(note, JSON.stringify(names));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}

/**
 * What a line `go: downloading path version` is about: Go writes it for a zip that it has and whose hash it has to compute, too.
 * Undefined for other lines.
 */
export function announcedModule(
  line: string,
  moduleCache: string,
  started: number,
): { readonly module: string; readonly downloaded: boolean } | undefined {
  const module = /^go: downloading (\S+ \S+)$/.exec(line)?.[1];
  if (module === undefined) return undefined;
  const zip = statSync(join(moduleCache, 'cache', 'download', fileOfSum(module)), { throwIfNoEntry: false });
  return { module, downloaded: zip === undefined || zip.mtimeMs >= started };
}

function fileOfSum(sum: string): string {
  const [path, version] = sum.split(' ') as [string, string];
  const name = version.endsWith('/go.mod') ? `${version.slice(0, -'/go.mod'.length)}.mod` : `${version}.zip`;
  return `${escaped(path)}/@v/${escaped(name)}`;
}

/** The module proxy's way to write upper case (golang.org/ref/mod, "Module proxies"). */
function escaped(path: string): string {
  return path.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`);
}

/**
 * A key of the run's branch, and the beginnings of what it may restore: its own, its base's and the default branch's. GitHub's service
 * holds to that by itself; a folder that runners share does not, and a feature branch must not hand programs to the default branch.
 */
function keysOf(base: string, run: CacheRun, variant = ''): { key: string; prefixes: string[] } {
  const others = [run.baseBranch, run.defaultBranch].filter((one): one is string => Boolean(one));
  const branches = [run.branch ?? 'detached', ...others].map((branch) => `${base}-${branchPart(branch)}~`);
  const prefixes = [...branches.map((branch) => branch + variant), ...branches];
  return { key: `${prefixes[0]}${run.sha}`, prefixes: [...new Set(prefixes)] };
}

/** A branch in characters that every store takes. `~` and `^` are none that a branch can hold: no other branch's part begins like it. */
function branchPart(branch: string): string {
  const plain = branch.replace(/[^\w./-]/g, '_').slice(0, 80);
  return plain === branch ? plain : `${plain}^${hash(branch).slice(0, 8)}`;
}

function hash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 16);
}

/** The files that an entry should hold: what this run used or made, and nothing of what others left behind. */
export function filesToKeep({ cache, since }: RestoredCache): KeptFile[] {
  if (cache.kind === 'objects') return usedObjects(cache.folder, since);
  if (cache.kind === 'modules') return moduleFiles(cache);
  return programFiles(cache.folder);
}

/** Go notes the use of an object only when its time is older than this (cmd/go/internal/cache, mtimeInterval). */
const UNNOTED = 3_600_000;

/**
 * Objects that this run made or used. One that was less than an hour old when the run began shows no use: an earlier step of the job
 * made it, or another build on this machine. It is kept, for it may be what everything hangs on.
 */
function usedObjects(folder: string, since: number): KeptFile[] {
  const kept: KeptFile[] = [];
  for (const part of readdirSync(folder)) {
    if (!/^[0-9a-f]{2}$/.test(part)) continue;
    for (const name of readdirSync(join(folder, part))) {
      const path = join(folder, part, name);
      if (!/^[0-9a-f]{64}-[ad]$/.test(name)) continue;
      const stats = statSync(path, { throwIfNoEntry: false });
      if (stats?.isFile() && stats.mtimeMs >= since - UNNOTED - 1000)
        kept.push({ name: `${part}/${name}`, path });
    }
  }
  return kept;
}

/**
 * What `go mod download` fetched for the modules in go.sum. The zips, not the unpacked sources: Go verifies and unpacks those that a
 * build reads, in less time than it takes to restore all, and nothing is missing for whoever needs another package of them. Without
 * their .ziphash, which Go would believe: so it computes each zip's hash and compares it with go.sum.
 */
function moduleFiles({ folder, sums }: GoCache): KeptFile[] {
  const names = sums.flatMap((sum) => {
    const file = fileOfSum(sum);
    if (file.endsWith('.mod')) return [file, file.replace(/\.mod$/, '.info')];
    return [file, file.replace(/\.zip$/, '.info'), file.replace(/\.zip$/, '.mod')];
  });
  return [...new Set(names)]
    .map((name) => ({ name, path: join(folder, name) }))
    .filter(({ path }) => existsSync(path));
}

/** Removes hashes that an entry brought along in spite of that. */
export function forgetHashes({ kind, folder }: GoCache, result: Restored): void {
  if (kind !== 'modules' || result.kind !== 'restored') return;
  for (const { name } of result.files)
    if (name.endsWith('.ziphash')) rmSync(join(folder, name), { force: true });
}

/** Records, and the programs that they tell of under the names of their digests. */
function programFiles(folder: string): KeptFile[] {
  const records = readdirSync(folder)
    .filter((name) => /^(program|packages)-[0-9a-f]+\.json$/.test(name))
    .map((name) => ({ name, path: join(folder, name) }));
  const programs = new Records(dirname(dirname(folder))).all().map(({ record, output }) => ({
    name: `${PROGRAMS}/${record.digest.slice('sha256:'.length)}`,
    path: output,
  }));
  return [...records, ...new Map(programs.map((file) => [file.name, file])).values()].filter(({ path }) =>
    existsSync(path),
  );
}

/** Whether what would be kept is worth an upload, and why. */
export type Gain =
  | { readonly kind: 'save'; readonly because: string }
  | { readonly kind: 'skip'; readonly because: string };

/** New content below this share of the whole costs the next run less to make again than this one to store. */
const WORTH = 0.01;
const WORTH_BYTES = 8 * 2 ** 20;
/** An entry of which this share is dead weight is stored anew although nothing was gained. */
const DEAD = 0.25;

/** Compares what there is with what was restored. */
export function gainOf(
  restored: RestoredCache,
  kept: readonly { readonly name: string; readonly size: number }[],
): Gain {
  if (kept.length === 0) return { kind: 'skip', because: 'there is nothing to keep' };
  if (restored.local) return { kind: 'skip', because: 'all of it was on this machine before' };
  if (restored.exact) return { kind: 'skip', because: 'the entry of this key is there already' };
  // Small, and wanted only by runs that built something.
  if (restored.cache.kind === 'programs') return { kind: 'save', because: 'programs were built' };
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0);
  const total = sum(kept.map(({ size }) => size));
  const before = sum(Object.values(restored.files));
  if (before === 0) return { kind: 'save', because: 'nothing was restored' };
  const gained = sum(kept.filter(({ name }) => restored.files[name] === undefined).map(({ size }) => size));
  const dead = before - (total - gained);
  const worth =
    restored.cache.kind === 'objects' ? gained > Math.min(total * WORTH, WORTH_BYTES) : gained > 0;
  if (worth) return { kind: 'save', because: `${share(gained, total)} of it is new` };
  if (dead > before * DEAD)
    return { kind: 'save', because: `${share(dead, before)} of the restored entry was not used` };
  return {
    kind: 'skip',
    because: gained === 0 ? 'nothing was gained' : `only ${share(gained, total)} of it is new`,
  };
}

function share(part: number, whole: number): string {
  const percent = (100 * part) / Math.max(1, whole);
  return `${percent < 1 ? percent.toFixed(1) : Math.round(percent)} %`;
}
