import { type Cluster, idOf, type KubeObject, keyOf, type ObjectId } from '../../kubernetes/index.ts';
import { intentOf } from '../apply/intent.ts';
import type { Live } from '../apply/live.ts';
import { adopted } from './adopt.ts';
import { dropGenerations, hold, keepGenerations } from './held.ts';
import { without } from './objects.ts';
import { applyProven } from './proven.ts';
import { type Attempt, nextNumber, type ReleaseRecord, type Revision } from './record.ts';
import { digestOfObjects, imagesOf } from './revision.ts';
import { type StoredRecord, writeRecord } from './store.ts';

/** A record with an attempt in it. */
export type Attempted = StoredRecord & { readonly record: ReleaseRecord & { readonly attempt: Attempt } };

export interface Beginning {
  readonly revision: Revision;
  /** As they will be sent. */
  readonly objects: readonly KubeObject[];
  readonly live: Live;
}

/**
 * Writes down what is about to be done, with the way back: what the attempt touches for the first time is adopted into the proven
 * revision, and the values of configuration are copied. An attempt that an earlier run left is taken over: what it created stays on
 * the list of what an undo removes, and what it changed and this one does not touch is set back first.
 */
export async function beginAttempt(
  cluster: Cluster,
  stored: StoredRecord,
  { revision, objects, live }: Beginning,
): Promise<Attempted> {
  await setBackOthers(cluster, stored.record, revision, objects);
  const found = adopted(objects, live, stored.record);
  const record = withAdopted(stored.record, found);
  const { proven, attempt: left, release } = record;
  const attempt: Attempt = {
    phase: 'applying',
    revision: { ...revision, number: nextNumber(record) },
    created: createdBy(record, objects, live),
    adopted: [...(left?.adopted ?? []), ...found.map(idOf)],
  };
  const wanted = [...(proven?.generations ?? []), ...revision.generations];
  const written = await writeRecord(cluster, stored, { ...record, attempt });
  // What is there first, as it was adopted: before anything was applied it still has the values that the way back needs.
  const there = [...live.values()].filter(isConfiguration).map(intentOf);
  const before =
    left === undefined ? without(wanted, stored.record.proven?.generations.map(keyOf) ?? [], keyOf) : wanted;
  await keepGenerations(cluster, before, [...there, ...objects], release);
  return { ...written, record: { ...written.record, attempt } };
}

/** What is not there yet, and what a left attempt made; a proven object that somebody deleted is none: an undo brings it back. */
function createdBy(
  { proven, attempt: left }: ReleaseRecord,
  objects: readonly KubeObject[],
  live: Live,
): readonly ObjectId[] {
  const made = left?.created ?? [];
  const there = [...live.keys(), ...made.map(keyOf)];
  const isNew = without(objects.map(idOf), there, keyOf);
  return without(
    [...made, ...isNew],
    (proven?.objects ?? []).map((object) => keyOf(idOf(object))),
    keyOf,
  );
}

/** The record in which the proven revision has also what was adopted; it is the first one where there was none. */
function withAdopted(record: ReleaseRecord, objects: readonly KubeObject[]): ReleaseRecord {
  if (objects.length === 0) return record;
  const held = hold(objects);
  const { proven } = record;
  if (proven === undefined) {
    const first: Revision = {
      number: nextNumber(record),
      digest: digestOfObjects(held.objects),
      run: 'adopted',
      at: new Date().toISOString(),
      images: imagesOf(objects),
      ...held,
      adopted: true,
    };
    return { ...record, proven: first };
  }
  return {
    ...record,
    proven: {
      ...proven,
      objects: [...proven.objects, ...held.objects],
      generations: [...proven.generations, ...held.generations],
    },
  };
}

/** Sets back what a left attempt changed and the objects that are rolled out now do not have. */
async function setBackOthers(
  cluster: Cluster,
  { proven, attempt: left, history }: ReleaseRecord,
  revision: Revision,
  objects: readonly KubeObject[],
): Promise<void> {
  if (left === undefined) return;
  const touched = new Set(left.revision.objects.map((object) => keyOf(idOf(object))));
  const others = without(
    proven?.objects ?? [],
    objects.map((object) => keyOf(idOf(object))),
    (object) => keyOf(idOf(object)),
  ).filter((object) => object.kind !== 'Job' && touched.has(keyOf(idOf(object))));
  if (others.length > 0) await applyProven(cluster, others, left);
  const created = new Set(left.created.map(keyOf));
  const copies = left.revision.generations.filter((id) => !created.has(keyOf(id)));
  await dropGenerations(cluster, [{ generations: copies }], [revision, proven, ...history]);
}

export const isAttempted = (stored: StoredRecord): stored is Attempted => stored.record.attempt !== undefined;

/** The record with its attempt in another phase. */
export async function inPhase(
  cluster: Cluster,
  stored: Attempted,
  phase: Attempt['phase'],
  because?: string,
): Promise<Attempted> {
  const attempt: Attempt = { ...stored.record.attempt, phase, because };
  const written = await writeRecord(cluster, stored, { ...stored.record, attempt });
  return { ...written, record: { ...written.record, attempt } };
}

const isConfiguration = ({ apiVersion, kind }: KubeObject): boolean =>
  apiVersion === 'v1' && (kind === 'ConfigMap' || kind === 'Secret');
