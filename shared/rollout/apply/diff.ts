import { Failure } from '../../host/index.ts';
import {
  ApiError,
  absentFrom,
  type Cluster,
  difference,
  type FieldSet,
  formatId,
  groupOf,
  idOf,
  isEmpty,
  type KubeObject,
  keyOf,
  type Manifest,
  NO_FIELDS,
  type ObjectId,
  only,
  ownedFields,
  unheld,
  union,
  without,
} from '../../kubernetes/index.ts';
import type { Conflict, FieldChange, ObjectChange } from './change.ts';
import { changesBetween, removals, writtenShape } from './compare.ts';
import { conflictsOf, type OwnedConflict, unforced } from './conflicts.ts';
import { declared, inData, mayReplace } from './declared.ts';
import { type ForcePattern, stepsOf } from './force.ts';
import { inParallel } from './in-parallel.ts';
import { LAST_APPLIED, LAST_APPLIED_FIELD } from './last-applied.ts';
import { type Live, readLive } from './live.ts';
import { isImmutable, type Refusal, refusalOf } from './refusal.ts';
import { scaledAmong } from './scaled.ts';
import { isSettled } from './settled.ts';
import {
  appliedFields,
  FIELD_MANAGER,
  foreignFields,
  governedFields,
  REPLICAS,
  takenOver,
} from './take-over.ts';

/** How changes are worked out. */
export interface DiffOptions {
  /** Fields that may be taken from other owners; none when left out. */
  readonly force?: readonly ForcePattern[] | undefined;
  /** The objects as they are, where they were just read. */
  readonly live?: Live | undefined;
  readonly signal: AbortSignal;
}

/** What an apply would do, and the objects as they are, which `applyAll` can start from. */
export interface Diff {
  readonly changes: readonly ObjectChange[];
  /** Objects that the API server would refuse. */
  readonly refusals: readonly Refusal[];
  readonly live: Live;
}

/**
 * Works out what `applyAll` would change, object by object in the order of the manifests, by server-side dry runs with defaults and
 * admission in them. None is needed for an object that provably is as its manifest says. What the token may not try out, and objects whose namespace or kind is not there yet, are compared field by
 * field from what can be read.
 */
export async function diffAll(
  cluster: Cluster,
  manifests: readonly Manifest[],
  options: DiffOptions,
): Promise<Diff> {
  const objects = manifests.map(({ object }) => object);
  const [live, scaled] = await Promise.all([
    options.live ?? readLive(cluster, objects.map(idOf)),
    scaledAmong(cluster, objects),
  ]);
  const found = await inParallel(manifests, async (manifest) => {
    options.signal.throwIfAborted();
    return await diffOne(cluster, manifest, { manifests, live, scaled, force: options.force ?? [] });
  });
  return {
    changes: found.flatMap((one) => ('change' in one ? [one.change] : [])),
    refusals: found.flatMap((one) => ('refusal' in one ? [one.refusal] : [])),
    live,
  };
}

/**
 * What would change between two states that no cluster knows, such as those of a repository: only what is written counts, and what
 * is written no more.
 */
export function compareObjects(before: KubeObject | undefined, after: KubeObject): ObjectChange {
  const id = idOf(after);
  if (before === undefined) return { id, kind: 'create', fields: [], basis: 'compared', conflicts: [] };
  const [one, other] = [inData(before), inData(after)];
  return changeOf(
    id,
    changesBetween(one, other, { shape: writtenShape(one, other), given: false }),
    'compared',
    [],
  );
}

interface Around {
  readonly manifests: readonly Manifest[];
  readonly live: Live;
  readonly scaled: ReadonlySet<string>;
  readonly force: readonly ForcePattern[];
  /** Tell also of a state that is not the newest. */
  readonly however?: boolean;
}

type Found = { readonly change: ObjectChange } | { readonly refusal: Refusal };

/** How often an object that controllers write to at the same time is read again. */
const ATTEMPTS = 4;

async function diffOne(cluster: Cluster, manifest: Manifest, around: Around): Promise<Found> {
  const id = idOf(manifest.object);
  let live = around.live.get(keyOf(id));
  for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
    const found = await diffFrom(cluster, manifest, live, around);
    if (found !== 'stale') return found;
    live = await cluster.get(id);
  }
  // With what others changed in it: nothing of ours is missed.
  return (await diffFrom(cluster, manifest, live, { ...around, however: true })) as Found;
}

/** The change from a state of the object; `stale` where the server worked it out from a later one. */
async function diffFrom(
  cluster: Cluster,
  manifest: Manifest,
  live: KubeObject | undefined,
  { manifests, scaled, force, however = false }: Around,
): Promise<Found | 'stale'> {
  const id = idOf(manifest.object);
  const sent = declared(manifest.object, id, { live, scaled });
  const created: ObjectChange = { id, kind: 'create', fields: [], basis: 'compared', conflicts: [] };
  if (live === undefined && (await cluster.resource(id.apiVersion, id.kind)) === undefined) {
    if (isDefined(manifests, id)) return { change: created };
    return { refusal: await unserved(cluster, manifest) };
  }
  const keepReplicas = scaled.has(keyOf(id));
  if (live !== undefined && isSettled(live, sent, { keepReplicas }))
    return { change: changeOf(id, [], 'compared', []) };
  try {
    const { after, conflicts } = await dryRun(cluster, sent, live, keepReplicas);
    const rest = unforced(conflicts, { manifest, live, force, scaled: keepReplicas });
    if (live === undefined) return { change: { ...created, basis: 'dry-run' } };
    if (!however && isStale(live, after)) return 'stale';
    const fields = changesBetween(live, after, { shape: shapeOf(live, after), given: false });
    return { change: changeOf(id, fields, 'dry-run', rest) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (live === undefined && error.status === 404 && isMade(manifests, id)) return { change: created };
    if (isForbidden(error) || hasNoDryRun(error)) {
      if (live === undefined) return { change: created };
      return { change: changeOf(id, compared(live, sent, keepReplicas), 'compared', []) };
    }
    if (live !== undefined && isImmutable(error) && mayReplace(manifest.object)) {
      const fields = compared(live, sent, keepReplicas);
      return { change: { id, kind: 'replace', fields, basis: 'compared', conflicts: [] } };
    }
    return { refusal: refusalOf(manifest, error) };
  }
}

/** A dry run answers with the version that it started from. */
const isStale = (live: KubeObject, after: KubeObject): boolean =>
  live.metadata.resourceVersion !== after.metadata.resourceVersion;

/** Whether the manifests themselves define this kind. */
const isDefined = (manifests: readonly Manifest[], { apiVersion, kind }: ObjectId): boolean =>
  manifests.some(({ object }) => {
    const spec = object.spec as { group?: string; names?: { kind?: string } } | undefined;
    return (
      object.kind === 'CustomResourceDefinition' &&
      spec?.group === groupOf(apiVersion) &&
      spec.names?.kind === kind
    );
  });

/** Whether the manifests themselves make this namespace. */
const isMade = (manifests: readonly Manifest[], { namespace }: ObjectId): boolean =>
  manifests.some(({ object }) => object.kind === 'Namespace' && object.metadata.name === namespace);

/** The client knows the words for a kind that is not served, and the nearest that is. */
async function unserved(cluster: Cluster, manifest: Manifest): Promise<Refusal> {
  const id = idOf(manifest.object);
  const message = await cluster.apply(manifest.object, DRY_RUN).then(
    () => `${formatId(id)} is of a kind that the cluster does not serve.`,
    (error: unknown) => {
      if (error instanceof Failure) return error.message;
      throw error;
    },
  );
  return { id, message, location: manifest.locate(['kind']) };
}

/** A webhook that may have side effects is not asked in a dry run, and none is made. */
const hasNoDryRun = ({ status, message }: ApiError): boolean =>
  status === 400 && /does not support dry run/i.test(message);

/** The token lacks the right; admission and quota answer 403 too, and those would refuse the apply as well. */
const isForbidden = ({ status, reason, message }: ApiError): boolean =>
  status === 403 && reason === 'Forbidden' && /User ".*" cannot (patch|create|update)/.test(message);

const changeOf = (
  id: ObjectChange['id'],
  fields: readonly FieldChange[],
  basis: ObjectChange['basis'],
  conflicts: readonly Conflict[],
): ObjectChange => ({ id, kind: fields.length === 0 ? 'same' : 'update', fields, basis, conflicts });

interface DryRun {
  readonly after: KubeObject;
  readonly conflicts: readonly OwnedConflict[];
}

/** The object as an apply would leave it, and the fields of others that it would have to take. */
async function dryRun(
  cluster: Cluster,
  sent: KubeObject,
  live: KubeObject | undefined,
  keepReplicas: boolean,
): Promise<DryRun> {
  if (live !== undefined && takenOver(live, { keepReplicas }) !== undefined) {
    return await dryRunAfterTakeOver(cluster, sent, live, keepReplicas);
  }
  return await dryRunApply(cluster, sent);
}

const DRY_RUN = { fieldManager: FIELD_MANAGER, dryRun: true } as const;

async function dryRunApply(cluster: Cluster, sent: KubeObject): Promise<DryRun> {
  try {
    return { after: await cluster.apply(sent, DRY_RUN), conflicts: [] };
  } catch (error) {
    const conflicts = error instanceof ApiError ? conflictsOf(sent, error) : [];
    if (conflicts.length === 0) throw error;
    return { after: await cluster.apply(sent, { ...DRY_RUN, force: true }), conflicts };
  }
}

/**
 * What `kubectl apply` owned is taken over first, and that has no dry run that a second one could build on. So the fields that would go
 * are taken out of the result by hand, and a dry-run patch fills in the defaults that come in their place.
 */
async function dryRunAfterTakeOver(
  cluster: Cluster,
  sent: KubeObject,
  live: KubeObject,
  keepReplicas: boolean,
): Promise<DryRun> {
  const { after: merged, conflicts: all } = await dryRunApply(cluster, sent);
  if (isStale(live, merged)) return { after: merged, conflicts: all };
  const foreign = foreignFields(live);
  const conflicts = all.filter(({ field }) => holdsField(foreign, field));
  const dropped = droppedFields(live, sent, { of: governedFields(live), keepReplicas });
  if (isEmpty(dropped)) return { after: merged, conflicts };
  const { apiVersion: _, kind: __, metadata, status: ___, ...fields } = without(merged, dropped);
  const operations = [
    ...Object.entries(fields).map(([name, value]) => ({ op: 'add', path: `/${name}`, value })),
    { op: 'add', path: '/metadata/labels', value: metadata.labels ?? {} },
    { op: 'add', path: '/metadata/annotations', value: metadata.annotations ?? {} },
  ];
  const gone = Object.keys(merged)
    .filter((name) => !['apiVersion', 'kind', 'metadata', 'status'].includes(name) && !(name in fields))
    .filter((name) => live[name] !== undefined)
    .map((name) => ({ op: 'remove', path: `/${name}` }));
  const after = await cluster.patch(idOf(live), [...operations, ...gone], DRY_RUN);
  return { after, conflicts };
}

const shapeOf = (...objects: readonly KubeObject[]): FieldSet => union(...objects.map(ownedFields));

const holdsField = (set: FieldSet, field: string): boolean => stepsOf(field, set) !== undefined;

/** Fields of a set that would go with an apply, because the manifest does not have them and nobody else holds them. */
const droppedFields = (
  live: KubeObject,
  sent: KubeObject,
  { of, keepReplicas }: { readonly of: FieldSet; readonly keepReplicas: boolean },
): FieldSet =>
  unheld(
    absentFrom(sent, difference(of, keepReplicas ? REPLICAS : NO_FIELDS)),
    union(foreignFields(live), only(LAST_APPLIED_FIELD)),
  );

/** The changes that can be seen without trying them out: fields that the manifest says, and those that were ours and are dropped. */
function compared(live: KubeObject, sent: KubeObject, keepReplicas: boolean): readonly FieldChange[] {
  const changed = changesBetween(live, sent, { shape: ownedFields(live), given: true });
  const dropped = droppedFields(live, sent, { of: writtenFields(live), keepReplicas });
  return [...changed, ...removals(live, dropped)];
}

/** Fields that somebody wrote: of what kubectl owns, which has defaults in it, those of its last-applied annotation. */
function writtenFields(live: KubeObject): FieldSet {
  const governed = governedFields(live);
  const annotation = live.metadata.annotations?.[LAST_APPLIED];
  const ours = appliedFields(live);
  if (annotation === undefined) return ours;
  try {
    return union(ours, difference(governed, absentFrom(JSON.parse(annotation), governed)));
  } catch {
    return ours;
  }
}
