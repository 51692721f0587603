/**
 * A set of fields of an object, as metadata.managedFields holds it (FieldsV1 of server-side apply, structured-merge-diff): a tree
 * whose steps are `f:name` (a field), `k:{"name":"app"}` (an item of an associative list, by its keys), `v:"x"` (a value of a set)
 * and `i:0` (an index).
 */
export interface FieldSet {
  /** Whether the field at this step is itself in the set, and not only some below it. */
  readonly member: boolean;
  readonly below: ReadonlyMap<string, FieldSet>;
}

/** A way from the root of an object to a field, in the steps of a FieldSet. */
export type FieldSteps = readonly string[];

const NO_STEPS: ReadonlyMap<string, FieldSet> = new Map();
/** The empty set. */
export const NO_FIELDS: FieldSet = { member: false, below: NO_STEPS };

/** Reads FieldsV1. What is not understood is taken for a field that has nothing below it. */
export function parseFields(fieldsV1: unknown): FieldSet {
  const root = parseStep(fieldsV1);
  return root.below.size === 0 ? NO_FIELDS : { ...root, member: false };
}

function parseStep(written: unknown): FieldSet {
  const below = new Map<string, FieldSet>();
  let dot = false;
  for (const [step, inner] of Object.entries(written ?? {})) {
    if (step === '.') dot = true;
    else below.set(step.startsWith('k:') ? sortedKey(step) : step, parseStep(inner));
  }
  return { member: dot || below.size === 0, below };
}

/** The keys of an item in the order of their names, in which the API server writes them. */
function sortedKey(step: string): string {
  try {
    const keys = Object.entries(JSON.parse(step.slice(2)) as object);
    return `k:${JSON.stringify(Object.fromEntries(keys.sort(([a], [b]) => (a < b ? -1 : 1))))}`;
  } catch {
    return step;
  }
}

/** FieldsV1 of a set. */
export function writeFields({ member, below }: FieldSet): Record<string, unknown> {
  const steps = [...below]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([step, set]) => [step, writeFields(set)]);
  return Object.fromEntries(member && below.size > 0 ? [['.', {}], ...steps] : steps);
}

/** Whether a set has no field in it. */
export const isEmpty = ({ member, below }: FieldSet): boolean => !member && below.size === 0;

/** The set of all fields that are in one of the sets. */
export function union(...sets: readonly FieldSet[]): FieldSet {
  return sets.reduce(unionOfTwo, NO_FIELDS);
}

function unionOfTwo(one: FieldSet, other: FieldSet): FieldSet {
  if (isEmpty(one)) return other;
  if (isEmpty(other)) return one;
  const below = new Map(one.below);
  for (const [step, set] of other.below) below.set(step, unionOfTwo(below.get(step) ?? NO_FIELDS, set));
  return { member: one.member || other.member, below };
}

/** The fields of `one` that are not in `other`. */
export function difference(one: FieldSet, other: FieldSet): FieldSet {
  const below = new Map<string, FieldSet>();
  for (const [step, set] of one.below) {
    const rest = difference(set, other.below.get(step) ?? NO_FIELDS);
    if (!isEmpty(rest)) below.set(step, rest);
  }
  return { member: one.member && !other.member, below };
}

/** The fields of `one` that can go: neither they nor anything below them is in `other`. */
export function unheld(one: FieldSet, other: FieldSet): FieldSet {
  const below = new Map<string, FieldSet>();
  for (const [step, set] of one.below) {
    const rest = unheld(set, other.below.get(step) ?? NO_FIELDS);
    if (!isEmpty(rest)) below.set(step, rest);
  }
  return { member: one.member && isEmpty(other), below };
}

/** The set of one field. */
export const only = (steps: FieldSteps): FieldSet =>
  steps.reduceRight<FieldSet>((set, step) => ({ member: false, below: new Map([[step, set]]) }), {
    member: true,
    below: NO_STEPS,
  });

/** What the set holds at a field and below it. */
export function at(set: FieldSet, steps: FieldSteps): FieldSet {
  return steps.reduce((reached, step) => reached.below.get(step) ?? NO_FIELDS, set);
}

/** Whether the field itself is in the set. */
export const contains = (set: FieldSet, steps: FieldSteps): boolean => at(set, steps).member;

/** Each field of the set, those around others first. */
export function* fieldsOf(set: FieldSet, way: FieldSteps = []): Generator<FieldSteps> {
  if (set.member) yield way;
  for (const [step, inner] of set.below) yield* fieldsOf(inner, [...way, step]);
}

/** `.spec.template.spec.containers[name="app"].image`, as the API server writes fields in conflicts. */
export const formatSteps = (steps: FieldSteps): string => steps.map(formatStep).join('');

function formatStep(step: string): string {
  const kind = step.slice(0, 2);
  const text = step.slice(2);
  if (kind === 'f:') return `.${text}`;
  if (kind === 'k:') {
    const keys = Object.entries(JSON.parse(text) as object);
    return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
  }
  return kind === 'v:' ? `[=${text}]` : `[${text}]`;
}
