import { didYouMean, Failure } from '../host/index.ts';
import { type BuildFacts, expandTemplate, hasTemplate, stampFlag } from './stamp.ts';

/** How programs are built. What is left out has the default of `DEFAULT_FLAGS`. */
export interface GoFlags {
  /** Linker flags as one text, as after -ldflags; `{{version}}` and its like are filled in. */
  readonly ldflags: string;
  /** Lines `package.variable=value` for the linker's -X. */
  readonly stamp: readonly string[];
  readonly tags: readonly string[];
  readonly trimpath: boolean;
  /** Whether Go records the commit in the program; it is then another program after every commit. */
  readonly buildvcs: 'off' | 'on' | 'auto';
  readonly gcflags: string;
  readonly asmflags: string;
  readonly mod: '' | 'readonly' | 'vendor' | 'mod';
  /** `auto`: off, unless the race detector needs it. */
  readonly cgo: 'auto' | 'on' | 'off';
  readonly race: boolean;
  readonly cover: boolean;
  /** Patterns for -coverpkg; empty: Go's default. */
  readonly coverPackages: readonly string[];
  /** `auto` takes default.pgo of the main package, `off` none, else the path of a profile. */
  readonly pgo: string;
  readonly buildmode: string;
  /** More flags for `go build`, each a word such as `-msan` or `-overlay=overlay.json`. */
  readonly extra: readonly string[];
}

/** The flags of a release build: stripped, without the folders of the machine, without the commit, without C. */
export const DEFAULT_FLAGS: GoFlags = {
  ldflags: '-s -w',
  stamp: [],
  tags: [],
  trimpath: true,
  buildvcs: 'off',
  gcflags: '',
  asmflags: '',
  mod: '',
  cgo: 'auto',
  race: false,
  cover: false,
  coverPackages: [],
  pgo: 'auto',
  buildmode: '',
  extra: [],
};

/** Flags that go-build sets itself, and the input to use for each. */
const OWN: Readonly<Record<string, string>> = {
  o: 'output',
  C: 'working-directory',
  json: '',
  n: '',
  p: 'jobs',
  ldflags: 'ldflags',
  tags: 'tags',
  trimpath: 'trimpath',
  buildvcs: 'buildvcs',
  gcflags: 'gcflags',
  asmflags: 'asmflags',
  mod: 'mod',
  race: 'race',
  cover: 'cover',
  coverpkg: 'cover-packages',
  pgo: 'pgo',
  buildmode: 'buildmode',
};

/** Those that make a program; libraries for C come with a header and are another matter. */
const BUILD_MODES = ['exe', 'pie', 'default'];

/** Flags after their templates were filled in and their combinations checked, ready to be written on a command line. */
export interface SettledFlags extends Omit<GoFlags, 'stamp' | 'cgo'> {
  readonly cgo: boolean;
}

/** Checks the flags and fills in the templates. */
export function settleFlags(given: Partial<GoFlags>, facts: () => BuildFacts): SettledFlags {
  const { stamp, ...flags } = { ...DEFAULT_FLAGS, ...given };
  checkCombination({ ...flags, stamp });
  const words = hasTemplate(flags.ldflags)
    ? expandTemplate(flags.ldflags, facts(), 'ldflags')
    : flags.ldflags;
  const stamps = stamp.map((line) => stampFlag(line, hasTemplate(line) ? facts() : {}));
  return {
    ...flags,
    ldflags: [words, ...stamps].filter(Boolean).join(' '),
    tags: checkedTags(flags.tags),
    cgo: flags.cgo === 'on' || (flags.cgo === 'auto' && flags.race),
  };
}

function checkCombination(flags: GoFlags): void {
  if (flags.race && flags.cgo === 'off')
    throw new Failure('The race detector needs cgo: set "cgo" to auto or on, or "race" to false.');
  if (flags.buildmode !== '' && !BUILD_MODES.includes(flags.buildmode))
    throw new Failure(
      `Build mode "${flags.buildmode}" is none of ${BUILD_MODES.join(', ')}.${didYouMean(flags.buildmode, BUILD_MODES)}`,
    );
  if (flags.coverPackages.length > 0 && !flags.cover)
    throw new Failure('"cover-packages" names packages to measure, but "cover" is false.');
  for (const flag of flags.extra) checkExtra(flag);
}

function checkExtra(flag: string): void {
  const name = /^--?([A-Za-z]\w*)(=|$)/.exec(flag)?.[1];
  if (name === undefined)
    throw new Failure(`Flag "${flag}" is not written as -name or -name=value, one flag a line.`);
  const input = OWN[name];
  if (input === undefined) return;
  throw new Failure(
    input === ''
      ? `Flag -${name} belongs to go-build itself and cannot be given.`
      : `Flag -${name} has its own input: use "${input}".`,
  );
}

function checkedTags(tags: readonly string[]): readonly string[] {
  for (const tag of tags)
    if (!/^[\p{L}\p{Nd}_.]+$/u.test(tag))
      throw new Failure(`Build tag "${tag}" is not a word of letters, digits, dots and underscores.`);
  return [...new Set(tags)].sort();
}

/** The part of the flags that says which packages and files belong to the build: for `go list` as for `go build`. */
export function loadingArguments({ tags, mod, extra, race, buildmode }: SettledFlags): string[] {
  return [
    ...(tags.length > 0 ? [`-tags=${tags.join(',')}`] : []),
    ...(mod === '' ? [] : [`-mod=${mod}`]),
    ...(race ? ['-race'] : []),
    ...(buildmode === '' ? [] : [`-buildmode=${buildmode}`]),
    ...extra,
  ];
}

/** All flags as words of a `go build` command line. */
export function buildArguments(flags: SettledFlags): string[] {
  const { trimpath, buildvcs, ldflags, gcflags, asmflags, cover, coverPackages, pgo } = flags;
  return [
    ...loadingArguments(flags),
    `-trimpath=${trimpath}`,
    `-buildvcs=${{ off: 'false', on: 'true', auto: 'auto' }[buildvcs]}`,
    ...(ldflags === '' ? [] : [`-ldflags=${ldflags}`]),
    ...(gcflags === '' ? [] : [`-gcflags=${gcflags}`]),
    ...(asmflags === '' ? [] : [`-asmflags=${asmflags}`]),
    ...(cover ? ['-cover'] : []),
    ...(coverPackages.length > 0 ? [`-coverpkg=${coverPackages.join(',')}`] : []),
    ...(pgo === 'auto' ? [] : [`-pgo=${pgo}`]),
  ];
}
