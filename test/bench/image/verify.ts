import { createGunzip, createZstdDecompress } from 'node:zlib';

/** What a pushed image has to be. */
export interface Expected {
  /** Texts that the binary holds. */
  readonly markers: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Digests of the content (diff ids) of the base's layers, which the image begins with. */
  readonly base: readonly string[];
}

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
}

/**
 * Reads an image back from the registry and gives what is wrong with it: a wrong reuse must not win. Labels are read from its
 * configuration, the base from its diff ids, the texts from its own layers.
 */
export async function verifyImage(
  host: string,
  repository: string,
  tag: string,
  expected: Expected,
): Promise<readonly string[]> {
  const manifest = await manifestOf(host, repository, tag);
  const config = await json<{ config?: { Labels?: Record<string, string> }; rootfs: { diff_ids: string[] } }>(
    `http://${host}/v2/${repository}/blobs/${manifest.config.digest}`,
  );
  const problems: string[] = [];
  for (const [key, value] of Object.entries(expected.labels)) {
    const found = config.config?.Labels?.[key];
    if (found !== value) problems.push(`label ${key} is ${found} and not ${value}`);
  }
  const own = config.rootfs.diff_ids;
  if (expected.base.some((digest, index) => own[index] !== digest))
    problems.push('it does not begin with the layers of its base');
  const missing = new Set(expected.markers);
  for (const layer of manifest.layers.slice(expected.base.length).toReversed()) {
    if (missing.size === 0) break;
    await findTexts(`http://${host}/v2/${repository}/blobs/${layer.digest}`, layer.mediaType, missing);
  }
  for (const text of missing) problems.push(`no layer holds the text ${text}`);
  return problems;
}

/** Diff ids of an image for linux/amd64. */
export async function diffIds(host: string, repository: string, tag: string): Promise<readonly string[]> {
  const { config } = await manifestOf(host, repository, tag);
  const read = await json<{ rootfs: { diff_ids: string[] } }>(
    `http://${host}/v2/${repository}/blobs/${config.digest}`,
  );
  return read.rootfs.diff_ids;
}

interface Manifest {
  readonly config: { readonly digest: string };
  readonly layers: readonly Layer[];
}

async function manifestOf(host: string, repository: string, reference: string): Promise<Manifest> {
  type Index = {
    manifests: { digest: string; platform?: { os: string; architecture: string } }[];
  };
  const found = await json<Manifest | Index>(`http://${host}/v2/${repository}/manifests/${reference}`);
  if (!('manifests' in found)) return found;
  const own = found.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === 'amd64',
  );
  if (own === undefined) throw new Error(`${repository}:${reference} has nothing for linux/amd64`);
  return manifestOf(host, repository, own.digest);
}

const types = ['oci.image.manifest.v1', 'oci.image.index.v1', 'docker.distribution.manifest.v2']
  .concat('docker.distribution.manifest.list.v2')
  .map((type) => `application/vnd.${type}+json`)
  .join(', ');

async function json<T>(url: string): Promise<T> {
  const answer = await fetch(url, { headers: { accept: types } });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  return (await answer.json()) as T;
}

/** Takes from `missing` each text that the layer holds. */
async function findTexts(url: string, mediaType: string, missing: Set<string>): Promise<void> {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const longest = Math.max(...[...missing].map((text) => text.length));
  let end = Buffer.alloc(0);
  for await (const chunk of unpacked(answer.body!, mediaType)) {
    const part = Buffer.concat([end, chunk]);
    for (const text of missing) if (part.includes(text)) missing.delete(text);
    // A text may lie across two chunks.
    end = part.subarray(-longest);
  }
}

function unpacked(body: ReadableStream<Uint8Array>, mediaType: string): AsyncIterable<Buffer> {
  if (mediaType.endsWith('gzip')) return pump(body, createGunzip());
  if (mediaType.endsWith('zstd')) return pump(body, createZstdDecompress());
  return body as unknown as AsyncIterable<Buffer>;
}

async function* pump(
  body: ReadableStream<Uint8Array>,
  through: NodeJS.ReadWriteStream,
): AsyncGenerator<Buffer> {
  const feeding = (async () => {
    for await (const chunk of body)
      if (!through.write(chunk)) await new Promise((resolve) => through.once('drain', resolve));
    through.end();
  })();
  feeding.catch((error) => (through as unknown as { destroy(error: Error): void }).destroy(error));
  yield* through as unknown as AsyncIterable<Buffer>;
}
