import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../host/index.ts';
import {
  ApiError,
  type Cluster,
  extract,
  formatId,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
  union,
} from '../../kubernetes/index.ts';
import type { AppliedObject, Conflict } from './change.ts';
import { conflictsOf, type OwnedConflict, unforced } from './conflicts.ts';
import { declared, mayReplace } from './declared.ts';
import type { ForcePattern } from './force.ts';
import { whyNotGone } from './gone.ts';
import type { Live } from './live.ts';
import { isImmutable, type Refusal, refusalOf } from './refusal.ts';
import { isSettled } from './settled.ts';
import { FIELD_MANAGER, governedFields, takenOver } from './take-over.ts';

/** How often an object that others change at the same time is read and tried again. */
const ATTEMPTS = 6;

/** How the apply of one object ended. */
export type Ending =
  | { readonly kind: 'applied'; readonly object: AppliedObject }
  | { readonly kind: 'conflicts'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

/** What an apply of one object needs to know of the others and of the cluster. */
export interface Around {
  /** One that is as its manifest says must have been read after all that the rollout depends on: it is left as it is. */
  readonly live: Live;
  readonly scaled: ReadonlySet<string>;
  readonly force?: readonly ForcePattern[] | undefined;
  readonly replace?: ((object: KubeObject) => boolean) | undefined;
  readonly signal: AbortSignal;
}

/** Applies one object. Throws only what is not about this object. */
export async function applyOne(cluster: Cluster, manifest: Manifest, around: Around): Promise<Ending> {
  const id = idOf(manifest.object);
  try {
    return await applyOver(cluster, manifest, around);
  } catch (error) {
    if (error instanceof Failure && (await cluster.resource(id.apiVersion, id.kind)) === undefined) {
      return refused(manifest, error.message);
    }
    if (!(error instanceof ApiError)) throw error;
    if (!isImmutable(error) || !(mayReplace(manifest.object) || around.replace?.(manifest.object))) {
      return { kind: 'refused', refusal: refusalOf(manifest, error) };
    }
    return await replace(cluster, manifest, around);
  }
}

/** Applies an object over what is there, which is read anew, and held on to by its version, once anything is in the way. */
async function applyOver(cluster: Cluster, manifest: Manifest, around: Around): Promise<Ending> {
  const { object } = manifest;
  const id = idOf(object);
  const scaled = around.scaled.has(keyOf(id));
  const results = new Set<AppliedObject['result']>();
  const applied = (object: KubeObject): Ending => {
    const result = (['created', 'changed'] as const).find((one) => results.has(one)) ?? 'unchanged';
    return { kind: 'applied', object: { id, result, object } };
  };
  for (let attempt = 1; ; attempt++) {
    around.signal.throwIfAborted();
    const before = attempt === 1 ? around.live.get(keyOf(id)) : await cluster.get(id);
    const last = attempt === ATTEMPTS;
    if (before?.metadata.deletionTimestamp != null) {
      const because = await whyNotGone(cluster, before, around.signal);
      if (because !== undefined) return refused(manifest, `${formatId(id)} ${because}`);
      continue;
    }
    if (before !== undefined && isDeclared(manifest, before, around.scaled)) return applied(before);
    try {
      const live = before && (await takeOver(cluster, id, before, scaled));
      const sent = declared(object, id, { live, scaled: around.scaled });
      const forbidden = (conflicts: readonly OwnedConflict[]) =>
        unforced(conflicts, { manifest, live, force: around.force ?? [], scaled });
      const answer = await (attempt === 1
        ? send(cluster, sent)
        : sendPinned(cluster, pin(sent, live), forbidden));
      if (answer.kind === 'conflicts') return answer;
      results.add(resultOf(before, answer.object));
      // Somebody's kubectl came in between, or the object was older than owners of fields: now it has some to take over.
      if (!last && takenOver(answer.object, { keepReplicas: scaled }) !== undefined) continue;
      return applied(answer.object);
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409) || last) throw error;
    }
  }
}

/** Whether an object is as a manifest says, so that it need not be applied. */
export function isDeclared({ object }: Manifest, live: KubeObject, scaled: ReadonlySet<string>): boolean {
  const id = idOf(object);
  return isSettled(live, declared(object, id, { live, scaled }), { keepReplicas: scaled.has(keyOf(id)) });
}

const refused = (manifest: Manifest, message: string): Ending => ({
  kind: 'refused',
  refusal: { id: idOf(manifest.object), message, location: manifest.locate(['kind']) },
});

type Answer =
  | { readonly kind: 'taken'; readonly object: KubeObject }
  | { readonly kind: 'conflicts'; readonly conflicts: readonly Conflict[] };

const send = async (cluster: Cluster, object: KubeObject, force = false): Promise<Answer> => ({
  kind: 'taken',
  object: await cluster.apply(object, { fieldManager: FIELD_MANAGER, force }),
});

/** Applies over the very version that the conflicts were told of: what comes in between is no longer what was allowed. */
async function sendPinned(
  cluster: Cluster,
  object: KubeObject,
  forbidden: (conflicts: readonly OwnedConflict[]) => readonly Conflict[],
): Promise<Answer> {
  try {
    return await send(cluster, object);
  } catch (error) {
    const owned = error instanceof ApiError ? conflictsOf(object, error) : [];
    if (owned.length === 0) throw error;
    const conflicts = forbidden(owned);
    return conflicts.length > 0 ? { kind: 'conflicts', conflicts } : await send(cluster, object, true);
  }
}

/** Makes what kubectl owned ours. Changes owners alone, and only of the very version that was read. */
async function takeOver(
  cluster: Cluster,
  id: ObjectId,
  live: KubeObject,
  keepReplicas: boolean,
): Promise<KubeObject> {
  const managedFields = takenOver(live, { keepReplicas });
  if (managedFields === undefined) return live;
  return await cluster.patch(
    id,
    [
      { op: 'replace', path: '/metadata/managedFields', value: managedFields },
      { op: 'replace', path: '/metadata/resourceVersion', value: live.metadata.resourceVersion },
    ],
    { fieldManager: FIELD_MANAGER, pinned: true },
  );
}

const pin = (object: KubeObject, live: KubeObject | undefined): KubeObject =>
  live === undefined
    ? object
    : { ...object, metadata: { ...object.metadata, resourceVersion: live.metadata.resourceVersion! } };

/** Whether an apply changed anything: what controllers change at the same time does not count. */
function resultOf(before: KubeObject | undefined, after: KubeObject): AppliedObject['result'] {
  if (before === undefined) return 'created';
  if (before.metadata.resourceVersion === after.metadata.resourceVersion) return 'unchanged';
  const fields = union(governedFields(before), governedFields(after));
  return isDeepStrictEqual(extract(before, fields), extract(after, fields)) ? 'unchanged' : 'changed';
}

/** Deletes an object and makes it anew. */
async function replace(cluster: Cluster, manifest: Manifest, around: Around): Promise<Ending> {
  const id = idOf(manifest.object);
  try {
    const live = await cluster.get(id);
    if (live !== undefined) {
      await cluster.remove(id, { propagation: 'Background', uid: live.metadata.uid });
      const because = await whyNotGone(cluster, live, around.signal);
      if (because !== undefined) return refused(manifest, `${formatId(id)} ${because}`);
    }
    const ending = await applyOver(cluster, manifest, { ...around, live: new Map() });
    if (ending.kind !== 'applied') return ending;
    return { kind: 'applied', object: { ...ending.object, result: 'replaced' } };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { kind: 'refused', refusal: refusalOf(manifest, error) };
  }
}
