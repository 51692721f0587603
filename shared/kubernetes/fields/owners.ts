import type { KubeObject } from '../objects.ts';
import { type FieldSet, NO_FIELDS, parseFields, union } from './field-set.ts';

/** Who holds which fields of an object: an entry of metadata.managedFields. */
export interface FieldOwner {
  readonly manager: string;
  /** `Apply` states what it wants whole, each time; `Update` once wrote these fields. */
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  /** `status`, `scale`; empty for the object itself. */
  readonly subresource: string;
  /** RFC 3339, to the second. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** The owners that an object's managedFields name, in their order. */
export function ownersOf(object: KubeObject): readonly FieldOwner[] {
  return (object.metadata.managedFields ?? []).map((entry) => ({
    manager: entry.manager ?? '',
    operation: entry.operation === 'Apply' ? 'Apply' : 'Update',
    apiVersion: entry.apiVersion ?? object.apiVersion,
    subresource: entry.subresource ?? '',
    time: entry.time as string | undefined,
    fields: entry.fieldsType === 'FieldsV1' ? parseFields(entry.fieldsV1) : NO_FIELDS,
  }));
}

/** All fields that anybody owns. */
export const ownedFields = (object: KubeObject): FieldSet =>
  union(...ownersOf(object).map(({ fields }) => fields));
