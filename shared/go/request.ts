import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { didYouMean, Failure } from '../host/index.ts';
import type { GoFlags, SettledFlags } from './flags.ts';
import type { OutputNaming } from './output.ts';
import type { MainPackage } from './packages.ts';
import type { Target } from './target.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** What to build. Only `directory` has no default. */
export interface GoBuildRequest {
  /** Absolute path of the folder in which go runs; packages and outputs are relative to it. */
  readonly directory: string;
  /** Absolute path of the folder that locations in messages are relative to; default: the module's root. */
  readonly workspace?: string;
  /** Patterns as for `go build`; default: every main package in the folder and below. */
  readonly packages?: readonly string[];
  /** `os/arch` or `os/arch/variant`; default: this machine's. */
  readonly targets?: readonly string[];
  readonly flags?: Partial<GoFlags>;
  /** More variables for the go command. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Value for GOTOOLCHAIN: `auto`, `local` or a version; default: as the environment has it. */
  readonly toolchain?: string;
  readonly output?: Partial<OutputNaming>;
  /** The absolute path of each program, in place of `output`. */
  readonly outputPath?: (program: { readonly package: MainPackage; readonly target: Target }) => string;
  /** false: build although nothing changed. */
  readonly reuse?: boolean;
  /** Builds at once; default: as many as cores and memory allow. */
  readonly jobs?: number;
  /** Bytes that no program may exceed. */
  readonly maxSize?: number;
  /** Write a CycloneDX bill of materials beside each program, as `<program>.cdx.json`; default: false. */
  readonly sbom?: boolean;
  /** Absolute path of a file in the format of sha256sum; default: none. */
  readonly checksums?: string;
  /** Build a second time in another folder with an empty cache, and compare the bytes. */
  readonly verify?: boolean;
  /** What the run knows of the commit's names, since a runner checks out a bare commit. */
  readonly known?: { readonly tag?: string | undefined; readonly branch?: string | undefined };
}

/** Throws a Failure for what can be seen to be wrong without looking at the module. */
export function checkRequest(request: GoBuildRequest): void {
  const { directory, packages = [], environment = {}, toolchain, jobs } = request;
  if (!existsSync(directory)) throw new Failure(`The working directory ${directory} does not exist.`);
  if (!statSync(directory).isDirectory()) throw new Failure(`The working directory ${directory} is a file.`);
  for (const one of packages)
    if (one.endsWith('.go'))
      throw new Failure(`Package "${one}" is a file; name the folder that it lies in.`);
  for (const name of Object.keys(environment)) checkVariable(name);
  if (toolchain && !/^(auto|local|path|(go\d[\w.]*)(\+(auto|path))?)$/.test(toolchain))
    throw new Failure(
      `Toolchain "${toolchain}" is none; accepted are auto, local and a version such as go1.26.8.${didYouMean(toolchain, ['auto', 'local'])}`,
    );
  if (request.verify === true && (request.flags?.buildvcs ?? 'off') !== 'off')
    throw new Failure(
      '"verify" builds from a copy that is no git checkout, so set "buildvcs" to off, or "verify" to false.',
    );
  if (jobs !== undefined && (!Number.isInteger(jobs) || jobs < 1))
    throw new Failure(`Jobs are ${jobs}; accepted is a whole number from 1.`);
}

/** Variables that would quietly contradict an input. */
const OWN_VARIABLES: Readonly<Record<string, string>> = {
  GOOS: 'targets',
  GOARCH: 'targets',
  CGO_ENABLED: 'cgo',
  GOTOOLCHAIN: 'toolchain',
};

function checkVariable(name: string): void {
  if (!/^[A-Za-z_]\w*$/.test(name)) throw new Failure(`"${name}" is no name of an environment variable.`);
  const input = OWN_VARIABLES[name];
  if (input !== undefined) throw new Failure(`The variable ${name} has its own input: use "${input}".`);
}

/** The environment of the go command. */
export function buildEnvironment({ environment, toolchain }: GoBuildRequest, env: Environment): Environment {
  return { ...env, ...environment, ...(toolchain && { GOTOOLCHAIN: toolchain }) };
}

const NODE_TO_GO: Readonly<Record<string, string>> = {
  win32: 'windows',
  sunos: 'solaris',
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
};

/** What `go build` alone would build for: GOOS and GOARCH where they are set, else this machine. */
export function hostTarget(env: Environment): string {
  const os = env.GOOS || (NODE_TO_GO[process.platform] ?? process.platform);
  return `${os}/${env.GOARCH || (NODE_TO_GO[process.arch] ?? process.arch)}`;
}

/** Throws a Failure for a profile that is not there. */
export function checkProfile({ pgo }: SettledFlags, directory: string): void {
  if (pgo === 'auto' || pgo === 'off' || existsSync(resolve(directory, pgo))) return;
  throw new Failure(
    `Profile "${pgo}" (pgo) does not exist in ${directory}; accepted are auto, off and a path.`,
  );
}
