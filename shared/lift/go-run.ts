import type { MachineGo } from '../go/index.ts';
import { machinePlatform, type Platform } from '../oci/index.ts';
import { carriedVariables, type GoFlag } from './go-invocation.ts';
import { folderOf, outputOf, placesOf, workspaceOf } from './proof.ts';
import type { RecipeBuild } from './recipe.ts';
import type { StageTree } from './stage-tree.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where a stage was laid out. */
export interface StagePlace {
  readonly folder: string;
  readonly tree: StageTree;
  /** Of the stage's base. */
  readonly platform: Platform;
  readonly machine: MachineGo;
}

/** Flags whose value is a path. */
const PATHS: ReadonlySet<string> = new Set(['o', 'C', 'pgo']);

/** The words for the go command: the Dockerfile's, with absolute paths moved to where the stage was laid out. */
export function argumentsFor(build: RecipeBuild, { folder, tree }: StagePlace): string[] {
  const { flags, packages, verb } = build.go;
  const moved = (path: string) => (path.startsWith('/') ? folder + path : path);
  const word = ({ name, value }: GoFlag) =>
    value === undefined ? `-${name}` : `-${name}=${PATHS.has(name) ? moved(value) : value}`;
  // -C has to come first; and no folder above the stage may give the program a commit.
  const given = flags.map(word);
  const target = verb === 'install' ? [`-o=${folder}${outputOf(tree, build).path}/`] : [];
  return ['build', ...given, ...target, '-buildvcs=false', '--', ...packages.map(moved)];
}

/** Variables of this machine that the go command needs to reach modules, and that say nothing about the program. */
const OF_THE_MACHINE =
  /^(PATH|HOME|USER|LOGNAME|TMPDIR|LANG|(https?|no|all)_proxy|SSL_CERT_\w+|NETRC|GIT_\w+|SSH_\w+|XDG_\w+)$/i;
/** Settings of Go about fetching, wherever they come from: the stage's, else this machine's. */
const FETCHING = [
  'GOPROXY',
  'GOPRIVATE',
  'GONOPROXY',
  'GONOSUMDB',
  'GOSUMDB',
  'GOINSECURE',
  'GOVCS',
  'GOAUTH',
];

/** The environment of the stage for the go command, and of this machine only what has no part in the program. */
export function environmentFor(
  build: RecipeBuild,
  { folder, tree, platform, machine }: StagePlace,
  root: string,
  env: Environment,
): Environment {
  const { environment } = machine;
  const own = Object.entries(env).filter(([name]) => OF_THE_MACHINE.test(name));
  const stage = carriedVariables(build.go.env);
  const workspace = workspaceOf(tree, folderOf(build), stage.GOWORK);
  return {
    ...Object.fromEntries(own),
    ...Object.fromEntries(FETCHING.flatMap((name) => (environment[name] ? [[name, environment[name]]] : []))),
    ...hostDefaults(platform),
    ...stage,
    GOWORK: workspace === undefined ? 'off' : folder + workspace,
    // Settings of this machine's user are not the stage's.
    GOENV: 'off',
    GOROOT: root,
    GOPATH: environment.GOPATH,
    GOCACHE: environment.GOCACHE,
    GOMODCACHE: environment.GOMODCACHE,
  };
}

/** What the go command of the stage would take from its own machine. */
function hostDefaults({ os, architecture }: Platform): Environment {
  const own = machinePlatform();
  return architecture === own.architecture ? {} : { GOOS: os, GOARCH: architecture };
}

/** The environment for a go command that sees the stage's own paths. What it needs of the network was fetched before. */
export function environmentInside(
  build: RecipeBuild,
  { tree, platform }: StagePlace,
  env: Environment,
): Environment {
  const { modules, objects } = placesOf(build.go.env);
  const stage = carriedVariables(build.go.env);
  return {
    // For the programs that open the way in; of this path the root has the first folder alone.
    PATH: `/usr/local/go/bin:${env.PATH ?? '/usr/bin:/bin'}`,
    HOME: '/root',
    ...hostDefaults(platform),
    ...stage,
    GOWORK: workspaceOf(tree, folderOf(build), stage.GOWORK) ?? 'off',
    GOENV: 'off',
    GOPROXY: 'off',
    GOROOT: '/usr/local/go',
    GOPATH: build.go.env.GOPATH || '/root/go',
    GOCACHE: objects,
    GOMODCACHE: modules,
  };
}

/** The words of a `go list` that fetches what a build needs. */
export function listArguments(build: RecipeBuild, place: StagePlace): string[] {
  const words = argumentsFor(build, place).slice(1);
  const loading = words.filter((word) => /^-(C|tags|mod)=/.test(word));
  const packages = words.slice(words.indexOf('--'));
  return ['list', ...loading, '-e', '-deps', '-f', '', ...packages];
}
