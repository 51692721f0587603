import { existsSync, lstatSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ExecError } from '../exec/index.ts';
import { Failure } from '../host/index.ts';
import {
  compareVersions,
  findToolchain,
  type Go,
  type GoEnvironment,
  go,
  goEnvironment,
} from './toolchain.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What is known of the go command of this machine, asked in a folder without a module. */
export interface MachineGo {
  readonly tool: Go;
  readonly environment: GoEnvironment;
}

/** A go command of a wanted version, or the way to one. */
export type ToolchainOf =
  /** `root` is its GOROOT. */
  | { readonly kind: 'here'; readonly program: string; readonly root: string }
  /** The go command of this machine can fetch it, as it does for a toolchain line of go.mod. */
  | { readonly kind: 'fetch'; readonly version: string }
  | { readonly kind: 'none'; readonly because: string };

/** The go command of this machine, or why there is none. `directory` is any folder that belongs to no module. */
export async function machineGo(
  env: Environment,
  directory: string,
  signal?: AbortSignal,
): Promise<MachineGo | { readonly because: string }> {
  try {
    const { program } = findToolchain(env);
    const tool: Go = { program, directory, env: { ...env, GOWORK: 'off', GOFLAGS: '' }, signal };
    return { tool, environment: await goEnvironment(tool) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { because: 'there is no go command on this machine' };
  }
}

/**
 * Looks for a release of Go, such as `go1.26.8`, as go.dev distributes it: the one on the PATH, those of the runner's tool cache, those
 * that toolchain lines or golang.org/dl have brought. One that a distribution packages may be patched and is passed over.
 */
export function toolchainOf(version: string, { tool, environment }: MachineGo): ToolchainOf {
  const roots = [
    environment.GOROOT,
    ...toolCache(version, environment, tool.env),
    ...fetched(version, environment, tool.env),
  ];
  const root = roots.find((one) => isRelease(one, version));
  if (root !== undefined) return { kind: 'here', program: join(root, 'bin', goName()), root };
  const number = version.replace(/^go/, '');
  const own = environment.GOVERSION.replace(/^go/, '').split(' ')[0];
  if (environment.GOPROXY === 'off')
    return { kind: 'none', because: `Go ${number} is not on this machine, and GOPROXY is off` };
  if (compareVersions(environment.GOVERSION, 'go1.21') < 0)
    return {
      kind: 'none',
      because: `Go ${number} is not on this machine, and Go ${own} cannot fetch another`,
    };
  return { kind: 'fetch', version };
}

/** Fetches a toolchain through the module proxy and the checksum database; gives the reason when it cannot be had. */
export async function fetchToolchain(version: string, { tool }: MachineGo): Promise<ToolchainOf> {
  try {
    const { stdout } = await go(tool, ['env', 'GOROOT'], { env: { GOTOOLCHAIN: version } });
    const root = stdout.toString().trim();
    if (isRelease(root, version)) return { kind: 'here', program: join(root, 'bin', goName()), root };
    return { kind: 'none', because: `${version} was asked for, and the go command took the one in ${root}` };
  } catch (error) {
    if (!(error instanceof ExecError) || error.reason !== 'exit') throw error;
    const said = error.stderr.trim().split('\n').at(-1) ?? '';
    return {
      kind: 'none',
      because: `Go ${version.replace(/^go/, '')} is not on this machine and cannot be fetched (${said.replace(/^go: /, '')})`,
    };
  }
}

function goName(): string {
  return process.platform === 'win32' ? 'go.exe' : 'go';
}

/** Where hosted runners name their toolchains, and the ones beside that of actions/setup-go: `…/go/1.26.8/x64`. */
function toolCache(version: string, { GOROOT }: GoEnvironment, env: Environment): string[] {
  const number = version.replace(/^go/, '');
  const [major, minor] = number.split('.');
  const named = env[`GOROOT_${major}_${minor}_${process.arch.toUpperCase()}`];
  const beside = /^(.*[\\/])\d+\.\d+(?:\.\d+)?([\\/]\w+)$/.exec(GOROOT);
  return [...(named ? [named] : []), ...(beside === null ? [] : [`${beside[1]}${number}${beside[2]}`])];
}

function fetched(version: string, environment: GoEnvironment, env: Environment): string[] {
  const { GOMODCACHE, GOHOSTOS, GOHOSTARCH } = environment;
  return [
    join(GOMODCACHE, `golang.org/toolchain@v0.0.1-${version}.${GOHOSTOS}-${GOHOSTARCH}`),
    ...(env.HOME ? [join(env.HOME, 'sdk', version)] : []),
  ];
}

/** Whether a folder is GOROOT of exactly this release: distributions link their src folder, or have no line with the release's time. */
function isRelease(root: string, version: string): boolean {
  try {
    const [first, second = ''] = readFileSync(join(root, 'VERSION'), 'utf8').split('\n');
    if (first !== version || !second.startsWith('time ')) return false;
    return (
      existsSync(join(root, 'bin', goName())) &&
      !lstatSync(join(root, 'src')).isSymbolicLink() &&
      !lstatSync(join(root, 'pkg')).isSymbolicLink()
    );
  } catch {
    return false;
  }
}
