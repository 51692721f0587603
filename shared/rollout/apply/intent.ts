import {
  contains,
  extract,
  type FieldOwner,
  isEmpty,
  type KubeObject,
  only,
  ownersOf,
  union,
  without,
} from '../../kubernetes/index.ts';
import { declared } from './declared.ts';
import { LAST_APPLIED_FIELD } from './last-applied.ts';

/** Owners that answer to an object rather than say what it should be. */
const CONTROLLERS =
  /^(kube-controller-manager|kube-scheduler|kube-apiserver|kubelet|cloud-controller-manager)$|controller|operator|autoscaler/;

/**
 * What people and their tools want of a live object: the fields of all owners but controllers, without what the API server writes. The
 * state to which an object that was there before the first run goes back. Of an object whose owners are not known, all of it.
 */
export function intentOf(live: KubeObject): KubeObject {
  const wanted = union(
    ...ownersOf(live)
      .filter(isIntent)
      .map(({ fields }) => fields),
  );
  const whole = isEmpty(wanted) ? live : extract(live, wanted);
  return declared(
    without(whole, only(LAST_APPLIED_FIELD)),
    { apiVersion: live.apiVersion, kind: live.kind, name: live.metadata.name },
    { live: undefined, scaled: new Set() },
  );
}

/** A number of replicas that a person set by `kubectl scale` is intent, one that an autoscaler set is not. */
const isIntent = ({ manager, subresource, operation, fields }: FieldOwner): boolean =>
  subresource === '' || subresource === 'scale'
    ? !CONTROLLERS.test(manager) || operation === 'Apply' || contains(fields, LAST_APPLIED_FIELD)
    : false;
