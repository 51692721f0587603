import { type Cluster, idOf, type KubeObject, keyOf, type Manifest } from '../../kubernetes/index.ts';
import { applyOne, isDeclared } from './apply-one.ts';
import type { AppliedObject } from './change.ts';
import { waitUntilServed } from './established.ts';
import type { ForcePattern } from './force.ts';
import { inParallel } from './in-parallel.ts';
import { type Live, readLive } from './live.ts';
import { ApplyFailure } from './refusal.ts';
import { scaledAmong } from './scaled.ts';

/** How manifests are applied. */
export interface ApplyAllOptions {
  /** Fields that may be taken from other owners; none when left out. */
  readonly force?: readonly ForcePattern[] | undefined;
  /** Objects that may be deleted and made anew, beside those that say so of themselves. */
  readonly replace?: ((object: KubeObject) => boolean) | undefined;
  /** The objects as they are, where they were just read (`diffAll`): saves reading them again. */
  readonly live?: Live | undefined;
  /** Aborted: no further object is begun, and its reason is thrown. */
  readonly signal: AbortSignal;
  /** Called for each object when the API server took it. */
  readonly onApplied?: ((object: AppliedObject) => void) | undefined;
}

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
  const scaled = await scaledAmong(cluster, objects);
  const applied: AppliedObject[] = [];
  for (const wave of waves) {
    options.signal.throwIfAborted();
    const live = await liveOf(cluster, wave, options.live, scaled);
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

/**
 * The objects of a wave as they are. Of those that were read before, the ones that were as declared are read anew, many by one list:
 * where they still are, an apply is spared, and where somebody changed them, they are applied over that.
 */
async function liveOf(
  cluster: Cluster,
  wave: readonly Manifest[],
  known: Live | undefined,
  scaled: ReadonlySet<string>,
): Promise<Live> {
  if (known === undefined)
    return await readLive(
      cluster,
      wave.map(({ object }) => idOf(object)),
    );
  const settled = wave.flatMap((manifest) => {
    const id = idOf(manifest.object);
    const live = known.get(keyOf(id));
    return live !== undefined && isDeclared(manifest, live, scaled) ? [id] : [];
  });
  const anew = await readLive(cluster, settled);
  const live = new Map([...known, ...anew]);
  for (const id of settled) if (!anew.has(keyOf(id))) live.delete(keyOf(id));
  return live;
}
