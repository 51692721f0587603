import type { Lines } from '../dockerfile/index.ts';
import { Beyond } from './beyond.ts';
import type { SimpleCommand } from './shell.ts';

/** A `go build` or `go install` of a Dockerfile, word for word, after proof that its bytes depend on nothing but what we hold. */
export interface GoInvocation {
  readonly verb: 'build' | 'install';
  /** In order, as given; those of GOFLAGS are not among them, for Go reads them itself. */
  readonly flags: readonly GoFlag[];
  readonly packages: readonly string[];
  /** GO… and CGO… variables that the command gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Whether folders of the machine are kept out of the program. */
  readonly trimpath: boolean;
  /** Whether Go is kept from looking for a commit. */
  readonly unstamped: boolean;
}

export interface GoFlag {
  readonly name: string;
  /** undefined for a flag that stands alone. */
  readonly value: string | undefined;
}

/** Flags that take no value (`go help build`). */
const BARE = new Set([
  'a',
  'v',
  'x',
  'trimpath',
  'buildvcs',
  'modcacherw',
  'n',
  'work',
  'json',
  'linkshared',
]);
/** Flags that change how fast or how talkatively a program is built, and not the program: they are left out. */
const WITHOUT_EFFECT = new Set(['a', 'v', 'x', 'p', 'work', 'json']);

/** What a flag may say, and why not else; a flag that is not here is not lifted. */
const ACCEPTED: Readonly<Record<string, (value: string) => string | undefined>> = {
  o: anything,
  C: anything,
  trimpath: anything,
  modcacherw: anything,
  installsuffix: anything,
  tags: anything,
  pgo: anything,
  buildvcs: (value) =>
    /^(true|1|t)$/i.test(value) ? 'it asks for the commit in the program (-buildvcs)' : undefined,
  mod: (value) =>
    ['readonly', 'vendor'].includes(value)
      ? undefined
      : `-mod=${value} lets Go change go.mod while it builds`,
  compiler: (value) => (value === 'gc' ? undefined : `it compiles with ${value}`),
  buildmode: (value) =>
    ['default', 'exe', 'pie'].includes(value)
      ? undefined
      : `-buildmode=${value} makes something else than a program`,
  ldflags: (value) => {
    const outside =
      /(?:^|[\s'"])--?(linkmode[= ]['"]?external|L|importcfg|tmpdir|cpuprofile|memprofile|capturehostobjs|extld|extar)\b/.exec(
        value,
      );
    return outside === null ? undefined : `its -ldflags have -${outside[1]}, which reaches out of the build`;
  },
  gcflags: compilerFlags('gcflags'),
  asmflags: compilerFlags('asmflags'),
};

function anything(): undefined {
  return undefined;
}

function compilerFlags(name: string) {
  return (value: string) =>
    /\/|trimpath|profile|embedcfg|importcfg/.test(value.replace(/(^|\s)[\w./@-]*(\.\.\.)?=/g, ' '))
      ? `its -${name} name files or folders`
      : undefined;
}

/** Whether a command is a `go build` or a `go install`, read or not. */
export function isGoBuild({ words }: Pick<SimpleCommand, 'words'>): boolean {
  return words[0] === 'go' && (words[1] === 'build' || words[1] === 'install');
}

/** Reads a command for which isGoBuild holds; throws Beyond for all that could make other bytes on another machine. */
export function readGoInvocation(command: SimpleCommand, lines: Lines): GoInvocation {
  const verb = command.words[1] as GoInvocation['verb'];
  const env = goVariables(command.assignments);
  checkVariables(env, lines);
  const { flags, packages } = splitFlags(command.words.slice(2), lines);
  const inherited = splitFlags(splitGoFlags(env.GOFLAGS ?? ''), lines);
  if (inherited.packages.length > 0)
    throw new Beyond(`GOFLAGS holds "${inherited.packages[0]}", which is no flag`, lines);
  const path = inherited.flags.find(({ name }) => name === 'o' || name === 'C' || name === 'pgo');
  if (path !== undefined) throw new Beyond(`GOFLAGS holds -${path.name}, which names a path`, lines);
  const all = [...inherited.flags, ...flags];
  for (const { name, value } of all) {
    if (WITHOUT_EFFECT.has(name)) continue;
    const accepts = Object.hasOwn(ACCEPTED, name) ? ACCEPTED[name] : undefined;
    const reason =
      accepts === undefined ? `the flag -${name} is none that can be lifted` : accepts(value ?? '');
    if (reason !== undefined) throw new Beyond(reason, lines);
  }
  const remote = packages.find((name) => /@/.test(name));
  if (remote !== undefined)
    throw new Beyond(
      `it ${verb === 'install' ? 'installs' : 'builds'} ${remote}, which no go.sum vouches for`,
      lines,
    );
  if (
    packages.some((name) => name === 'cmd' || name === 'std' || name === 'all' || name.startsWith('cmd/go'))
  )
    throw new Beyond(`it builds ${packages.join(' ')}`, lines);
  const last = (name: string) => all.findLast((flag) => flag.name === name);
  const trimpath = last('trimpath');
  const buildvcs = last('buildvcs');
  return {
    verb,
    flags: flags.filter(({ name }) => !WITHOUT_EFFECT.has(name) && name !== 'buildvcs'),
    packages,
    env,
    trimpath: trimpath !== undefined && isOn(trimpath),
    unstamped: buildvcs !== undefined && !isOn(buildvcs) && buildvcs.value !== 'auto',
  };
}

function isOn({ value }: GoFlag): boolean {
  return value === undefined || /^(1|t|true)$/i.test(value);
}

function splitFlags(words: readonly string[], lines: Lines): Pick<GoInvocation, 'flags' | 'packages'> {
  const flags: GoFlag[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === '--') return { flags, packages: words.slice(i + 1) };
    const match = /^--?([a-zA-Z]\w*)(?:=(.*))?$/s.exec(word);
    if (match === null) {
      if (word.startsWith('-')) throw new Beyond(`"${word}" is no flag of go`, lines);
      return { flags, packages: words.slice(i) };
    }
    const [, name, value] = match;
    if (value !== undefined || BARE.has(name!)) flags.push({ name: name!, value });
    else if (i + 1 < words.length) flags.push({ name: name!, value: words[++i] });
    else throw new Beyond(`the flag -${name} has no value`, lines);
  }
  return { flags, packages: [] };
}

/** GOFLAGS as the go command splits it: at blanks, with single and double quotes around whole words. */
function splitGoFlags(text: string): string[] {
  return (text.match(/'[^']*'|"[^"]*"|[^\s]+/g) ?? []).map((word) =>
    /^(['"]).*\1$/s.test(word) ? word.slice(1, -1) : word,
  );
}

/** Where the go command of the stage keeps things: this machine has its own places. */
const PLACES = new Set(
  'GOPATH GOMODCACHE GOCACHE GOBIN GOTMPDIR GOROOT GOENV GOTOOLDIR GOCACHEPROG GOTELEMETRY GOTELEMETRYDIR GOLANG_VERSION'.split(
    ' ',
  ),
);

/** The variables that go reads, without those that say where it keeps its own things. */
export function goVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => /^(GO|CGO_)/.test(name)));
}

/** Those of them that the command gets here, too. */
export function carriedVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !PLACES.has(name)));
}

function checkVariables(env: Readonly<Record<string, string>>, lines: Lines): void {
  const refuse = (because: string) => {
    throw new Beyond(because, lines);
  };
  if (env.CGO_ENABLED !== '0')
    refuse(
      'it builds with cgo, for which the C compiler and libraries of the container decide; set CGO_ENABLED=0 if the program needs none',
    );
  if (env.GO111MODULE === 'off') refuse('GO111MODULE=off builds without modules');
  if (env.GOENV !== undefined && env.GOENV !== '' && env.GOENV !== 'off')
    refuse(`GOENV names a file of settings, ${env.GOENV}`);
  if (env.GOROOT !== undefined && env.GOROOT !== '' && env.GOROOT !== '/usr/local/go')
    refuse(`GOROOT is ${env.GOROOT}, which is not the Go of the golang images`);
  if (env.GO_EXTLINK_ENABLED === '1') refuse('GO_EXTLINK_ENABLED asks for the linker of the container');
  if (/path/.test(env.GOTOOLCHAIN ?? ''))
    refuse(`GOTOOLCHAIN=${env.GOTOOLCHAIN} looks for other Go commands`);
  if (/file:/.test(env.GOPROXY ?? '')) refuse('GOPROXY is a folder of the container');
}
