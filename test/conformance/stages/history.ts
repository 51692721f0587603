import type { OracleBuild, Seen } from './oracle.ts';
import type { OurBuild } from './ours.ts';
import type { Steps } from './progress.ts';
import type { StageCase } from './stage-case.ts';
import type { State } from './state.ts';

/** One state as both have built it. */
export interface Built {
  readonly state: State;
  readonly oracle: OracleBuild;
  readonly ours: OurBuild;
}

/**
 * Holds what we make of a case's states, one after the other, against what a warm BuildKit makes of them. Both have seen the same
 * states in the same order, so what BuildKit took from its cache is what the content allowed us to reuse.
 */
export class History {
  readonly #case: StageCase;
  readonly #built: Built[] = [];
  /** Random numbers of stages: which of ours stands for which of the oracle's. */
  readonly #ours = new Map<string, Set<string>>();
  readonly #theirs = new Map<string, string>();

  constructor(one: StageCase) {
    this.#case = one;
  }

  /** What is wrong with a build, in words; nothing when all is as it has to be. */
  add(built: Built, edit: string): string[] {
    const wrong = differences(built);
    // Nothing of such a build can be compared with later ones either: the oracle has run stages that we had no need to.
    if (this.#case.more?.[edit] !== undefined) return wrong;
    wrong.push(...this.#numbers(built), ...this.#runs(built), ...this.#reuse(built));
    this.#built.push(built);
    return wrong;
  }

  /** The same number again means reuse, another one a new run; in both builds it has to be the same of the two. */
  #numbers({ state, oracle, ours }: Built): string[] {
    const again = runAgain(state, oracle.steps);
    const wrong: string[] = [];
    for (const [platform, { tree }] of Object.entries(oracle.images))
      for (const [path, theirs] of Object.entries(tree)) {
        const mine = ours.images[platform]?.tree[path];
        if (!isRandom(path) || isTwin(path) || mine === undefined) continue;
        const before = this.#ours.get(theirs);
        if (
          before !== undefined &&
          !before.has(mine) &&
          !again.some((stage) => path.endsWith(`nonce-${stage}`))
        )
          wrong.push(`needless rebuild: ${platform} /${path} was made anew, BuildKit had it in its cache`);
        if (before === undefined && this.#theirs.has(mine))
          wrong.push(`wrong reuse: ${platform} /${path} is of an earlier run, BuildKit had to make it anew`);
        this.#ours.set(theirs, new Set([...(before ?? []), mine]));
        this.#theirs.set(mine, theirs);
      }
    for (const [platform, { tree }] of Object.entries(ours.images)) {
      const twins = Object.entries(tree).flatMap(([path, what]) => (isTwin(path) ? [what] : []));
      if (new Set(twins).size > 1)
        wrong.push(`wrong reuse: ${platform} holds results of two different runs of one stage`);
    }
    return wrong;
  }

  /** The stages whose RUNs were run, by what the two builders told. */
  #runs({ state, oracle, ours }: Built): string[] {
    const expected = new Set([...oracle.steps.ran, ...runAgain(state, oracle.steps)]);
    for (const stage of this.#case.lifted ?? []) expected.delete(stage);
    const runStages = new Set([...expected].filter((stage) => hasRun(stage, state)));
    const [mine, theirs] = [list(ours.steps.ran), list(runStages)];
    return mine === theirs ? [] : [`stages that were run: ${mine}; expected, after BuildKit: ${theirs}`];
  }

  /** An image that is there gets its name, and no more is done; of those that differ in their configuration alone, the last one is. */
  #reuse({ oracle, ours }: Built): string[] {
    if (!oracle.steps.allCached) return [];
    const wrong: string[] = [];
    if (ours.builds > 0)
      wrong.push(`a builder was called ${ours.builds} times, BuildKit had everything in its cache`);
    const last = this.#built.findLast((before) => treesOf(before.oracle) === treesOf(oracle));
    if (last === undefined || sorted(last.oracle.images) !== sorted(oracle.images)) return wrong;
    if (ours.digest !== last.ours.digest) wrong.push('the digest is another one for the same image');
    if (!ours.reused) wrong.push('the image was there, and it was made again');
    return wrong;
  }
}

const isRandom = (path: string) => /(^|\/)(nonce|twin)[^/]*$/.test(path);
/** What one run of a stage puts at several places. */
const isTwin = (path: string) => /(^|\/)twin[^/]*$/.test(path);
const list = (stages: ReadonlySet<string>) => [...stages].sort().join(', ') || 'none';

/** Trees without times and without random numbers, and configurations, as far as they differ. */
function differences({ oracle, ours }: Built): string[] {
  return Object.entries(oracle.images).flatMap(([platform, theirs]) => {
    const mine = ours.images[platform];
    if (mine === undefined) return [`${platform} is missing`];
    return [
      ...changes(`${platform} /`, plain(theirs.tree), plain(mine.tree)),
      ...changes(`${platform} configuration `, flat(theirs.config), flat(mine.config)),
    ];
  });
}

function plain(tree: Seen['tree']): Record<string, string> {
  const mask = (path: string, what: string) =>
    isRandom(path) ? what.replace(/ [0-9a-f]{16}$/, ' random') : what;
  return Object.fromEntries(Object.entries(tree).map(([path, what]) => [path, mask(path, what)]));
}

function flat(config: object): Record<string, string> {
  const parts = { ...config, ...('config' in config ? (config.config as object) : {}), config: undefined };
  return Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, sorted(value)]));
}

/** JSON in which the order of names says nothing. */
function sorted(value: unknown): string {
  const byName = (_: string, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))
      : one;
  return JSON.stringify(value, byName) ?? 'nothing';
}

function changes(what: string, theirs: Record<string, string>, mine: Record<string, string>): string[] {
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])].sort();
  return names
    .filter((name) => theirs[name] !== mine[name])
    .map((name) => `${what}${name}: BuildKit ${theirs[name] ?? 'has none'}; ours ${mine[name] ?? 'has none'}`)
    .slice(0, 8);
}

function treesOf({ images }: OracleBuild): string {
  return sorted(Object.values(images).map(({ tree }) => tree));
}

interface Stage {
  readonly name: string;
  readonly base: string;
  /** Stages that it needs with all that they are. */
  readonly whole: readonly string[];
  readonly runs: boolean;
  readonly triggers: boolean;
}

/** A reading of Dockerfiles that is enough for the cases, and has nothing to do with our parser. */
function stagesOf({ dockerfile }: State): Stage[] {
  return dockerfile
    .split(/^(?=FROM )/m)
    .filter((text) => text.startsWith('FROM '))
    .map((text, index) => {
      const [, base, name] = /^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?/.exec(text)!;
      const taken = [/--mount=\S*from=([^,\s]+)/g, /--parents --from=(\S+)/g].flatMap((form) =>
        [...text.matchAll(form)].map(([, from]) => from!),
      );
      return {
        name: name ?? `stage-${index}`,
        base: base!,
        whole: [base!, ...taken],
        runs: /^RUN /m.test(text),
        triggers: /^ONBUILD RUN /m.test(text),
      };
    });
}

/**
 * Stages that have to run again with those that BuildKit made anew, although it has them in its cache: files of a stage cross, not its
 * layers, so a stage that is built upon, mounted or copied with its parent folders is carried out for the one that needs it
 * (docs/decisions/stage-results.md).
 */
function runAgain(state: State, { touched }: Steps): string[] {
  const stages = stagesOf(state);
  const needs = (name: string): string[] => {
    const whole = stages.find((stage) => stage.name === name)?.whole ?? [];
    const known = whole.filter((one) => stages.some((stage) => stage.name === one));
    return known.flatMap((one) => [one, ...needs(one)]);
  };
  return [...new Set([...touched].flatMap(needs))];
}

function hasRun(stage: string, state: State): boolean {
  const stages = stagesOf(state);
  const triggers = (base: string) => stages.some((one) => one.name === base && one.triggers);
  return stages.some(({ name, base, runs }) => name === stage && (runs || triggers(base)));
}
