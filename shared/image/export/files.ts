import { createWriteStream } from 'node:fs';
import { chmod, lstat, mkdir, rm, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { writeTar } from '../../content/index.ts';
import { Failure } from '../../host/index.ts';
import { type Descriptor, type ImageSource, parseDocument, readLayer } from '../../oci/index.ts';
import { applyLayers } from '../files/base.ts';
import { type Contents, createContents } from '../files/contents.ts';
import { filesOf } from '../files/copy.ts';
import { diskPath } from '../files/disk.ts';
import { takeLayer } from '../files/layer.ts';
import { layerIndex } from '../files/layer-index.ts';
import { type Directory, fileSystem, type Node, walk } from '../files/tree.ts';
import { dockerArchive, ociArchive } from './archives.ts';

/** Folders for what an export needs on the way. */
export interface ExportFolders {
  readonly temporary: string;
  readonly cache: string;
}

interface Unpacked {
  readonly root: Directory;
  readonly contents: Contents;
}

async function unpackImage(
  source: ImageSource,
  manifest: Descriptor,
  folders: ExportFolders,
): Promise<Unpacked> {
  const { bytes } = await source.manifest(manifest.digest);
  const document = parseDocument(bytes, source.name, manifest.mediaType);
  if (document.kind !== 'image') throw new Error('Only an image for one platform has a root file system.');
  const layers = await Promise.all(
    document.manifest.layers.map(async (descriptor) => {
      const read = () => readLayer(descriptor, source);
      const index = await layerIndex(descriptor.digest, folders.cache, read);
      return { image: source.name, descriptor, index };
    }),
  );
  const root = applyLayers(layers);
  const contents = createContents(folders.temporary, async (archive) => {
    if (archive.kind !== 'layer') throw new Error('A layer has members of its own alone.');
    return readLayer(archive.layer, source);
  });
  await contents.prepare(filesOf(root));
  return { root, contents };
}

/** The files of an image, all layers applied, as one archive (`type=tar` of buildx). */
export async function exportTar(
  source: ImageSource,
  manifest: Descriptor,
  file: string,
  epoch: number,
  folders: ExportFolders,
): Promise<void> {
  const { root, contents } = await unpackImage(source, manifest, folders);
  const fs = fileSystem(root);
  for (const { path } of walk(fs.root)) fs.touched.add(path);
  const members = takeLayer(fs, epoch).map(({ entry, file: own }) =>
    own === undefined ? { entry } : { entry, content: () => contents.open(own) },
  );
  await writeFileFrom(file, writeTar(members));
}

/** The files of an image in a folder (`type=local` of buildx): owners are those of whoever runs this. */
export async function exportFolder(
  source: ImageSource,
  manifest: Descriptor,
  folder: string,
  folders: ExportFolders,
): Promise<void> {
  const { root, contents } = await unpackImage(source, manifest, folders);
  await mkdir(folder, { recursive: true });
  const directories: { path: string; mode: number }[] = [];
  for (const { path, node } of walk(root)) {
    const at = join(folder, path);
    await place(at, node, contents);
    if (node.type === 'directory') directories.push({ path: at, mode: node.mode });
  }
  // Last, so that a folder without write permission takes its files first.
  for (const { path, mode } of directories.reverse()) await chmod(diskPath(path), mode);
}

async function place(at: string, node: Node, contents: Contents): Promise<void> {
  const existing = await lstat(diskPath(at)).catch(() => undefined);
  if (node.type === 'directory') {
    if (existing !== undefined && !existing.isDirectory())
      throw new Failure(
        `The image has a folder where ${at} is something else; remove it or export to another folder.`,
      );
    await mkdir(diskPath(at), { recursive: true });
    return;
  }
  if (existing !== undefined) await rm(diskPath(at), { recursive: true });
  if (node.type === 'symlink') await symlink(diskPath(node.target), diskPath(at));
  else if (node.type === 'file') {
    await pipeline(
      Readable.from(contents.open(node)),
      createWriteStream(diskPath(at), { mode: 0o600, flags: 'wx' }),
    );
    await chmod(diskPath(at), node.mode);
  }
}

/** The image as `docker load` takes it, in a file (`type=docker,dest=FILE` of buildx). */
export async function exportDocker(
  source: ImageSource,
  manifest: Descriptor,
  tags: readonly string[],
  file: string,
): Promise<void> {
  await writeFileFrom(file, dockerArchive(source, manifest, tags));
}

/** The image as an OCI image layout in one archive (`type=oci,dest=FILE` of buildx), with nothing else in it. */
export async function exportOci(
  source: ImageSource,
  root: Descriptor,
  tags: readonly string[],
  file: string,
): Promise<void> {
  await writeFileFrom(file, ociArchive(source, root, tags));
}

/** Writes a file in place of what was there, and removes it when its content breaks off. */
async function writeFileFrom(file: string, content: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  try {
    await pipeline(Readable.from(content), createWriteStream(file));
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
}
