import { setTimeout as wait } from 'node:timers/promises';
import {
  ApiError,
  type Cluster,
  formatId,
  idOf,
  type KubeObject,
  type Manifest,
} from '../../kubernetes/index.ts';
import type { Ending } from './apply-one.ts';
import { watchFor } from './gone.ts';
import { inParallel } from './in-parallel.ts';
import type { Refusal } from './refusal.ts';

/** How long a new kind may take to be served. */
const MOST = 60_000;
/** Discovery has no watch. */
const PAUSE = 100;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/**
 * Waits until the kinds that a wave defined are served, so that the next may use them. Kinds that are not, because their names are
 * taken or time is up, are refusals.
 */
export async function waitUntilServed(
  cluster: Cluster,
  wave: readonly Manifest[],
  endings: readonly Ending[],
  signal: AbortSignal,
): Promise<readonly Refusal[]> {
  const refusals = await inParallel(wave, async (manifest, index): Promise<Refusal[]> => {
    const ending = endings[index]!;
    const object = ending.kind === 'applied' ? ending.object.object : undefined;
    if (object?.kind !== 'CustomResourceDefinition') return [];
    const because = await whyNotServed(cluster, object, signal);
    if (because === undefined) return [];
    const id = idOf(object);
    return [{ id, message: `${formatId(id)} is not served: ${because}`, location: manifest.locate([]) }];
  });
  return refusals.flat();
}

async function whyNotServed(
  cluster: Cluster,
  definition: KubeObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const limited = AbortSignal.any([signal, AbortSignal.timeout(MOST)]);
  let live: KubeObject = definition;
  if (!isSettled(live)) {
    await watchFor(cluster, definition, limited, (now) => {
      live = now ?? live;
      return now !== undefined && isSettled(now);
    });
    signal.throwIfAborted();
  }
  const refused = conditionOf(live, 'NamesAccepted');
  if (refused?.status === 'False') return `${refused.message ?? refused.reason ?? 'its names are taken'}.`;
  while (!limited.aborted) {
    if (await answers(cluster, live)) return undefined;
    await wait(PAUSE, undefined, { signal: limited }).catch(() => {});
  }
  signal.throwIfAborted();
  return 'it was not established within a minute.';
}

const conditionOf = ({ status }: KubeObject, type: string): Condition | undefined =>
  (status as { conditions?: readonly Condition[] } | undefined)?.conditions?.find((one) => one.type === type);

const isSettled = (definition: KubeObject): boolean =>
  conditionOf(definition, 'Established')?.status === 'True' ||
  conditionOf(definition, 'NamesAccepted')?.status === 'False';

/** Whether discovery knows the kind and its path answers: the one may be ahead of the other. */
async function answers(cluster: Cluster, definition: KubeObject): Promise<boolean> {
  const { group, names, versions } = definition.spec as {
    group: string;
    names: { kind: string };
    versions: readonly { name: string; served: boolean }[];
  };
  const { kind } = names;
  for (const { name } of versions.filter(({ served }) => served)) {
    const apiVersion = `${group}/${name}`;
    if ((await cluster.resource(apiVersion, kind)) === undefined) return false;
    try {
      await cluster.list({ apiVersion, kind, fieldSelector: 'metadata.name=none' });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 404) return false;
    }
  }
  return true;
}
