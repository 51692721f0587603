import {
  ApiError,
  type Cluster,
  type ConfigurationMode,
  idOf,
  type KubeObject,
  keyOf,
  type Manifest,
  type ObjectId,
  withConfiguration,
} from '../kubernetes/index.ts';
import type { ObjectChange } from './apply/change.ts';
import { diffAll } from './apply/diff.ts';
import { parseForcePatterns } from './apply/force.ts';
import { type Live, readLive } from './apply/live.ts';
import { withoutPlainSecrets } from './apply/plain-secrets.ts';
import { pruneCandidates } from './apply/prune.ts';
import { conflictMessage, type Refusal } from './apply/refusal.ts';
import type { CheckVerdict } from './checks.ts';
import type { Patience } from './outcome.ts';
import type { Finding, Level, MissingAccess, Rule } from './preflight/finding.ts';
import { type PreflightOptions, preflight } from './preflight/preflight.ts';
import { adopted } from './release/adopt.ts';
import { hold } from './release/held.ts';
import { releaseName, withRelease } from './release/name.ts';
import { without } from './release/objects.ts';
import { emptyRecord, nextNumber, type ReleaseRecord, type Revision } from './release/record.ts';
import { digestOfObjects, imagesOf } from './release/revision.ts';
import { readRecord, type StoredRecord } from './release/store.ts';

/** What is rolled out, and how. Times are in milliseconds. */
export interface RolloutRequest {
  /** Read, with their images pinned and their namespaces set. */
  readonly manifests: readonly Manifest[];
  /** Where the release is remembered. */
  readonly namespace: string;
  readonly release?: string | undefined;
  /** Who rolls out, for others to read: the address of a run, or user@host. */
  readonly run: string;
  readonly configuration: ConfigurationMode;
  /** Lines of force-conflicts. */
  readonly forceConflicts: readonly string[];
  readonly prune: boolean;
  readonly rules: Readonly<Partial<Record<Rule, Level>>>;
  readonly timeout: number;
  readonly patience: Patience;
  readonly undo: boolean;
  readonly waitForOthers: number;
  /** Checks of what is in service, after all workloads are complete; it throws no verdict. */
  readonly checks?: ((cluster: Cluster, signal: AbortSignal) => Promise<readonly CheckVerdict[]>) | undefined;
  /** How the checks get to pods, for the review of rights. */
  readonly checkWays?: PreflightOptions['checks'];
}

/** What a run would do, and what stands in its way. Making it changes nothing in the cluster. */
export interface RolloutPlan {
  readonly request: RolloutRequest;
  readonly release: string;
  /** What is applied: with the configuration's hashes and the release's name. */
  readonly manifests: readonly Manifest[];
  /** What the cluster knew of the release when this was planned. */
  readonly stored: StoredRecord;
  readonly revision: Revision;
  readonly findings: readonly Finding[];
  readonly missing: readonly MissingAccess[];
  readonly changes: readonly ObjectChange[];
  /** Objects that the API server would not take. */
  readonly refusals: readonly Refusal[];
  /** Objects of earlier revisions that the manifests no longer have and that `prune` deletes. */
  readonly pruned: readonly ObjectId[];
  readonly live: Live;
  /** Objects of it are in the cluster that no revision has: what they are now is what an undo goes back to. */
  readonly adopts: boolean;
  /** The cluster is as the manifests say, and this revision is the proven one: only that it works is left to be seen. */
  readonly unchanged: boolean;
  /** Why it cannot be run, one sentence each; empty when it can. */
  readonly blocked: readonly string[];
  /** Those of them that no other token would mend. */
  readonly faults: readonly string[];
}

/** Plans a rollout: preflight, access review and diff. Changes nothing. */
export async function planRollout(
  cluster: Cluster,
  request: RolloutRequest,
  signal: AbortSignal,
): Promise<RolloutPlan> {
  const configured = withConfiguration(request.manifests, request.configuration);
  const objects = configured.map(({ object }) => object);
  const unreadable = new Set<string>();
  const live = await readLive(cluster, objects.map(idOf), (id) => unreadable.add(keyOf(id)));
  const release = releaseName(objects, live, request.release);
  const marked = withRelease(objects, release);
  const manifests = configured.map((manifest, index) => ({ ...manifest, object: marked[index]! }));
  const stored = await recordFor(cluster, release, request.namespace);
  const readable = manifests.filter(({ object }) => !unreadable.has(keyOf(idOf(object))));
  const leave = leaving(stored.record, manifests, request.prune);
  const pruned = [...(await readLive(cluster, leave.pruned)).values()].map(idOf);
  const [{ findings, missing }, { changes, refusals }] = await Promise.all([
    preflight(cluster, manifests, {
      levels: request.rules,
      live,
      pruned,
      namespace: request.namespace,
      release,
      undo: request.undo,
      checks: request.checkWays,
      signal,
    }),
    diffAll(cluster, readable, { force: parseForcePatterns(request.forceConflicts), live, signal }),
  ]);
  const { proven, attempt } = stored.record;
  const adopts = adopted(marked, live, stored.record).length > 0;
  const revision = revisionOf(marked, stored.record, request.run, adopts && proven === undefined);
  const faults = faultsIn(findings, changes, refusals);
  return {
    request,
    release,
    manifests,
    stored,
    revision,
    findings,
    missing,
    changes: withoutPlainSecrets([
      ...changes,
      ...manifests.filter((one) => !readable.includes(one)).map(unknownChange),
      ...pruned.map(removal),
    ]),
    refusals,
    pruned,
    live,
    adopts,
    unchanged:
      attempt === undefined &&
      proven?.digest === revision.digest &&
      pruned.length === 0 &&
      refusals.length === 0 &&
      changes.every(({ kind }) => kind === 'same'),
    blocked: [...lackingIn(missing), ...faults],
    faults,
  };
}

/** A token that may not read the record can still plan; that it lacks the right is among what is missing. */
async function recordFor(cluster: Cluster, release: string, namespace: string): Promise<StoredRecord> {
  try {
    return await readRecord(cluster, release, namespace);
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 403)) throw error;
    return { record: emptyRecord(release, namespace), version: undefined };
  }
}

const removal = (id: ObjectId): ObjectChange => ({
  id,
  kind: 'remove',
  fields: [],
  basis: 'compared',
  conflicts: [],
});

function revisionOf(
  objects: readonly KubeObject[],
  record: ReleaseRecord,
  run: string,
  afterAdopted: boolean,
): Revision {
  const held = hold(objects);
  return {
    number: nextNumber(record) + (afterAdopted ? 1 : 0),
    digest: digestOfObjects(held.objects),
    run,
    at: new Date().toISOString(),
    images: imagesOf(objects),
    ...held,
  };
}

/**
 * What of earlier revisions is no longer among the manifests: `pruned` is to be deleted, `dropped` stays and is remembered.
 * Generations of configuration are neither: they go by age. Nor is what was adopted and never rolled out to its end: it was another's
 * before, and is again.
 */
export function leaving(
  { proven, attempt, dropped }: ReleaseRecord,
  manifests: readonly Manifest[],
  prune: boolean,
): { readonly pruned: readonly ObjectId[]; readonly dropped: readonly ObjectId[] } {
  const known = [
    ...manifests.map(({ object }) => idOf(object)),
    ...(proven?.generations ?? []),
    ...(attempt?.adopted ?? []),
  ].map(keyOf);
  const ours = proven?.adopted ? [] : (proven?.objects ?? []);
  const earlier = [...ours.map(idOf), ...dropped];
  const left = new Map(without(earlier, known, keyOf).map((id) => [keyOf(id), id]));
  if (!prune) return { pruned: [], dropped: [...left.values()] };
  const kept = new Set((proven?.objects ?? []).map((object) => keyOf(idOf(object))));
  const candidates = pruneCandidates(proven?.objects ?? [], manifests).map(keyOf);
  for (const key of candidates) kept.delete(key);
  return {
    pruned: [...left].flatMap(([key, id]) => (kept.has(key) ? [] : [id])),
    dropped: [...left].flatMap(([key, id]) => (kept.has(key) ? [id] : [])),
  };
}

/** What would change in an object that the token may not read. */
const unknownChange = ({ object }: Manifest): ObjectChange => ({
  id: idOf(object),
  kind: 'unknown',
  fields: [],
  basis: 'compared',
  conflicts: [],
});

function lackingIn(missing: readonly MissingAccess[]): readonly string[] {
  const access = missing
    .filter(({ need }) => need === 'required')
    .map(
      ({ verb, resource, namespace }) =>
        `${verb} ${resource}${namespace === undefined ? '' : ` in ${namespace}`}`,
    );
  return access.length > 0 ? [`The token lacks rights that this run needs: ${access.join(', ')}.`] : [];
}

function faultsIn(
  findings: readonly Finding[],
  changes: readonly ObjectChange[],
  refusals: readonly Refusal[],
): readonly string[] {
  const conflicts = changes.flatMap((change) => change.conflicts);
  const said = [
    ...findings.filter(({ level }) => level === 'error').map(({ message }) => message),
    ...refusals.map(({ message }) => message),
  ];
  return [...new Set(said), ...(conflicts.length > 0 ? [conflictMessage(conflicts)] : [])];
}
