import { Failure } from '../../host/index.ts';
import {
  ApiError,
  type Cluster,
  formatId,
  generationOf,
  idOf,
  type KubeObject,
  keyOf,
  LABEL_GENERATION_OF,
  type ObjectId,
} from '../../kubernetes/index.ts';
import { inParallel } from '../apply/in-parallel.ts';
import type { Revision } from './record.ts';

/** On a ConfigMap or Secret in a record: the name of the copy that keeps its value. */
const GENERATION = 'slipway.dev/generation';

/** Objects as a record holds them: ConfigMaps and Secrets without their values, by the names of the copies that keep those. */
export function hold(objects: readonly KubeObject[]): {
  readonly objects: readonly KubeObject[];
  readonly generations: readonly ObjectId[];
} {
  const generations: ObjectId[] = [];
  const held = objects.map((object) => {
    const copy = generationOf(object);
    // A Secret without generations is one that a controller of the cluster fills.
    if (copy === undefined) return object.kind === 'Secret' ? withoutValues(object, undefined) : object;
    generations.push(idOf(copy));
    return withoutValues(object, copy.metadata.name);
  });
  return { objects: held, generations };
}

function withoutValues(object: KubeObject, generation: string | undefined): KubeObject {
  const { data: _, binaryData: __, stringData: ___, metadata, ...rest } = object;
  const annotations = {
    ...metadata.annotations,
    ...(generation !== undefined && { [GENERATION]: generation }),
  };
  return {
    ...rest,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: { ...metadata, annotations },
  };
}

/** The copies that objects of a record need. */
export const generationsIn = (held: readonly KubeObject[]): readonly ObjectId[] =>
  held.flatMap((object) => {
    const name = object.metadata.annotations?.[GENERATION];
    return name === undefined ? [] : [{ ...idOf(object), name }];
  });

/**
 * Makes the copies that a revision needs of the values that the objects have; those that are there already stay. They come before
 * anything is changed, so that the way back is there before the way on.
 */
export async function keepGenerations(
  cluster: Cluster,
  wanted: readonly ObjectId[],
  objects: Iterable<KubeObject>,
  release: string,
): Promise<void> {
  const missing = new Set(wanted.map(keyOf));
  const copies = [...objects].flatMap((object) => {
    const copy = generationOf(object, release);
    // In the name mode an object is its own copy, and is applied with the others.
    if (copy === undefined || copy.metadata.name === object.metadata.name) return [];
    return missing.delete(keyOf(idOf(copy))) ? [copy] : [];
  });
  await inParallel(copies, (copy) => makeCopy(cluster, copy));
}

async function makeCopy(cluster: Cluster, copy: KubeObject): Promise<void> {
  try {
    await cluster.create(copy);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 409)) throw error;
  }
}

/** Objects of a record as they were sent, with the values of their ConfigMaps and Secrets. */
export async function restored(
  cluster: Cluster,
  objects: readonly KubeObject[],
): Promise<readonly KubeObject[]> {
  return await inParallel(objects, (object) => withValues(cluster, object));
}

async function withValues(cluster: Cluster, held: KubeObject): Promise<KubeObject> {
  const { [GENERATION]: name, ...annotations } = held.metadata.annotations ?? {};
  if (name === undefined) return held;
  const copy = await cluster.get({ ...idOf(held), name });
  const { data, binaryData } = (copy ?? {}) as { readonly data?: unknown; readonly binaryData?: unknown };
  const object: KubeObject = {
    ...held,
    metadata: { ...held.metadata, annotations },
    ...(data !== undefined && { data }),
    ...(binaryData !== undefined && { binaryData }),
  };
  if (copy !== undefined && generationOf(object)?.metadata.name === name) return object;
  throw new Failure(
    `${formatId(idOf(held))} cannot be brought back to its proven value: ${held.kind} ${name}, which kept it, ${copy === undefined ? 'is gone' : 'was changed'}; apply the value by hand and run again.`,
  );
}

/** Removes copies, and objects of the name mode, that no revision needs any more. */
export async function dropGenerations(
  cluster: Cluster,
  before: readonly (Pick<Revision, 'generations'> | undefined)[],
  after: readonly (Pick<Revision, 'generations'> | undefined)[],
): Promise<void> {
  const needed = new Set(after.flatMap((revision) => (revision?.generations ?? []).map(keyOf)));
  const gone = new Map(
    before.flatMap((revision) => (revision?.generations ?? []).map((id) => [keyOf(id), id])),
  );
  const ids = [...gone].flatMap(([key, id]) => (needed.has(key) ? [] : [id]));
  await inParallel(ids, (id) => removeCopy(cluster, id));
}

/** Only what says of itself that it is a generation: a name alone is no proof. */
async function removeCopy(cluster: Cluster, id: ObjectId): Promise<void> {
  const found = await cluster.get(id);
  if (found?.metadata.labels?.[LABEL_GENERATION_OF] === undefined) return;
  await cluster.remove(id, { propagation: 'Background', uid: found.metadata.uid });
}
