import { createHash } from 'node:crypto';
import { Failure } from '../host/index.ts';
import type { Ask, Registry } from './registry.ts';
import { type Deed, networkFault } from './registry-failure.ts';
import { Passing } from './retry.ts';
import type { Expected } from './verify.ts';

/**
 * The content of a blob, verified at its end. A connection that breaks is made again for the bytes that are missing; only attempts
 * that brought nothing count against the limit.
 */
export async function* downloadBlob(
  registry: Registry,
  ask: Omit<Ask, 'headers' | 'accept'>,
  blob: Expected,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let received = 0;
  let fruitless = 0;
  for (;;) {
    const before = received;
    try {
      for await (const part of rest(registry, ask, blob, received)) {
        received += part.length;
        hash.update(part);
        yield part;
      }
      break;
    } catch (error) {
      const fault = networkFault(error, ask.deed, ask.signal);
      if (!(fault instanceof Passing)) throw fault;
      fruitless = received > before ? 0 : fruitless + 1;
      await registry.pause(fruitless, truncated(ask.deed, blob, received), ask.deed, ask.signal);
    }
  }
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== blob.digest)
    throw new Failure(
      `Cannot ${ask.deed.what}: the registry ${registry.name} gave ${digest} for the blob ${blob.digest}.`,
    );
}

/** From a byte to the end, in one answer. Throws Passing when that answer ends too early. */
async function* rest(
  registry: Registry,
  ask: Omit<Ask, 'headers' | 'accept'>,
  blob: Expected,
  from: number,
): AsyncGenerator<Buffer> {
  const ranged = from > 0;
  const response = await registry.ask({
    ...ask,
    headers: ranged ? { range: `bytes=${from}-` } : {},
    accept: ranged ? [200, 206] : [200],
  });
  // A registry that does not know ranges starts at the first byte again.
  let skip = response.status === 200 ? from : 0;
  let at = from;
  for await (const chunk of response.body()) {
    const part = chunk.subarray(Math.min(skip, chunk.length));
    skip -= chunk.length - part.length;
    at += part.length;
    if (at > blob.size)
      throw new Failure(`Cannot ${ask.deed.what}: ${blob.digest} has more than its ${blob.size} bytes.`);
    if (part.length > 0) yield part;
  }
  if (at < blob.size) throw new Passing(truncated(ask.deed, blob, at));
}

function truncated(deed: Deed, blob: Expected, received: number): Failure {
  return new Failure(
    `Cannot ${deed.what}: the registry ${deed.registry} gave only ${received} of the ${blob.size} bytes of ${blob.digest}.`,
  );
}
