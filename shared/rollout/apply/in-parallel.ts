/** Requests at once: enough to hide a round trip, few enough for the API server's fair queues. */
const AT_ONCE = 16;

/**
 * Does the work for each item, a bounded number at once; results in the order of the items. After the first throw nothing more is
 * begun, and it is thrown when what was under way has ended: no request is still on its way when the caller goes on to undo.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  let next = 0;
  let thrown: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < items.length && thrown === undefined) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        thrown ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  if (thrown !== undefined) throw thrown.error;
  return results;
}
