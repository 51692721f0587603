import { Failure } from '../../host/index.ts';
import { type Cluster, formatId, idOf, type KubeObject } from '../../kubernetes/index.ts';

/** How long an object may take to go: garbage collection and finalizers that work take seconds. */
const MOST = 60_000;

/** Waits until this very object is gone. Throws Failure that names its finalizers when they do not let it go. */
export async function waitUntilGone(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): Promise<void> {
  const id = idOf(object);
  const latest = await watchFor(
    cluster,
    object,
    AbortSignal.any([signal, AbortSignal.timeout(MOST)]),
    (live) => live === undefined || live.metadata.uid !== object.metadata.uid,
  );
  signal.throwIfAborted();
  if (latest === 'seen') return;
  const live = await cluster.get(id);
  if (live === undefined || live.metadata.uid !== object.metadata.uid) return;
  const finalizers = live.metadata.finalizers?.join(', ') ?? 'none';
  throw new Failure(
    `${formatId(id)} was deleted but is still there after a minute (finalizers: ${finalizers}): see what should remove them, and run again.`,
  );
}

/** Watches one object until it is as wanted, or the signal is aborted. */
export async function watchFor(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
  wanted: (live: KubeObject | undefined) => boolean,
): Promise<'seen' | 'aborted'> {
  const { apiVersion, kind, name, namespace } = idOf(object);
  const done = new AbortController();
  try {
    let live: KubeObject | undefined;
    const query = { apiVersion, kind, namespace, fieldSelector: `metadata.name=${name}` };
    for await (const event of cluster.watch(query, AbortSignal.any([signal, done.signal]))) {
      if (event.type === 'deleted') live = undefined;
      else if (event.type !== 'synced') live = event.object;
      // Before the first `synced` nothing is known of what is not there.
      if (event.type === 'added' && !wanted(event.object)) continue;
      if (wanted(live)) return 'seen';
    }
    return 'aborted';
  } finally {
    done.abort();
  }
}
