import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** An OCI digest string: `sha256:` and 64 lower-case hexadecimal digits (OCI image-spec, descriptor.md#digests). */
export type Digest = `sha256:${string}`;

/** The digest of a content in memory; text is UTF-8. */
export function digestOf(content: string | Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`;
}

/** Whether a text is a digest as OCI writes them (image-spec, descriptor.md), of the one algorithm that is used here. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The digest and size in bytes of a file's content, read as a stream. */
export async function digestOfFile(path: string): Promise<{ digest: Digest; size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer);
    size += (chunk as Buffer).length;
  }
  return { digest: `sha256:${hash.digest('hex')}`, size };
}
