import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isAbsolute, join, relative, sep } from 'node:path';
import { ExecError } from '../exec/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import { isSourceFile, packageClause } from './source-files.ts';
import { type Go, go, toolchainFault } from './toolchain.ts';

/** A main package to build. */
export interface MainPackage {
  readonly importPath: string;
  /** Absolute path of its folder. */
  readonly directory: string;
  /** How people name it: its folder relative to the working directory, such as `./cmd/storefront`. */
  readonly name: string;
}

interface Listed {
  readonly ImportPath: string;
  readonly Name?: string;
  readonly Dir?: string;
  readonly Error?: { readonly Err: string };
}

/** Writes a package as the go command wants it: a folder without the leading `./` is not an import path. */
export function packagePattern(given: string, directory: string): string {
  if (given.startsWith('-'))
    throw new Failure(`Package "${given}" starts with a dash; give flags through their own inputs.`);
  if (given.startsWith('.') || isAbsolute(given)) return given;
  const folder = given.replace(/\/?\.\.\.$/, '');
  return folder === '' || existsSync(join(directory, folder)) ? `./${given}` : given;
}

/**
 * The main packages that the patterns name; no pattern: all in the working directory and below. Asks `go list`, which settles build
 * constraints; first without modules, since it would download every one that the packages import, and after `beforeDownloads` where
 * that is no answer. A pattern that names no main package is a Failure with the nearest that is one.
 */
export async function listMains(
  tool: Go,
  given: readonly string[],
  args: readonly string[],
  beforeDownloads: () => Promise<void> = async () => {},
): Promise<MainPackage[]> {
  const patterns = given.map((one) => packagePattern(one, tool.directory));
  const asked = patterns.length === 0 ? ['./...'] : patterns;
  let listed = await listWithoutModules(tool, asked, args);
  if (listed === undefined) {
    await beforeDownloads();
    listed = await goList(tool, asked, args);
  }
  const mains = listed.filter((one) => one.Name === 'main' && one.Dir !== undefined);
  const suggestions = async () => (await goList(tool, ['./...'], args)).filter((one) => one.Name === 'main');
  for (const [i, pattern] of patterns.entries()) {
    if (pattern.includes('...')) continue;
    const found = listed.find((one) => names(one, pattern, tool.directory));
    if (found?.Name !== 'main') throw notMain(given[i]!, found, await suggestions(), tool.directory);
  }
  if (mains.length === 0)
    throw noMains(given, listed, patterns.length === 0 ? [] : await suggestions(), tool.directory);
  return mains
    .map((one) => ({
      importPath: one.ImportPath,
      directory: one.Dir!,
      name: shownName(one, tool.directory),
    }))
    .sort((a, b) => (a.importPath < b.importPath ? -1 : 1));
}

/**
 * What `go list` says of the packages in the module's own folders while it may fetch nothing. Undefined where that may not be all:
 * a pattern can match packages of other modules, -mod=mod would change go.mod for want of them, or Go complains of anything.
 */
async function listWithoutModules(
  tool: Go,
  patterns: readonly string[],
  args: readonly string[],
): Promise<Listed[] | undefined> {
  const elsewhere = (pattern: string) =>
    !pattern.startsWith('.') &&
    !isAbsolute(pattern) &&
    (pattern.includes('...') || /^(all|std|cmd|tool|work)$/.test(pattern));
  if (patterns.some(elsewhere) || [...args, tool.env.GOFLAGS ?? ''].some((word) => /-mod[= ]mod/.test(word)))
    return undefined;
  // GONOPROXY: private modules are fetched past the proxy.
  const env = { ...tool.env, GOPROXY: 'off', GONOPROXY: 'none' };
  try {
    const listed = await goList({ ...tool, env }, patterns, args);
    return listed.some((one) => one.Error !== undefined) ? undefined : listed;
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

async function goList(tool: Go, patterns: readonly string[], args: readonly string[]): Promise<Listed[]> {
  const fields = '-json=ImportPath,Name,Dir,Error';
  try {
    const { stdout } = await go(tool, ['list', '-e', '-find', fields, ...args, '--', ...patterns]);
    return parseStream<Listed>(stdout.toString());
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const said = toolchainFault(error.stderr);
    throw new Failure(
      said ?? `Go cannot list the packages in ${tool.directory}: ${firstLines(error.stderr)}.`,
      {
        cause: error,
      },
    );
  }
}

function firstLines(stderr: string): string {
  const lines = stderr
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^go: (downloading|finding)/.test(line));
  return lines
    .slice(0, 3)
    .map((line) => line.replace(/^go: /, '').trim())
    .join(' ');
}

/** Objects one after the other, as `go list -json` and `go version -m -json` write them: each ends with a `}` of its own line. */
export function parseStream<T>(text: string): T[] {
  return text
    .split(/(?<=^\})\r?\n/m)
    .filter((part) => part.trim() !== '')
    .map((part) => JSON.parse(part) as T);
}

function names(one: Listed, pattern: string, directory: string): boolean {
  if (one.ImportPath === pattern) return true;
  const folder = pattern.startsWith('.') ? join(directory, pattern) : pattern;
  return one.Dir !== undefined && relative(one.Dir, folder) === '';
}

function shownName(one: Listed, directory: string): string {
  const path = relative(directory, one.Dir ?? '')
    .split(sep)
    .join('/');
  if (path === '') return '.';
  return path.startsWith('..') ? one.ImportPath : `./${path}`;
}

function notMain(
  given: string,
  found: Listed | undefined,
  mains: readonly Listed[],
  directory: string,
): Failure {
  const candidates = mains.map((one) => shownName(one, directory));
  const known = found?.Name !== undefined && found.Name !== '';
  const what = known
    ? `is package ${found.Name}, not a program (package main)`
    : 'is not found, or has no Go files for this target';
  return new Failure(
    `Package "${given}" ${what}.${didYouMean(given, candidates) || hint(candidates)}`,
    known || found?.Error === undefined ? {} : { cause: new Error(found.Error.Err) },
  );
}

function noMains(
  given: readonly string[],
  listed: readonly Listed[],
  mains: readonly Listed[],
  directory: string,
): Failure {
  const broken = listed.find(
    (one) => one.Error !== undefined && !/build constraints exclude all/.test(one.Error.Err),
  );
  const reason = broken === undefined ? '' : ` Go says: ${firstLines(broken.Error!.Err)}.`;
  const where = given.length === 0 ? `in ${directory} or below it` : `at ${given.join(', ')}`;
  return new Failure(
    `There is no program (package main) ${where}.${hint(mains.map((one) => shownName(one, directory)))}${reason}`,
  );
}

function hint(candidates: readonly string[]): string {
  if (candidates.length === 0) return '';
  return ` Programs here: ${candidates.slice(0, 8).join(', ')}${candidates.length > 8 ? ', …' : ''}.`;
}

/**
 * What can make a folder a main package, without asking Go: every file with a `package main` clause, with a digest of the part that
 * holds its build constraints. While this is unchanged, `go list` would name the same packages as the last time.
 */
export function mainCandidates(directory: string): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (folder: string, path: string) => {
    const entries = readdirSync(folder, { withFileTypes: true });
    if (path !== '' && entries.some((entry) => entry.name === 'go.mod')) return;
    for (const entry of entries) {
      const name = path === '' ? entry.name : `${path}/${entry.name}`;
      if (entry.isDirectory()) {
        if (!/^[._]|^(testdata|vendor|node_modules)$/.test(entry.name)) visit(join(folder, entry.name), name);
      } else if (entry.name.endsWith('.go') && isSourceFile(entry.name)) {
        const header = mainHeader(join(folder, entry.name));
        if (header !== undefined)
          found[name] = createHash('sha256').update(header).digest('hex').slice(0, 16);
      }
    }
  };
  visit(directory, '');
  return found;
}

function mainHeader(file: string): string | undefined {
  const clause = packageClause(readFileSync(file, 'utf8'));
  return clause?.name === 'main' ? clause.header : undefined;
}
