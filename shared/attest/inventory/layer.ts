import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { safeRelative } from '../../content/index.ts';
import type { BuildInfo } from '../../go/index.ts';
import { type Descriptor, type ImageSource, readLayer } from '../../oci/index.ts';
import { GoProgramReader } from './go-program.ts';
import { type Database, databaseAt } from './packages.ts';

/** What one layer brings that an inventory lists, and all that it puts over lower layers. */
export interface LayerInventory {
  readonly programs: readonly GoProgram[];
  /** Files of package managers, by their paths. */
  readonly databases: Readonly<Record<string, { readonly kind: Database; readonly text: string }>>;
  /** Every path of the layer, whiteouts included, as its archive names it. */
  readonly paths: readonly string[];
}

/** A Go program in an image. */
export interface GoProgram {
  /** Absolute. */
  readonly path: string;
  readonly sha256: string;
  readonly info: BuildInfo;
}

/** Raised when the same layer would give another inventory than before. */
const FORMAT = 1;
/** A package database that is larger is no package database. */
const LARGEST_DATABASE = 64 * 2 ** 20;

/**
 * The inventory of a layer, read as a stream with flat memory; remembered below `cache` by the digest of the layer, which names what it
 * holds.
 */
export async function layerInventory(
  layer: Descriptor,
  source: ImageSource,
  cache: string,
): Promise<LayerInventory> {
  const folder = join(cache, 'inventories');
  const file = join(folder, `${layer.digest.slice('sha256:'.length)}.v${FORMAT}.json.zst`);
  const known = await load(file);
  if (known !== undefined) return known;
  const read = await readInventory(layer, source);
  await store(folder, file, read);
  return read;
}

async function readInventory(layer: Descriptor, source: ImageSource): Promise<LayerInventory> {
  const programs: GoProgram[] = [];
  const databases: Record<string, { kind: Database; text: string }> = {};
  const paths: string[] = [];
  for await (const { entry, content } of readLayer(layer, source)) {
    const path = safeRelative(entry.name);
    if (path === undefined || path === '') continue;
    paths.push(entry.type === 'directory' ? `${path}/` : path);
    if (entry.type !== 'file') continue;
    const kind = databaseAt(path);
    if (kind !== undefined && entry.size <= LARGEST_DATABASE)
      databases[path] = { kind, text: kind === 'rpm' ? '' : await textOf(content) };
    else {
      const program = await programOf(`/${path}`, content);
      if (program !== undefined) programs.push(program);
    }
  }
  return { programs, databases, paths };
}

async function textOf(content: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

async function programOf(path: string, content: AsyncIterable<Uint8Array>): Promise<GoProgram | undefined> {
  const reader = new GoProgramReader();
  const hash = createHash('sha256');
  let program = true;
  for await (const chunk of content) {
    reader.push(chunk);
    program &&= reader.possible;
    // Most files are none, which their first bytes tell; the rest passes by unread.
    if (program) hash.update(chunk);
  }
  return reader.found === undefined ? undefined : { path, sha256: hash.digest('hex'), info: reader.found };
}

async function load(file: string): Promise<LayerInventory | undefined> {
  try {
    return JSON.parse(
      (await promisify(zstdDecompress)(await readFile(file))).toString('utf8'),
    ) as LayerInventory;
  } catch {
    return undefined; // Absent or damaged: the layer is read again.
  }
}

async function store(folder: string, file: string, inventory: LayerInventory): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  try {
    await mkdir(folder, { recursive: true });
    const { constants } = await import('node:zlib');
    const params = { [constants.ZSTD_c_checksumFlag]: 1 };
    await writeFile(temporary, await promisify(zstdCompress)(JSON.stringify(inventory), { params }));
    await rename(temporary, file);
  } catch {
    // It only saves time.
    await rm(temporary, { force: true }).catch(() => {});
  }
}
