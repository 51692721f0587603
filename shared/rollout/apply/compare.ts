import { isDeepStrictEqual } from 'node:util';
import {
  type FieldSet,
  type KubeObject,
  keysOfStep,
  meansItem,
  NO_FIELDS,
  sameQuantity,
} from '../../kubernetes/index.ts';
import type { FieldChange } from './change.ts';
import { LAST_APPLIED } from './last-applied.ts';
import { lineDiff } from './line-diff.ts';
import { holdsQuantity } from './quantity.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What the cluster writes by itself: no change of the user's. */
const OF_THE_CLUSTER = [
  'managedFields',
  'resourceVersion',
  'generation',
  'creationTimestamp',
  'uid',
  'selfLink',
];

interface Comparing {
  /** Which lists are associative, and by which keys: the owners' fields of both sides show it. */
  readonly shape: FieldSet;
  /** Compare only what `after` says. */
  readonly given: boolean;
}

/** The fields in which two states of an object differ, in the order of the later one. */
export function changesBetween(
  before: KubeObject,
  after: KubeObject,
  comparing: Comparing,
): readonly FieldChange[] {
  const changes = [
    ...differences(comparable(before), comparable(after), '', comparing.shape, comparing.given),
  ];
  return after.kind === 'Secret' ? changes.map(hidden) : changes.map(withLines);
}

function comparable({ status: _, metadata, ...rest }: KubeObject): Fields {
  const { annotations: { [LAST_APPLIED]: __, ...annotations } = {}, ...names } = metadata;
  const kept = Object.entries(names).filter(([name]) => !OF_THE_CLUSTER.includes(name));
  return { ...rest, metadata: { ...Object.fromEntries(kept), annotations } };
}

function* differences(
  before: unknown,
  after: unknown,
  path: string,
  shape: FieldSet,
  given: boolean,
): Generator<FieldChange> {
  if (isDeepStrictEqual(before, after) || (isNothing(before) && isNothing(after))) return;
  if (isFields(before) && isFields(after)) {
    const names = new Set([...Object.keys(after), ...(given ? [] : Object.keys(before))]);
    for (const name of names) {
      const below = shape.below.get(`f:${name}`) ?? NO_FIELDS;
      yield* differences(before[name], after[name], `${path}${nameStep(path, name)}`, below, given);
    }
    return;
  }
  const keys = itemKeys(shape);
  if (
    given &&
    keys === undefined &&
    Array.isArray(before) &&
    Array.isArray(after) &&
    before.length === after.length
  ) {
    for (const [index, item] of after.entries()) {
      yield* differences(before[index], item, `${path}[${index}]`, NO_FIELDS, given);
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(after) && keys !== undefined) {
    yield* itemDifferences(before, after, path, { shape, keys, given });
    return;
  }
  if (!(given && holdsQuantity(path) && sameQuantity(before, after))) yield { path, before, after };
}

function* itemDifferences(
  before: readonly unknown[],
  after: readonly unknown[],
  path: string,
  { shape, keys, given }: { shape: FieldSet; keys: readonly string[]; given: boolean },
): Generator<FieldChange> {
  const key = (item: unknown): string => keyText(item, keys);
  const old = new Map(before.map((item) => [key(item), item]));
  const now = new Map(after.map((item) => [key(item), item]));
  for (const [text, item] of now) {
    const below = [...shape.below].find(([step]) => meansItem(step, item, -1))?.[1] ?? NO_FIELDS;
    yield* differences(old.get(text), item, `${path}[${text}]`, below, given);
  }
  if (given) return;
  for (const [text, item] of old) {
    if (!now.has(text)) yield { path: `${path}[${text}]`, before: item, after: undefined };
  }
}

/** The fields of a set as removed from an object, each whole: what is below a removed field is not told again. */
export function removals(live: KubeObject, set: FieldSet): readonly FieldChange[] {
  const changes = [...removed(comparable(live), set, '')];
  return live.kind === 'Secret' ? changes.map(hidden) : changes;
}

function* removed(value: unknown, set: FieldSet, path: string): Generator<FieldChange> {
  if (isNothing(value)) return;
  if (set.member) {
    yield { path, before: value, after: undefined };
    return;
  }
  for (const [step, below] of set.below) {
    if (Array.isArray(value)) {
      const item: unknown = value.find((one: unknown, index) => meansItem(step, one, index));
      const text = step.startsWith('k:') ? keyText(item, Object.keys(keysOfStep(step))) : step.slice(2);
      yield* removed(item, below, `${path}[${text}]`);
    } else if (isFields(value)) {
      yield* removed(value[step.slice(2)], below, `${path}${nameStep(path, step.slice(2))}`);
    }
  }
}

/** The names of the keys by which the items of a list are told apart; undefined where it is a plain list. */
function itemKeys({ below }: FieldSet): readonly string[] | undefined {
  for (const step of below.keys()) if (step.startsWith('k:')) return Object.keys(keysOfStep(step));
  return undefined;
}

const keyText = (item: unknown, keys: readonly string[]): string =>
  keys
    .map((name) => [name, keyOfItem(item, name)])
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Null, {} and [] say the same as leaving the field out. */
const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  (Array.isArray(value) && value.length === 0) ||
  (isFields(value) && Object.keys(value).length === 0);

const nameStep = (path: string, name: string): string => {
  if (!/^[\w-]+$/.test(name)) return `[${JSON.stringify(name)}]`;
  return path === '' ? name : `.${name}`;
};

/** What a Secret holds is told only to be different. */
const hidden = (change: FieldChange): FieldChange =>
  /^(data|stringData)\b/.test(change.path)
    ? { path: change.path, before: undefined, after: undefined, secret: true }
    : change;

function withLines(change: FieldChange): FieldChange {
  const { before, after } = change;
  const texts = [before, after].filter((value) => typeof value === 'string');
  if (!texts.some((text) => text.includes('\n'))) return change;
  if (typeof before !== 'string' || typeof after !== 'string') return change;
  return { ...change, lines: lineDiff(before, after) };
}

/** Keys of lists of the usual kinds, tried in this order, for states that have no managedFields to tell them. */
const USUAL_KEYS = [['name'], ['containerPort', 'protocol'], ['port', 'protocol'], ['mountPath'], ['key']];

/** The shape of two written objects: a list whose items all have one of the usual keys, each another value, is told apart by it. */
export function writtenShape(...values: readonly unknown[]): FieldSet {
  const below = new Map<string, FieldSet>();
  const lists = values.filter((value) => Array.isArray(value));
  if (lists.length > 0) {
    const keys = USUAL_KEYS.find((names) => lists.every((list) => areKeys(names, list)));
    for (const item of keys === undefined ? [] : lists.flat()) {
      const step = `k:${JSON.stringify(Object.fromEntries(keys!.map((name) => [name, keyOfItem(item, name)])))}`;
      const same = lists.map((list) => list.find((one: unknown) => meansItem(step, one, -1)));
      below.set(step, writtenShape(...same));
    }
    return { member: false, below };
  }
  const objects = values.filter(isFields);
  for (const name of new Set(objects.flatMap((fields) => Object.keys(fields)))) {
    below.set(`f:${name}`, writtenShape(...objects.map((fields) => fields[name])));
  }
  return { member: false, below };
}

const keyOfItem = (item: unknown, name: string): unknown =>
  isFields(item) ? (item[name] ?? (name === 'protocol' ? 'TCP' : undefined)) : undefined;

function areKeys(names: readonly string[], list: readonly unknown[]): boolean {
  const keys = list.map((item) => names.map((name) => keyOfItem(item, name)));
  return (
    keys.every((values) => values.every((value) => typeof value === 'string' || typeof value === 'number')) &&
    new Set(keys.map((values) => JSON.stringify(values))).size === list.length
  );
}
