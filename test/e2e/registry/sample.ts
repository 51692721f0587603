import { createHash, randomBytes } from 'node:crypto';
import { digestOf } from '../../../shared/content/index.ts';
import {
  type Credentials,
  describe,
  type ImageTarget,
  type Login,
  MediaType,
  parseReference,
  type Reference,
  RegistryClient,
} from '../../../shared/oci/index.ts';

export const MIB = 2 ** 20;

/** Credentials of a test: one login for everything. */
export function loginAs(login: Login = { kind: 'anonymous' }): Credentials {
  return { origin: 'the test', login: async () => login };
}

/** A client that does not wait long, with what it logged. */
export function clientOf(
  options: Partial<ConstructorParameters<typeof RegistryClient>[0]> = {},
): RegistryClient & AsyncDisposable & { readonly logged: string[]; readonly secrets: string[] } {
  const logged: string[] = [];
  const secrets: string[] = [];
  const client = new RegistryClient({
    credentials: loginAs(),
    secret: (value) => secrets.push(value),
    log: (line) => logged.push(line),
    env: {},
    retries: { attempts: 4, first: 5, longest: 20, total: 2_000 },
    ...options,
  });
  return Object.assign(client, {
    logged,
    secrets,
    [Symbol.asyncDispose]: async () => client.close(),
  });
}

let counter = 0;

/** A repository that no other test uses. */
export function freshName(host: string, name = 'app'): Reference {
  counter += 1;
  return parseReference(`${host}/oci-${process.pid}-${counter}/${name}`);
}

export async function* chunked(bytes: Uint8Array, step = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

/** Content that cannot be compressed. */
export const noise = (size: number) => randomBytes(size);

export interface Sample {
  readonly layer: Buffer;
  readonly config: Buffer;
  readonly manifest: Buffer;
}

/** An image of one layer that is not compressed, so that its parts can be named. */
export function sampleImage(layer: Buffer = noise(100_000), architecture = 'amd64'): Sample {
  const config = Buffer.from(
    JSON.stringify({ architecture, os: 'linux', rootfs: { type: 'layers', diff_ids: [digestOf(layer)] } }),
  );
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: describe(config, MediaType.ociConfig),
      layers: [describe(layer, MediaType.ociLayer)],
    }),
  );
  return { layer, config, manifest };
}

/** Pushes a sample as the image room does: blobs first, the manifest under its tags last. */
export async function push(
  target: ImageTarget,
  { layer, config, manifest }: Sample,
  tags: readonly string[],
) {
  for (const bytes of [layer, config]) {
    const blob = { digest: digestOf(bytes), size: bytes.length };
    if (!(await target.has(blob))) await target.put(blob, () => chunked(bytes));
  }
  return await target.putManifest(manifest, MediaType.ociManifest, tags);
}

export async function bytesOf(content: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  return Buffer.concat(parts);
}

export async function sizeAndDigestOf(
  content: AsyncIterable<Uint8Array>,
): Promise<{ size: number; digest: string }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const part of content) {
    hash.update(part);
    size += part.length;
  }
  return { size, digest: `sha256:${hash.digest('hex')}` };
}
