import { isDeepStrictEqual } from 'node:util';
import {
  absentFrom,
  extract,
  type FieldSet,
  isEmpty,
  type KubeObject,
  meansItem,
  NO_FIELDS,
} from '../../kubernetes/index.ts';
import { ownEntry, takenOver } from './take-over.ts';

/**
 * Whether an apply of what is `sent` (`declared`) would change nothing of this state of the object, neither its fields nor their
 * owners: it says exactly the fields that we own, with the values that they have. Then neither a dry run nor the apply itself has
 * anything to tell. Where that cannot be seen without the API server's knowledge of the kind, such as with a quantity that it writes
 * in another form, the answer is no.
 */
export function isSettled(
  live: KubeObject,
  sent: KubeObject,
  { keepReplicas }: { readonly keepReplicas: boolean },
): boolean {
  if (live.metadata.deletionTimestamp != null || takenOver(live, { keepReplicas }) !== undefined)
    return false;
  const own = ownEntry(live);
  if (own === undefined || own.apiVersion !== sent.apiVersion) return false;
  return (
    isEmpty(absentFrom(sent, own.fields)) &&
    isWithin(own.fields, withoutIdentity(sent)) &&
    isDeepStrictEqual(fieldsOf(live, own.fields), fieldsOf(sent, own.fields))
  );
}

/** Everything that an apply owns: what says which object it is has no owner. */
function withoutIdentity({ apiVersion: _, kind: __, metadata, ...fields }: KubeObject): object {
  const { name: ___, namespace: ____, ...said } = metadata;
  return Object.keys(said).length > 0 ? { ...fields, metadata: said } : fields;
}

const fieldsOf = (object: KubeObject, set: FieldSet): object => withoutIdentity(extract(object, set));

/** Whether the set has all fields that a value says. */
function isWithin(set: FieldSet, value: unknown): boolean {
  if (set.below.size === 0) return set.member;
  if (Array.isArray(value)) {
    return value.every((item: unknown, index) => {
      const found = [...set.below].find(([step]) => meansItem(step, item, index));
      return found !== undefined && (!found[0].startsWith('k:') || isWithin(found[1], item));
    });
  }
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).every(([name, inner]) =>
    isWithin(set.below.get(`f:${name}`) ?? NO_FIELDS, inner),
  );
}
