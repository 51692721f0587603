import { accessSync, constants, readFileSync, realpathSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { ExecError, type Finished, run } from '../exec/index.ts';
import { Failure } from '../host/index.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The go command that the PATH leads to. */
export interface Toolchain {
  /** Absolute path of the program. */
  readonly program: string;
  /** Its own version, such as `go1.26.8`, where its folder tells it without starting it; a version manager's shim does not. */
  readonly version?: string;
  readonly root?: string;
}

/** What `go env -json` says: the toolchain that go.mod's lines select, and its folders. */
export interface GoEnvironment {
  readonly GOVERSION: string;
  readonly GOROOT: string;
  readonly GOOS: string;
  readonly GOARCH: string;
  readonly GOHOSTOS: string;
  readonly GOHOSTARCH: string;
  readonly GOCACHE: string;
  readonly GOMODCACHE: string;
  readonly GOTOOLCHAIN: string;
  readonly GOFLAGS: string;
  readonly GOWORK: string;
  readonly [name: string]: string | undefined;
}

/** Finds `go` on the PATH of `env` without starting it. */
export function findToolchain(env: Environment): Toolchain {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  const program = (env.PATH ?? env.Path ?? '')
    .split(delimiter)
    .filter(Boolean)
    .map((folder) => join(folder, `go${suffix}`))
    .find(isExecutable);
  if (program === undefined)
    throw new Failure(
      'The go command is not on the PATH; install Go (https://go.dev/dl) or add actions/setup-go before this step.',
    );
  return { program, ...ownVersion(program, env.GOROOT) };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** GOROOT/VERSION of the distribution that the program lies in: its first line is the version (go/src/cmd/dist). */
function ownVersion(program: string, goroot: string | undefined): { version?: string; root?: string } {
  // GOROOT from the environment makes the command use another tree than its own: then it has to be asked.
  if (goroot) return {};
  const root = dirname(dirname(realpathSync(program)));
  try {
    const [version = ''] = readFileSync(join(root, 'VERSION'), 'utf8').split('\n');
    return /^go\d/.test(version) ? { version, root } : {};
  } catch {
    return {};
  }
}

/** A go command in its folder and environment. */
export interface Go {
  readonly program: string;
  readonly directory: string;
  readonly env: Environment;
  readonly signal?: AbortSignal | undefined;
}

/** Runs `go` with arguments and gives what it wrote. Throws ExecError for a code that is not accepted. */
export function go(
  { program, directory, env, signal }: Go,
  args: readonly string[],
  options: {
    readonly env?: Environment;
    readonly onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
    readonly accept?: readonly number[];
    readonly keep?: number;
  } = {},
): Promise<Finished> {
  return run({
    program,
    args,
    cwd: directory,
    env: { ...env, ...options.env },
    ...(signal && { signal }),
    ...(options.onLine && { onLine: options.onLine }),
    ...(options.accept && { accept: options.accept }),
    ...(options.keep && { keep: options.keep }),
  });
}

/** Asks Go for its environment in the module's folder, which settles the toolchain as go.mod and GOTOOLCHAIN want it. */
export async function goEnvironment(tool: Go): Promise<GoEnvironment> {
  try {
    const { stdout } = await go(tool, ['env', '-json']);
    return JSON.parse(stdout.toString()) as GoEnvironment;
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const said =
      toolchainFault(error.stderr) ?? `The go command does not work here: ${firstLine(error.stderr)}.`;
    throw new Failure(said, { cause: error });
  }
}

/** The systems and processors that this Go compiles for, as `linux/amd64`. */
export async function goPorts(tool: Go): Promise<readonly string[]> {
  const { stdout } = await go(tool, ['tool', 'dist', 'list']);
  return stdout.toString().split('\n').filter(Boolean);
}

/** What the go command says about a toolchain that it cannot use, as a sentence that says what to do; undefined for other complaints. */
export function toolchainFault(stderr: string): string | undefined {
  const wants = /requires go >= (\S+) \(running go (\S+?)(?:; GOTOOLCHAIN=([^)]+))?\)/.exec(stderr);
  if (wants !== null) return tooOld(wants[1]!, wants[2]!, wants[3]);
  const download = /^go: (download go\S+.*)$/m.exec(stderr);
  return download === null
    ? undefined
    : `Go cannot fetch the toolchain that is asked for: ${download[1]!.replace(/\.$/, '')}.`;
}

/** The sentence for a Go that is older than go.mod wants. */
export function tooOld(wanted: string, version: string, setting: string | undefined): string {
  const way =
    setting === 'local'
      ? ` with GOTOOLCHAIN=local, which forbids fetching another; install Go ${wanted} or set "toolchain" to auto`
      : '';
  return `go.mod asks for Go ${wanted} and this is Go ${version.replace(/^go/, '')}${way}.`;
}

function firstLine(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 2)
    .map((line) => line.trim().replace(/^go: /, ''))
    .join(' ')
    .replace(/\.$/, '');
}

/**
 * What a reader should know about the Go that was used: that go.mod switched it, or that go.mod prefers a newer one than
 * GOTOOLCHAIN allowed. Undefined when there is nothing to say.
 */
export function toolchainNotice(
  own: string | undefined,
  used: string,
  wanted: string | undefined,
  setting: string,
): string | undefined {
  if (wanted !== undefined && compareVersions(used, wanted) < 0)
    return `go.mod prefers ${wanted}; ${used} was used because GOTOOLCHAIN is ${setting}.`;
  if (own !== undefined && own !== used) return `go.mod switched the toolchain from ${own} to ${used}.`;
  return undefined;
}

/** Compares Go versions (`go1.26.8`, `1.26`, `go1.27rc1`): negative, zero or positive. A release candidate is older than its release. */
export function compareVersions(a: string, b: string): number {
  const left = versionParts(a);
  const right = versionParts(b);
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i]! - right[i]!;
  return 0;
}

function versionParts(text: string): readonly number[] {
  const match = /^(?:go)?(\d+)\.(\d+)(?:\.(\d+))?(?:(beta|rc)(\d+))?/.exec(text);
  if (match === null) return [0, 0, 0, 0, 0];
  const [, major, minor, patch, stage, number] = match;
  return [
    Number(major),
    Number(minor),
    Number(patch ?? 0),
    stage === undefined ? 2 : stage === 'rc' ? 1 : 0,
    Number(number ?? 0),
  ];
}
