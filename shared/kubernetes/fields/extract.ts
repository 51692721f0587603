import { isDeepStrictEqual } from 'node:util';
import type { FieldPath } from '../manifests/manifest.ts';
import type { KubeObject } from '../objects.ts';
import { type FieldSet, type FieldSteps, isEmpty, NO_FIELDS } from './field-set.ts';
import { ownedFields } from './owners.ts';

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Keys that the API server fills in where an item leaves them out. */
const KEY_DEFAULTS: Fields = { protocol: 'TCP' };

/** The keys of an item of an associative list, of its step `k:{…}`. */
export const keysOfStep = (step: string): Fields => JSON.parse(step.slice(2)) as Fields;

/** Whether a step into a list means this item. */
export function meansItem(step: string, item: unknown, index: number): boolean {
  if (step.startsWith('i:')) return Number(step.slice(2)) === index;
  if (step.startsWith('v:')) return isDeepStrictEqual(JSON.parse(step.slice(2)), item);
  if (!step.startsWith('k:') || !isFields(item)) return false;
  return Object.entries(keysOfStep(step)).every(([name, value]) =>
    isDeepStrictEqual(item[name] ?? KEY_DEFAULTS[name], value),
  );
}

/**
 * The object with nothing but its identity and the fields of the set. Items of associative lists are found by their keys, which they
 * keep. A field that is in the set as a whole, but below which others own fields one by one, is given empty.
 */
export function extract(object: KubeObject, set: FieldSet): KubeObject {
  const { metadata: chosen, ...rest } = take(object, set, ownedFields(object)) as Fields;
  const { name, namespace } = object.metadata;
  return {
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { ...(chosen as Fields), name, ...(namespace !== undefined && { namespace }) },
    ...rest,
  };
}

function take(value: unknown, set: FieldSet, owned: FieldSet): unknown {
  if (set.below.size === 0) {
    if (owned.below.size === 0) return value;
    return Array.isArray(value) ? [] : isFields(value) ? {} : value;
  }
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => {
      const found = [...set.below].find(([step]) => meansItem(step, item, index));
      if (found === undefined) return [];
      const [step, below] = found;
      if (!step.startsWith('k:')) return [item];
      return [{ ...keysOfStep(step), ...(take(item, below, owned.below.get(step) ?? NO_FIELDS) as Fields) }];
    });
  }
  if (!isFields(value)) return value;
  const taken: Fields = {};
  for (const [step, below] of set.below) {
    const name = step.slice(2);
    if (Object.hasOwn(value, name)) {
      taken[name] = take(value[name], below, owned.below.get(step) ?? NO_FIELDS);
    }
  }
  return taken;
}

/** The object without the fields of the set. What becomes empty by it stays, empty, unless it is in the set too. */
export function without<T>(object: T, set: FieldSet): T {
  return drop(object, set) as T;
}

function drop(value: unknown, set: FieldSet): unknown {
  if (set.below.size === 0) return value;
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) => {
      const found = [...set.below].find(([step]) => meansItem(step, item, index));
      if (found === undefined) return [item];
      return found[1].member ? [] : [drop(item, found[1])];
    });
  }
  if (!isFields(value)) return value;
  const kept: Fields = {};
  for (const [name, inner] of Object.entries(value)) {
    const below = set.below.get(`f:${name}`);
    if (below === undefined) kept[name] = inner;
    else if (!below.member) kept[name] = drop(inner, below);
  }
  return kept;
}

/**
 * The fields of the set that the object does not have. Where a field is missing with all below it, it is in the answer itself, even
 * if the set names only what is below: that is how server-side apply removes.
 */
export function absentFrom(object: unknown, set: FieldSet): FieldSet {
  if (object === undefined) return wholly(set);
  const below = new Map<string, FieldSet>();
  for (const [step, inner] of set.below) {
    const rest = absentFrom(stepInto(object, step), inner);
    if (!isEmpty(rest)) below.set(step, rest);
  }
  return { member: false, below };
}

const wholly = ({ below }: FieldSet): FieldSet => ({
  member: true,
  below: new Map([...below].map(([step, inner]) => [step, wholly(inner)])),
});

function stepInto(value: unknown, step: string): unknown {
  if (Array.isArray(value)) return value.find((item: unknown, index) => meansItem(step, item, index));
  return isFields(value) && step.startsWith('f:') ? value[step.slice(2)] : undefined;
}

/** The steps of a set as a path into an object, as far as the object goes. */
export function pathOfSteps(object: unknown, steps: FieldSteps): FieldPath {
  const path: (string | number)[] = [];
  let value = object;
  for (const step of steps) {
    const index = Array.isArray(value) ? value.findIndex((item, at) => meansItem(step, item, at)) : -1;
    if (Array.isArray(value) ? index < 0 : !step.startsWith('f:')) break;
    path.push(Array.isArray(value) ? index : step.slice(2));
    value = stepInto(value, step);
  }
  return path;
}
