import type { Key, KeyListing, KeyPart } from '../../content/index.ts';
import type { CopyStep, ResolvedStage, RunStep, Source, StageGraph, Step } from '../../dockerfile/index.ts';
import type { StageIdentity } from '../identity/identity.ts';
import { handedIn } from '../identity/steps.ts';
import { instructionOf, stageName } from '../names.ts';

/** Differences told of one stage or image; what is beyond is counted. */
const MOST_TOLD = 6;

/**
 * Why a stage's key is not that of an earlier build, in words, what decides first in front: platform and frontend, base, then the steps
 * as they stand in the Dockerfile. Empty when the keys are equal.
 */
export function explainStage(identity: StageIdentity, before: Key, graph: StageGraph): string[] {
  const { key, stage, aging } = identity;
  if (key === undefined || key.digest === before.digest) return [];
  const [now, then] = [key.parts, before.parts];
  const told = [
    ...general(now, then),
    ...base(now.base, then.base, stage),
    ...steps(named(now.steps), named(then.steps), stage, graph),
    ...inNamed(named(now.runs), named(then.runs)).map(({ name }) => `${SURROUNDINGS[name] ?? name} changed`),
  ];
  if (told.length > 0) return told;
  // Whatever else differs puts the time of a key off, too.
  return period(now.period, then.period, aging?.reason) ?? ['something changed that has no name'];
}

const SURROUNDINGS: Readonly<Record<string, string>> = {
  addHosts: 'add-hosts',
  ulimit: 'ulimit',
  shmSize: 'shm-size',
  cgroupParent: 'cgroup-parent',
  epoch: 'SOURCE_DATE_EPOCH',
  buildkit: 'a BUILDKIT_ argument',
};

function general(now: Named, then: Named): string[] {
  const told = [];
  if (now.executor !== then.executor) told.push('this version of Slipway makes other keys');
  if (now.platform !== then.platform)
    told.push(`the platform changed ${fromTo(then.platform, now.platform)}`);
  if (now.frontend !== then.frontend)
    told.push(`the syntax directive changed ${fromTo(then.frontend || 'none', now.frontend || 'none')}`);
  return told;
}

function base(now: KeyPart | undefined, then: KeyPart | undefined, { base: of }: ResolvedStage): string[] {
  if (same(now, then)) return [];
  if (of.kind === 'image' && isDigest(now) && isDigest(then))
    return [`the base ${of.reference} changed ${fromTo(then, now)}`];
  if (of.kind === 'stage' && isReference(now) && isReference(then))
    return ['the stage that it builds on changed'];
  if (of.kind === 'directory') return files(named(now), named(then), 'the base folder');
  return [`it has another base: ${of.kind === 'image' ? of.reference : of.kind}`];
}

function period(
  now: KeyPart | undefined,
  then: KeyPart | undefined,
  reason: string | undefined,
): string[] | undefined {
  if (same(now, then) || reason === undefined) return undefined;
  return [`max-age is over: ${reason}, and what it found may have changed`];
}

/** Steps one after the other; where one is new or gone, the rest is compared as if it were not. */
function steps(now: Named, then: Named, stage: ResolvedStage, graph: StageGraph): string[] {
  const [ours, theirs] = [Object.entries(now), Object.entries(then)];
  const own = stage.steps.filter(({ kind }) => kind !== 'config');
  const told: string[] = [];
  let [at, was] = [0, 0];
  while (at < ours.length || was < theirs.length) {
    const [mine, other] = [ours[at], theirs[was]];
    if (mine !== undefined && other !== undefined && unnumbered(mine[0]) === unnumbered(other[0])) {
      told.push(...step(own[at]!, named(mine[1]), named(other[1]), graph));
      at++;
      was++;
    } else if (other === undefined || isLater(theirs, was, ours, at)) {
      told.push(`${shown(own[at]!)} is new`);
      at++;
    } else if (mine === undefined || isLater(ours, at, theirs, was)) {
      told.push(`${line(unnumbered(other[0]))} is gone`);
      was++;
    } else {
      told.push(`${shown(own[at]!)} was ${line(unnumbered(other[0]))}`);
      at++;
      was++;
    }
  }
  return told;
}

/** Whether the step that one list is at comes later in the other. */
function isLater(
  list: readonly (readonly [string, KeyPart])[],
  at: number,
  other: readonly (readonly [string, KeyPart])[],
  from: number,
): boolean {
  const wanted = list[at];
  return (
    wanted !== undefined && other.slice(from + 1).some(([name]) => unnumbered(name) === unnumbered(wanted[0]))
  );
}

function step(of: Step, now: Named, then: Named, graph: StageGraph): string[] {
  const told = inNamed(now, then).flatMap(({ name, now: a, was: b }): string[] => {
    switch (name) {
      case 'files':
        return files(named(a), named(b), shown(of));
      case 'from':
        return [sourceChanged((of as CopyStep).from, a, b, graph)];
      case 'env':
        return variables(named(a), named(b));
      case 'mounts':
        return inNamed(named(a), named(b)).flatMap((one) =>
          mount(of as RunStep, one.name, named(one.now), named(one.was), graph),
        );
      case 'tops':
        return [];
      default:
        return [`${FIELDS[name] ?? name} of ${shown(of)} changed`];
    }
  });
  // Files tell more; without any that differ a pattern stands for others.
  if (told.length === 0 && !same(now.tops, then.tops)) return [`${shown(of)} takes other files`];
  return told;
}

const FIELDS: Readonly<Record<string, string>> = {
  argv: 'the command',
  heredocs: 'the script',
  inline: 'the text',
  workdir: 'the working directory',
  user: 'the user',
  network: 'the network',
  chown: '--chown',
  chmod: '--chmod',
  checksum: '--checksum',
};

function mount(of: RunStep, name: string, now: Named, then: Named, graph: StageGraph): string[] {
  const at = Number(name.split(' ', 1)[0]) - 1;
  const what = `the mount ${unnumbered(name)} of ${shown(of)}`;
  const source = of.mounts[at]?.from;
  return inNamed(now, then).flatMap((one): string[] => {
    if (one.name === 'files') return files(named(one.now), named(one.was), what);
    if (one.name === 'from' && source !== undefined) return [sourceChanged(source, one.now, one.was, graph)];
    if (one.name === 'given')
      return [`${unnumbered(name)} is ${one.now === true ? 'now' : 'no longer'} given`];
    return [`${what} changed`];
  });
}

function sourceChanged(
  source: Source,
  now: KeyPart | undefined,
  then: KeyPart | undefined,
  graph: StageGraph,
): string {
  if (source.kind === 'image') return `the image ${source.reference} changed ${fromTo(then, now)}`;
  const stage =
    source.kind === 'stage' ? graph.stages.find(({ index }) => index === source.index) : undefined;
  if (stage === undefined) return 'what it copies from changed';
  if (handedIn(graph, stage.index) !== undefined) return `stage ${stageName(stage)} is handed in`;
  return `stage ${stageName(stage)} changed`;
}

function variables(now: Named, then: Named): string[] {
  const told = inNamed(now, then).map(variable);
  return told.length === 0 ? ['the order of variables changed'] : told;
}

function variable({ name, now, was }: Difference): string {
  if (was === undefined) return `${name} is set`;
  return now === undefined ? `${name} is no longer set` : `${name} changed`;
}

const FILE_FIELDS = ['type', 'mode', 'content'];

function files(now: Named, then: Named, what: string): string[] {
  return inNamed(now, then).map(({ name, now: a, was: b }) => {
    const path = name === '' ? what : name;
    if (b === undefined) return `${path} is new`;
    if (a === undefined) return `${path} is gone`;
    const [ours, theirs] = [String(a).split(' '), String(b).split(' ')];
    const changed = FILE_FIELDS.filter((_, at) => ours[at] !== theirs[at]);
    const link = ours[0] === 'symlink' && theirs[0] === 'symlink';
    return `${path}: ${link ? 'target' : changed.join(', ') || 'links'} changed`;
  });
}

/** Differences of the parts that are written around an image's files, in words. */
export function explainAround(now: Key, before: Key): string[] {
  return now.differences(before).flatMap(({ path, before: then, after }): string[] => {
    const [part, , ...rest] = path;
    if (part === 'platforms') return []; // The stages tell.
    if (part === 'annotations') return [change(`annotation ${path.slice(1).join(' ')}`, then, after)];
    if (part === 'configurations') return [configured(rest, then, after)];
    return [change(path.join(' '), then, after)];
  });
}

function configured(path: readonly string[], then: KeyPart | undefined, now: KeyPart | undefined): string {
  const [part, name, ...rest] = path;
  if (part === 'history') return 'the history changed';
  if (part === 'config' && name === 'Labels' && rest.length > 0)
    return change(`label ${rest.join(' ')}`, then, now);
  return change((part === 'config' ? path.slice(1) : path).join(' ') || 'the configuration', then, now);
}

/** The first of many, and how many there are beyond. */
export function firstOf(told: readonly string[], most = MOST_TOLD): string[] {
  const all = [...new Set(told)];
  const more = all.length - most;
  return more > 1 ? [...all.slice(0, most), `and ${more} more`] : all;
}

type Named = { readonly [name: string]: KeyPart };

interface Difference {
  readonly name: string;
  readonly now: KeyPart | undefined;
  readonly was: KeyPart | undefined;
}

function inNamed(now: Named, then: Named): Difference[] {
  const names = new Set([...Object.keys(now), ...Object.keys(then)]);
  return [...names]
    .filter((name) => !same(now[name], then[name]))
    .map((name) => ({ name, now: now[name], was: then[name] }));
}

function named(part: KeyPart | undefined): Named {
  if (part === null || typeof part !== 'object' || Array.isArray(part)) return {};
  const { listing } = part as Partial<KeyListing>;
  return Array.isArray(listing) ? listed(listing) : (part as Named);
}

/** Names and texts in turn. */
function listed(listing: readonly string[]): Named {
  const texts: Record<string, string> = Object.create(null);
  for (let at = 0; at < listing.length; at += 2) texts[listing[at]!] = listing[at + 1]!;
  return texts;
}

function same(a: KeyPart | undefined, b: KeyPart | undefined): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function isDigest(part: KeyPart | undefined): boolean {
  return typeof part === 'string' && part.startsWith('sha256:');
}

/** What stands for another stage. */
function isReference(part: KeyPart | undefined): boolean {
  return typeof part === 'string' && /^(key|content) /.test(part);
}

/** Steps and mounts are named by their number and what they are. */
function unnumbered(name: string): string {
  return name.replace(/^\d+ /, '');
}

function shown(step: Step): string {
  return line(
    instructionOf(step)
      .replace(/^RUN \|\d+ .*? (?=\/bin\/sh -c )/s, 'RUN ')
      .replace('RUN /bin/sh -c ', 'RUN '),
  );
}

const LONGEST = 60;

function line(text: string): string {
  const [first = ''] = text.split('\n', 1);
  return first.length > LONGEST || first.length < text.length ? `${first.slice(0, LONGEST)}…` : first;
}

function fromTo(before: KeyPart | undefined, after: KeyPart | undefined): string {
  return `from ${short(before)} to ${short(after)}`;
}

function change(name: string, before: KeyPart | undefined, after: KeyPart | undefined): string {
  if (before === undefined) return `${name} is new`;
  if (after === undefined) return `${name} is gone`;
  const [then, now] = [short(before), short(after)];
  return then.length > LONGEST || now.length > LONGEST
    ? `${name} changed`
    : `${name} changed from ${then} to ${now}`;
}

function short(part: KeyPart | undefined): string {
  const text = typeof part === 'string' ? part : (JSON.stringify(part) ?? 'none');
  return text.replace(/^((?:key |content )?sha256:[0-9a-f]{12})[0-9a-f]{52}$/, '$1');
}
