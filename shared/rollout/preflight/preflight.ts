import {
  type Cluster,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
} from '../../kubernetes/index.ts';
import { recordName } from '../release/record.ts';
import { type AccessReview, accessNeeds, type RunShape, reviewAccess } from './access.ts';
import { readFacts } from './facts.ts';
import type { Finding, MissingAccess, QosClass } from './finding.ts';
import { lintManifests, preflightRules, type RuleLevels } from './lint.ts';
import { qosOf } from './qos.ts';
import { resourceOptions, sceneOf } from './scene.ts';

/** What this run is going to do, as far as the preflight judges it. */
export interface PreflightOptions {
  readonly levels: RuleLevels;
  /** The objects of the manifests as they are in the cluster, by `keyOf`. */
  readonly live?: ReadonlyMap<string, KubeObject> | undefined;
  /** Objects that the run deletes. */
  readonly pruned?: readonly ObjectId[] | undefined;
  /** Where the release is remembered; default: that of the context. */
  readonly namespace?: string | undefined;
  /** Name of the release, whose record and Lease the token may be limited to. */
  readonly release?: string | undefined;
  /** Whether a failure is undone. */
  readonly undo?: boolean | undefined;
  /** Ways by which checks get to pods. */
  readonly checks?: RunShape['checks'] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the preflight found. */
export interface Preflight {
  /** In the order of the rules. */
  readonly findings: readonly Finding[];
  /** Rights that the run needs and the token does not have. */
  readonly missing: readonly MissingAccess[];
  /** The service level that each workload's pods get. */
  readonly qos: readonly { readonly id: ObjectId; readonly level: QosClass }[];
}

/**
 * Says what would go wrong before anything changes: the manifests by themselves, beside what the cluster has, and the rights of the
 * token. It only reads, so it works with a token that may do no more; what that may not read is said as unknown.
 */
export async function preflight(
  cluster: Cluster,
  manifests: readonly Manifest[],
  options: PreflightOptions,
): Promise<Preflight> {
  const { live = new Map(), pruned = [], levels, signal } = options;
  signal?.throwIfAborted();
  const [facts, reviewed] = await Promise.all([
    readFacts(cluster, manifests, { live, pruned }),
    review(cluster, manifests, options),
  ]);
  signal?.throwIfAborted();
  const scene = sceneOf(manifests, facts);
  const level = accessLevel(levels);
  return {
    findings: [...lintManifests(manifests, levels, facts), ...unknownAccess(manifests, reviewed, level)],
    missing:
      // Below the level of an error nothing stops the run: it is tried, and what it cannot do it says then.
      level === 'error'
        ? reviewed.missing
        : reviewed.missing.map((one) => ({ ...one, need: 'optional' as const })),
    qos: scene.workloads.map(({ id, spec }) => ({
      id,
      level: qosOf(spec, resourceOptions(scene, id.namespace)),
    })),
  };
}

const accessLevel = (levels: RuleLevels) =>
  levels.access ?? preflightRules.find(({ name }) => name === 'access')!.level;

async function review(
  cluster: Cluster,
  manifests: readonly Manifest[],
  { levels, live = new Map(), pruned = [], namespace, release, undo = true, checks = [] }: PreflightOptions,
): Promise<AccessReview> {
  if (accessLevel(levels) === 'off') return { missing: [], unknown: undefined };
  const resources = new Map(
    await Promise.all(
      [...manifests.map(({ object }) => idOf(object)), ...pruned].map(
        async ({ apiVersion, kind }) =>
          [`${apiVersion} ${kind}`, await cluster.resource(apiVersion, kind)] as const,
      ),
    ),
  );
  const needs = accessNeeds({
    manifests,
    resourceOf: ({ apiVersion, kind }) => resources.get(`${apiVersion} ${kind}`),
    isLive: (id) => live.has(keyOf(id)),
    namespace: namespace ?? cluster.namespace,
    pruned,
    undo,
    checks,
    record: release === undefined ? undefined : recordName(release),
    version: await cluster.version().catch(() => undefined),
  });
  return await reviewAccess(cluster, needs);
}

function unknownAccess(
  manifests: readonly Manifest[],
  { unknown }: AccessReview,
  level: ReturnType<typeof accessLevel>,
): Finding[] {
  const [first] = manifests;
  if (unknown === undefined || first === undefined || level === 'off') return [];
  return [
    {
      rule: 'access',
      level: 'notice',
      object: idOf(first.object),
      message: `Whether the token has all rights that the run needs is unknown: ${unknown}.`,
    },
  ];
}
