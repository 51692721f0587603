import {
  ApiError,
  type Cluster,
  formatSelector,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
  type ServerVersion,
} from '../../kubernetes/index.ts';
import { inParallel } from '../apply/in-parallel.ts';
import { ASKED, type AskedKind, type LiveFacts, type Seen } from './rule.ts';
import { knownObjects, sceneOf, selectorOfService } from './scene.ts';
import { matchesLabels, workloadOf } from './workload.ts';

export interface FactsOptions {
  /** Objects that were read already, by `keyOf`. */
  readonly live: ReadonlyMap<string, KubeObject>;
  readonly pruned: readonly ObjectId[];
}

/**
 * Reads what rules want to know of a cluster: one list of each kind a namespace, all at once. What the token may not read is known
 * as unknown, never as absent.
 */
export async function readFacts(
  cluster: Cluster,
  manifests: readonly Manifest[],
  { live, pruned }: FactsOptions,
): Promise<LiveFacts> {
  const namespaces = [
    ...new Set(
      manifests.flatMap(({ object }) =>
        (workloadOf(object) ?? object.kind === 'Service') ? (object.metadata.namespace ?? []) : [],
      ),
    ),
  ];
  const questions = namespaces.flatMap((namespace) =>
    (Object.keys(ASKED) as AskedKind[]).map((kind) => ({ kind, namespace })),
  );
  const [version, served, answers] = await Promise.all([
    orUndefined(cluster.version()),
    orUndefined(servedKinds(cluster)),
    inParallel(questions, ({ kind, namespace }) => see(cluster, kind, namespace)),
  ]);
  const seen = new Map(
    questions.map(({ kind, namespace }, index) => [`${kind} ${namespace}`, answers[index]!]),
  );
  const facts = factsOf({ version, served, seen, live, pruned });
  const pods = await podsBehindServices(cluster, manifests, facts);
  return { ...facts, podsOf: (service) => pods.get(keyOf(service)) };
}

function factsOf({
  version,
  served,
  seen,
  live,
  pruned,
}: FactsOptions & {
  readonly version: ServerVersion | undefined;
  readonly served: ReadonlySet<string> | undefined;
  readonly seen: ReadonlyMap<string, Seen>;
}): LiveFacts {
  return {
    version,
    served,
    seen: (kind, namespace) => seen.get(`${kind} ${namespace}`) ?? { kind: 'seen', objects: [] },
    live: (id) => live.get(keyOf(id)),
    pruned,
  };
}

async function see(cluster: Cluster, kind: AskedKind, namespace: string): Promise<Seen> {
  const apiVersion = ASKED[kind];
  try {
    if ((await cluster.resource(apiVersion, kind)) === undefined)
      return { kind: 'unknown', because: `this server has no ${apiVersion} ${kind}` };
    const objects = await cluster.list({ apiVersion, kind, namespace });
    // Items of a list need not name their kind.
    return { kind: 'seen', objects: objects.map((object) => ({ ...object, apiVersion, kind })) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    const because =
      error.status === 403
        ? `the token may not list ${kind}s in ${namespace}`
        : `${error.call}: ${error.message}`;
    return { kind: 'unknown', because };
  }
}

async function servedKinds(cluster: Cluster): Promise<ReadonlySet<string>> {
  const all = await cluster.resources();
  return new Set(
    all.map(({ group, version, kind }) => `${group === '' ? '' : `${group}/`}${version}/${kind}`),
  );
}

async function orUndefined<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    if (error instanceof ApiError) return undefined;
    throw error;
  }
}

/** Pods that are selected by Services which no known workload explains: those of operators, or made by hand. */
async function podsBehindServices(
  cluster: Cluster,
  manifests: readonly Manifest[],
  facts: LiveFacts,
): Promise<ReadonlyMap<string, number>> {
  const scene = sceneOf(manifests, facts);
  const open = manifests.flatMap(({ object }) => {
    const selector = object.kind === 'Service' ? selectorOfService(object) : undefined;
    if (selector === undefined) return [];
    const { namespace } = object.metadata;
    const live = (['Deployment', 'StatefulSet', 'DaemonSet'] as const).flatMap(
      (kind) => knownObjects(scene, kind, namespace).objects,
    );
    const workloads = [...scene.workloads, ...live.flatMap((one) => workloadOf(one.object) ?? [])];
    const explained = workloads.some(
      ({ id, labels }) => id.namespace === namespace && matchesLabels(selector, labels),
    );
    return explained ? [] : [{ id: idOf(object), selector }];
  });
  const counts = await inParallel(open, async ({ id, selector }) => {
    const labelSelector = formatSelector({ matchLabels: selector });
    return (
      await orUndefined(
        cluster.list({ apiVersion: 'v1', kind: 'Pod', namespace: id.namespace, labelSelector }),
      )
    )?.length;
  });
  return new Map(
    open.flatMap(({ id }, index) => (counts[index] === undefined ? [] : [[keyOf(id), counts[index]]])),
  );
}
