import {
  contains,
  difference,
  type FieldOwner,
  type FieldSet,
  isEmpty,
  type KubeObject,
  NO_FIELDS,
  only,
  ownersOf,
  union,
  writeFields,
} from '../../kubernetes/index.ts';
import { LAST_APPLIED_FIELD } from './last-applied.ts';

/** The name under which fields are owned: one for all versions, so that a later Slipway takes over its own. */
export const FIELD_MANAGER = 'slipway';

export const REPLICAS = only(['f:spec', 'f:replicas']);

/**
 * Names under which `kubectl apply`, `create` and `replace` have written whole objects: of old (`kubectl`), of objects older than
 * managedFields (`before-first-apply`), and of tools that run kubectl. Single fields that people change by `kubectl edit`, `set`,
 * `scale` or `patch` bear other names, and stay with them as conflicts.
 */
const WHOLE_WRITERS = new Set([
  'kubectl-client-side-apply',
  'kubectl-create',
  'kubectl-replace',
  'kubectl',
  'before-first-apply',
]);

/** Whether an owner's fields come from a `kubectl` that sent the whole object, and so are ours after it. */
export const isWholeWriter = ({ manager, operation, subresource, fields }: FieldOwner): boolean =>
  operation === 'Update' &&
  subresource === '' &&
  (WHOLE_WRITERS.has(manager) || contains(fields, LAST_APPLIED_FIELD));

const isOurs = ({ manager, operation, subresource }: FieldOwner): boolean =>
  manager === FIELD_MANAGER && operation === 'Apply' && subresource === '';

/** Fields that an apply of ours would remove when the manifest does not have them: ours, and those that we take over from kubectl. */
export const governedFields = (live: KubeObject): FieldSet =>
  union(
    ...ownersOf(live)
      .filter((owner) => isOurs(owner) || isWholeWriter(owner))
      .map(({ fields }) => fields),
  );

/** What we own of an object by our applies; undefined where we never applied it. */
export const ownEntry = (live: KubeObject): FieldOwner | undefined => ownersOf(live).find(isOurs);

/** Fields that we applied. */
export const appliedFields = (live: KubeObject): FieldSet => ownEntry(live)?.fields ?? NO_FIELDS;

/** Fields that others own and keep. */
export const foreignFields = (live: KubeObject): FieldSet =>
  union(
    ...ownersOf(live)
      .filter((owner) => !isOurs(owner) && !isWholeWriter(owner))
      .map(({ fields }) => fields),
  );

/**
 * managedFields of a live object after what kubectl owned was made ours, so that fields which the manifests dropped go with the next
 * apply (client-go's csaupgrade does the same for `kubectl apply --server-side`); undefined where there is nothing to move.
 *
 * With `keepReplicas`, spec.replicas is let go without being dropped: a field that its last owner drops falls back to its default of
 * one replica (kubernetes#67135). It is left with its old owner, or is handed to an `Update` of our name where we owned it, until the
 * autoscaler takes it by writing another number.
 */
export function takenOver(
  live: KubeObject,
  { keepReplicas }: { readonly keepReplicas: boolean },
): readonly object[] | undefined {
  const owners = ownersOf(live);
  const kept = keepReplicas ? REPLICAS : NO_FIELDS;
  const moved = owners.filter((owner) => isWholeWriter(owner) && !isEmpty(difference(owner.fields, kept)));
  const ours = owners.find(isOurs);
  const drops = keepReplicas && ours !== undefined && contains(ours.fields, ['f:spec', 'f:replicas']);
  const annotation = owners.some(
    (owner) => !isOurs(owner) && !isWholeWriter(owner) && contains(owner.fields, LAST_APPLIED_FIELD),
  );
  if (moved.length === 0 && !drops && !annotation) return undefined;

  // Entries of another version of the API cannot be joined: their fields may have other names. They go, as in csaupgrade.
  const version = ours?.apiVersion ?? moved[0]?.apiVersion;
  const gained = union(
    ...[...(ours === undefined ? [] : [ours]), ...moved]
      .filter(({ apiVersion }) => apiVersion === version)
      .map(({ fields }) => fields),
  );
  const rest = owners.flatMap((owner): FieldOwner[] => {
    if (isOurs(owner)) return [];
    if (!moved.includes(owner))
      return [{ ...owner, fields: difference(owner.fields, only(LAST_APPLIED_FIELD)) }];
    const left = keepReplicas && contains(owner.fields, ['f:spec', 'f:replicas']);
    return left ? [{ ...owner, fields: REPLICAS }] : [];
  });
  const handed: FieldOwner[] =
    drops && !rest.some(({ fields }) => contains(fields, ['f:spec', 'f:replicas']))
      ? [{ ...ours, operation: 'Update', fields: REPLICAS }]
      : [];
  const own: FieldOwner[] =
    version === undefined
      ? []
      : [
          {
            ...(ours ?? moved[0]!),
            manager: FIELD_MANAGER,
            operation: 'Apply',
            fields: difference(gained, kept),
          },
        ];
  return [...own, ...handed, ...rest].filter(({ fields }) => !isEmpty(fields)).map(writeEntry);
}

const writeEntry = ({ manager, operation, apiVersion, subresource, time, fields }: FieldOwner): object => ({
  manager,
  operation,
  apiVersion,
  ...(subresource !== '' && { subresource }),
  ...(time !== undefined && { time }),
  fieldsType: 'FieldsV1',
  fieldsV1: writeFields(fields),
});
