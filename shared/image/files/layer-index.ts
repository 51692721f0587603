import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { Digest, TarEntry } from '../../content/index.ts';

/** A member of a layer without its bytes. */
export interface IndexEntry extends TarEntry {
  /** Of a file's content. */
  readonly digest?: Digest;
  /** The content itself, for the few files that steps read (users and groups). */
  readonly text?: string;
}

/** What a layer holds, in the order of its archive. */
export type LayerIndex = readonly IndexEntry[];

/** Members of a layer as they are read: see readLayer of the oci room. */
export type LayerMembers = AsyncIterable<{
  readonly entry: TarEntry;
  readonly content: AsyncIterable<Uint8Array>;
}>;

const FORMAT = 1;
const KEPT = /(^|\/)(passwd|group)$/;
const LARGEST_KEPT = 2 ** 20;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/**
 * The index of a layer or archive, from the folder `layers` of `cache` when it was read before on this machine. A layer is read once, as
 * a stream; its digest names what it holds, so the index never goes stale.
 */
export async function layerIndex(
  digest: Digest,
  cache: string,
  read: () => LayerMembers,
): Promise<LayerIndex> {
  const directory = joinPath(cache, 'layers');
  const file = joinPath(directory, `${digest.slice('sha256:'.length)}.v${FORMAT}.json.zst`);
  const known = await load(file);
  if (known !== undefined) return known;
  const index = await indexMembers(read());
  await store(directory, file, index);
  return index;
}

export async function indexMembers(members: LayerMembers): Promise<LayerIndex> {
  const entries: IndexEntry[] = [];
  for await (const { entry, content } of members) entries.push(await indexMember(entry, content));
  return entries;
}

async function indexMember(entry: TarEntry, content: AsyncIterable<Uint8Array>): Promise<IndexEntry> {
  if (entry.type !== 'file') return entry;
  const hash = createHash('sha256');
  const kept: Uint8Array[] | undefined = KEPT.test(entry.name) && entry.size <= LARGEST_KEPT ? [] : undefined;
  for await (const chunk of content) {
    hash.update(chunk);
    kept?.push(Buffer.from(chunk));
  }
  const digest: Digest = `sha256:${hash.digest('hex')}`;
  return kept === undefined
    ? { ...entry, digest }
    : { ...entry, digest, text: Buffer.concat(kept).toString('latin1') };
}

async function load(file: string): Promise<LayerIndex | undefined> {
  try {
    const text = (await decompress(await readFile(file))).toString('utf8');
    return JSON.parse(text, revive) as LayerIndex;
  } catch {
    return undefined; // Absent or damaged (zstd frames end with a checksum): the layer is read again.
  }
}

async function store(directory: string, file: string, index: LayerIndex): Promise<void> {
  const temporary = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    await mkdir(directory, { recursive: true });
    const { constants } = await import('node:zlib');
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    await writeFile(temporary, await compress(JSON.stringify(index, flatten), { params }));
    await rename(temporary, file);
  } catch {
    // The index only saves time.
  }
}

function flatten(_: string, value: unknown): unknown {
  // Buffer.toJSON has turned bytes into {type: 'Buffer', data: […]} already; plain Uint8Arrays have no such form.
  return value instanceof Uint8Array ? { type: 'Buffer', data: [...value] } : value;
}

function revive(_: string, value: unknown): unknown {
  const bytes = value as { readonly type?: string; readonly data?: readonly number[] } | null;
  if (typeof bytes === 'object' && bytes?.type === 'Buffer' && Array.isArray(bytes.data))
    return Buffer.from(bytes.data);
  return value;
}
