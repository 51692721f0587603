import { createHash } from 'node:crypto';
import type { Digest } from '../content/index.ts';
import { Failure } from '../host/index.ts';

/** What content is expected to be. */
export interface Expected {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * Passes content on and throws a Failure at its end when it is not what was expected, or as soon as it is too long. `from` says in
 * messages where the content comes from.
 */
export async function* verified(
  content: AsyncIterable<Uint8Array>,
  expected: Expected,
  from: string,
): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of content) {
    size += chunk.length;
    if (size > expected.size)
      throw new Failure(`${from} gave more than the ${expected.size} bytes of ${expected.digest}.`);
    hash.update(chunk);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  }
  if (size < expected.size)
    throw new Failure(`${from} gave only ${size} of the ${expected.size} bytes of ${expected.digest}.`);
  const digest = `sha256:${hash.digest('hex')}`;
  if (digest !== expected.digest)
    throw new Failure(
      `${from} gave ${digest} where ${expected.digest} was asked for: the content is damaged.`,
    );
}

/** All of a content that is known to be small. */
export async function collect(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}
