import { type Cluster, idOf, type KubeObject } from '../../kubernetes/index.ts';

/** How long an object may take to go: garbage collection and finalizers that work take seconds. */
const MOST = 60_000;

/** Waits until this very object is gone; where it does not go, says why: `is being deleted, and …`. */
export async function whyNotGone(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
): Promise<string | undefined> {
  const isGone = (live: KubeObject | undefined): boolean =>
    live === undefined || live.metadata.uid !== object.metadata.uid;
  await watchFor(cluster, object, AbortSignal.any([signal, AbortSignal.timeout(MOST)]), isGone);
  signal.throwIfAborted();
  const live = await cluster.get(idOf(object));
  if (live === undefined || isGone(live)) return undefined;
  const finalizers = live.metadata.finalizers?.join(', ') ?? 'none';
  return `is being deleted, and was still there after a minute (finalizers: ${finalizers}): see what should remove them, and run again.`;
}

/** Watches one object until it is as wanted, or the signal is aborted. */
export async function watchFor(
  cluster: Cluster,
  object: KubeObject,
  signal: AbortSignal,
  wanted: (live: KubeObject | undefined) => boolean,
): Promise<void> {
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
      if (wanted(live)) return;
    }
  } finally {
    done.abort();
  }
}
