import { isDeepStrictEqual } from 'node:util';
import { Failure } from '../../host/index.ts';
import {
  ApiError,
  type Cluster,
  extract,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
  union,
} from '../../kubernetes/index.ts';
import type { AppliedObject, Conflict } from './change.ts';
import { conflictsOf, type OwnedConflict, unforced } from './conflicts.ts';
import { declared } from './declared.ts';
import { waitUntilServed } from './established.ts';
import type { ForcePattern } from './force.ts';
import { waitUntilGone } from './gone.ts';
import { inParallel } from './in-parallel.ts';
import { type Live, readLive } from './live.ts';
import { ApplyFailure, isImmutable, type Refusal, refusalOf } from './refusal.ts';
import { scaledAmong } from './scaled.ts';
import { FIELD_MANAGER, governedFields, takenOver } from './take-over.ts';

export interface ApplyAllOptions {
  /** Fields that may be taken from other owners; none when left out. */
  readonly force?: readonly ForcePattern[] | undefined;
  /** The objects as they are, where they were just read (`diffAll`): saves reading them again. */
  readonly live?: Live | undefined;
  /** Aborted: no further object is begun, and its reason is thrown. */
  readonly signal: AbortSignal;
  /** Called for each object when the API server took it. */
  readonly onApplied?: ((object: AppliedObject) => void) | undefined;
}

/** An object of the user's may be deleted and made anew when a field that cannot change did. */
const REPLACE = 'slipway.dev/replace';

/** How often an object that others change at the same time is read and tried again. */
const ATTEMPTS = 6;

/**
 * Applies manifests by server-side apply under the name `slipway`, one wave after another, the objects of a wave at the same time.
 * A wave waits for the kinds and namespaces that the waves before it made. Answers in the order of the manifests.
 *
 * Fields that `kubectl apply` owned become ours first, so that those which the manifests dropped go. Replicas of workloads that an
 * autoscaler scales are left alone. Fields of other owners are taken only as `force` says: the API takes all or none of an object's,
 * so all of its conflicts must be allowed.
 *
 * Throws ApplyFailure with all refusals of the first wave that has some; what was applied until then stays.
 */
export async function applyAll(
  cluster: Cluster,
  waves: readonly (readonly Manifest[])[],
  options: ApplyAllOptions,
): Promise<readonly AppliedObject[]> {
  const objects = waves.flat().map(({ object }) => object);
  const [live, scaled] = await Promise.all([
    options.live ?? readLive(cluster, objects.map(idOf)),
    scaledAmong(cluster, objects),
  ]);
  const applied: AppliedObject[] = [];
  for (const wave of waves) {
    const endings = await inParallel(wave, async (manifest) => {
      options.signal.throwIfAborted();
      const ending = await applyOne(cluster, manifest, { ...options, live, scaled });
      if (ending.kind === 'applied') options.onApplied?.(ending.object);
      return ending;
    });
    applied.push(...endings.flatMap((ending) => (ending.kind === 'applied' ? [ending.object] : [])));
    const refusals = endings.flatMap((ending) => (ending.kind === 'refused' ? [ending.refusal] : []));
    const conflicts = endings.flatMap((ending) => (ending.kind === 'conflicts' ? ending.conflicts : []));
    refusals.push(...(await waitUntilServed(cluster, wave, endings, options.signal)));
    if (refusals.length + conflicts.length > 0) throw new ApplyFailure(refusals, conflicts, applied);
  }
  return applied;
}

export type Ending =
  | { readonly kind: 'applied'; readonly object: AppliedObject }
  | { readonly kind: 'conflicts'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

interface Around {
  readonly live: Live;
  readonly scaled: ReadonlySet<string>;
  readonly force?: readonly ForcePattern[] | undefined;
  readonly signal: AbortSignal;
}

async function applyOne(cluster: Cluster, manifest: Manifest, around: Around): Promise<Ending> {
  const id = idOf(manifest.object);
  try {
    return await applyOver(cluster, manifest.object, id, around);
  } catch (error) {
    if (error instanceof Failure && (await cluster.resource(id.apiVersion, id.kind)) === undefined) {
      return {
        kind: 'refused',
        refusal: { id, message: error.message, location: manifest.locate(['kind']) },
      };
    }
    if (!(error instanceof ApiError)) throw error;
    if (!isImmutable(error) || manifest.object.metadata.annotations?.[REPLACE] !== 'true') {
      return { kind: 'refused', refusal: refusalOf(manifest, error) };
    }
    return await replace(cluster, manifest, id, around);
  }
}

/** Applies an object over what is there, which is read anew, and held on to by its version, once anything is in the way. */
async function applyOver(
  cluster: Cluster,
  object: KubeObject,
  id: ObjectId,
  around: Around,
): Promise<Ending> {
  const scaled = around.scaled.has(keyOf(id));
  for (let attempt = 1; ; attempt++) {
    around.signal.throwIfAborted();
    const before = attempt === 1 ? around.live.get(keyOf(id)) : await cluster.get(id);
    const last = attempt === ATTEMPTS;
    try {
      const live = before && (await takeOver(cluster, id, before, scaled));
      const sent = declared(object, id, { live, scaled: around.scaled });
      const forbidden = (conflicts: readonly OwnedConflict[]) =>
        unforced(conflicts, { live, force: around.force ?? [], scaled });
      const answer = await (attempt === 1
        ? send(cluster, sent)
        : sendPinned(cluster, pin(sent, live), forbidden));
      if (answer.kind === 'conflicts') return answer;
      return {
        kind: 'applied',
        object: { id, result: resultOf(before, answer.object), object: answer.object },
      };
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 409) || last) throw error;
    }
  }
}

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
    { fieldManager: FIELD_MANAGER },
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
async function replace(cluster: Cluster, manifest: Manifest, id: ObjectId, around: Around): Promise<Ending> {
  try {
    const live = await cluster.get(id);
    if (live !== undefined) {
      await cluster.remove(id, { propagation: 'Background', uid: live.metadata.uid });
      await waitUntilGone(cluster, live, around.signal);
    }
    const ending = await applyOver(cluster, manifest.object, id, { ...around, live: new Map() });
    if (ending.kind !== 'applied') return ending;
    return { kind: 'applied', object: { ...ending.object, result: 'replaced' } };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { kind: 'refused', refusal: refusalOf(manifest, error) };
  }
}
