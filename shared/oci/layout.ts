import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, isDigest } from '../content/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import { diskFailure } from './disk.ts';
import { withLock } from './layout-lock.ts';
import { describe, isForeign, isManifestType, LARGEST_MANIFEST, namedBy, parseDocument } from './manifest.ts';
import type { ImageSource } from './source.ts';
import { type Descriptor, type ImageTarget, type Index, MediaType } from './types.ts';
import { type Expected, verified } from './verify.ts';

/** The annotation under which an index.json keeps a tag (OCI image-spec, annotations.md). */
const REF_NAME = 'org.opencontainers.image.ref.name';
/** Blobs that no tag reaches are kept this long, in ms: another process may be about to write the manifest that names them. */
const GRACE = 60 * 60 * 1000;
const LARGEST_INDEX = 64 * 2 ** 20;

/** One entry of index.json that has a name. */
export interface TaggedDescriptor {
  readonly tag: string;
  readonly descriptor: Descriptor;
}

/** An OCI image layout on disk (OCI image-spec, image-layout.md): a source and a target of images. */
export interface Layout extends ImageSource, ImageTarget {
  readonly directory: string;
  referrers(digest: Digest, artifactType?: string): Promise<readonly Descriptor[]>;
  /** The named entries of index.json, in its order. */
  tags(): Promise<readonly TaggedDescriptor[]>;
  /** The descriptor under a tag or digest, with the annotations of its entry in index.json; undefined when there is none. */
  resolve(tagOrDigest: string): Promise<Descriptor | undefined>;
  /** As ImageTarget's; `annotations` are added to the entry in index.json, beside its name. */
  putManifest(
    bytes: Uint8Array,
    mediaType: string,
    tags: readonly string[],
    annotations?: Readonly<Record<string, string>>,
  ): Promise<Descriptor>;
  /** Removes names; their content stays until it is collected. */
  untag(tags: readonly string[]): Promise<void>;
  /** Removes what no entry of index.json reaches and nobody has touched for `grace` ms (default: an hour). */
  collectGarbage(grace?: number): Promise<{ readonly blobs: number; readonly bytes: number }>;
}

/**
 * Opens a layout, which is made when it is not there. Blobs appear under their digest only when they are whole and verified;
 * index.json is replaced in one step, under a lock. A process that is killed leaves nothing but files that the next garbage
 * collection removes. `name` is how messages call it; default: the directory as given.
 */
export async function openLayout(directory: string, name = directory): Promise<Layout> {
  const layout = new DirectoryLayout(directory, name);
  await layout.prepare();
  return layout;
}

class DirectoryLayout implements Layout {
  readonly directory: string;
  readonly name: string;
  readonly #blobs: string;
  readonly #index: string;

  constructor(directory: string, name: string) {
    this.directory = directory;
    this.name = name;
    this.#blobs = join(directory, 'blobs', 'sha256');
    this.#index = join(directory, 'index.json');
  }

  async prepare(): Promise<void> {
    await this.#guard(async () => {
      await mkdir(this.#blobs, { recursive: true });
      const marker = join(this.directory, 'oci-layout');
      const found = await readFile(marker, 'utf8').catch(() => undefined);
      if (found === undefined) await this.#replace(marker, Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
      else checkVersion(found, this.name);
    });
    // A layout without an index is none (image-layout.md), and whoever opened it may fail before there is anything to name.
    if ((await stat(this.#index).catch(() => undefined)) === undefined)
      await this.#editIndex((entries) => entries);
  }

  async tags(): Promise<readonly TaggedDescriptor[]> {
    return (await this.#readIndex()).manifests.flatMap((descriptor) => {
      const tag = descriptor.annotations?.[REF_NAME];
      return tag === undefined ? [] : [{ tag, descriptor }];
    });
  }

  async resolve(tagOrDigest: string): Promise<Descriptor | undefined> {
    const { manifests } = await this.#readIndex();
    const named = manifests.find(
      ({ digest, annotations }) => digest === tagOrDigest || annotations?.[REF_NAME] === tagOrDigest,
    );
    if (named !== undefined || !isDigest(tagOrDigest)) return named;
    // Members of an index have no entry of their own; what is larger than a manifest can be is a layer.
    const found = await stat(this.#path(tagOrDigest)).catch(() => undefined);
    if (found === undefined || found.size > LARGEST_MANIFEST) return undefined;
    const bytes = await this.#readFile(tagOrDigest);
    if (bytes === undefined) return undefined;
    const document = parseDocument(bytes, `${this.name}@${tagOrDigest}`);
    const written = document.kind === 'index' ? document.index.mediaType : document.manifest.mediaType;
    return describe(
      bytes,
      written ?? (document.kind === 'index' ? MediaType.ociIndex : MediaType.ociManifest),
    );
  }

  async manifest(tagOrDigest: string): Promise<{ bytes: Buffer; descriptor: Descriptor }> {
    const descriptor = await this.resolve(tagOrDigest);
    if (descriptor === undefined) throw await this.#unknown(tagOrDigest);
    const bytes = await this.#readFile(descriptor.digest);
    if (bytes === undefined) throw this.#damaged(descriptor.digest, 'is missing');
    const { digest, size } = describe(bytes, descriptor.mediaType);
    if (digest !== descriptor.digest) throw this.#damaged(descriptor.digest, `has the digest ${digest}`);
    return { bytes, descriptor: { ...descriptor, size } };
  }

  async *blob(descriptor: Descriptor): AsyncGenerator<Buffer> {
    const path = this.#path(descriptor.digest);
    try {
      yield* verified(createReadStream(path, { highWaterMark: 2 ** 20 }), descriptor, `The file ${path}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        throw this.#damaged(descriptor.digest, 'is missing');
      throw error;
    }
  }

  async has({ digest, size }: Expected): Promise<boolean> {
    const path = this.#path(digest);
    const found = await stat(path).catch(() => undefined);
    if (found?.size !== size) return false;
    // Whoever asks is about to rely on it: from now on it is young to a garbage collection.
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
    return true;
  }

  async mount(): Promise<boolean> {
    return false;
  }

  async put(blob: Expected, content: () => AsyncIterable<Uint8Array>): Promise<void> {
    if (await this.has(blob)) return;
    await this.#store(verified(content(), blob, `The content of ${blob.digest}`));
  }

  async stream(content: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> {
    return await this.#store(content);
  }

  async putManifest(
    bytes: Uint8Array,
    mediaType: string,
    tags: readonly string[],
    annotations: Readonly<Record<string, string>> = {},
  ): Promise<Descriptor> {
    const descriptor = describe(bytes, mediaType);
    await this.#checkComplete(bytes, mediaType);
    async function* content() {
      yield bytes;
    }
    await this.put(descriptor, content);
    if (tags.length > 0)
      await this.#editIndex((entries) => [
        ...entries.filter(({ annotations: has }) => !tags.includes(has?.[REF_NAME] ?? '')),
        ...tags.map((tag) => ({ ...descriptor, annotations: { ...annotations, [REF_NAME]: tag } })),
      ]);
    return descriptor;
  }

  async referrers(digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const { manifests } = await this.#readIndex();
    const found: Descriptor[] = [];
    for (const entry of manifests.filter(isReferrer))
      if ((artifactType ?? entry.artifactType) === entry.artifactType)
        if ((await this.#subjectOf(entry)) === digest) found.push(entry);
    return found;
  }

  /** What refers to another manifest has an entry without a name, as ORAS and buildx write it. */
  async putReferrer(bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = await this.putManifest(bytes, mediaType, []);
    const document = parseDocument(bytes, 'The manifest', mediaType);
    if (document.kind === 'index') throw new Error('An index refers to nothing.');
    const { artifactType, config, annotations } = document.manifest;
    const entry: Descriptor = {
      ...descriptor,
      artifactType: artifactType ?? config.mediaType,
      ...(annotations !== undefined && { annotations }),
    };
    await this.#editIndex((entries) => [
      ...entries.filter((one) => !isReferrer(one) || one.digest !== entry.digest),
      entry,
    ]);
    return descriptor;
  }

  async #subjectOf(entry: Descriptor): Promise<Digest | undefined> {
    const bytes = await this.#readFile(entry.digest);
    if (bytes === undefined) return undefined;
    const document = parseDocument(bytes, `${this.name}@${entry.digest}`, entry.mediaType);
    return document.kind === 'image' ? document.manifest.subject?.digest : undefined;
  }

  async untag(tags: readonly string[]): Promise<void> {
    await this.#editIndex((entries) =>
      entries.filter(({ annotations }) => !tags.includes(annotations?.[REF_NAME] ?? '')),
    );
  }

  async collectGarbage(grace = GRACE): Promise<{ blobs: number; bytes: number }> {
    await this.#forgetReferrers();
    return await this.#guard(() =>
      withLock(`${this.#index}.lock`, async () => {
        const reached = await this.#reached((await this.#readIndex()).manifests);
        let blobs = 0;
        let bytes = 0;
        for (const file of await readdir(this.#blobs)) {
          if (reached.has(file)) continue;
          const path = join(this.#blobs, file);
          const found = await stat(path).catch(() => undefined);
          if (found === undefined || Date.now() - found.mtimeMs < grace) continue;
          await rm(path, { force: true });
          blobs += 1;
          bytes += found.size;
        }
        return { blobs, bytes };
      }),
    );
  }

  /** What refers to a manifest goes with it. */
  async #forgetReferrers(): Promise<void> {
    const { manifests } = await this.#readIndex();
    const own = await this.#reached(manifests.filter((entry) => !isReferrer(entry)));
    const gone = new Set<Digest>();
    for (const entry of manifests.filter(isReferrer)) {
      const subject = await this.#subjectOf(entry);
      if (subject === undefined || !own.has(subject.slice('sha256:'.length))) gone.add(entry.digest);
    }
    if (gone.size > 0)
      await this.#editIndex((entries) =>
        entries.filter((entry) => !isReferrer(entry) || !gone.has(entry.digest)),
      );
  }

  /** File names of the blobs that entries lead to. */
  async #reached(entries: readonly Descriptor[]): Promise<ReadonlySet<string>> {
    const reached = new Set<string>();
    const waiting = [...entries];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const file = next.digest.slice('sha256:'.length);
      if (reached.has(file)) continue;
      reached.add(file);
      if (!isManifestType(next.mediaType)) continue;
      const bytes = await this.#readFile(next.digest);
      if (bytes !== undefined)
        waiting.push(...namedBy(parseDocument(bytes, `${this.name}@${next.digest}`, next.mediaType)));
    }
    return reached;
  }

  async #checkComplete(bytes: Uint8Array, mediaType: string): Promise<void> {
    const named = namedBy(parseDocument(bytes, 'The manifest', mediaType)).filter((blob) => !isForeign(blob));
    for (const { digest, size } of named)
      if (!(await this.has({ digest, size }))) throw this.#damaged(digest, 'is missing or has another size');
  }

  /** Writes a blob beside its place, makes sure that it is on the disk, and moves it there. */
  async #store(content: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> {
    const temporary = join(this.#blobs, `.${process.pid}-${randomUUID()}`);
    const file = await this.#guard(() => open(temporary, 'wx', 0o644));
    try {
      const stored = await this.#fill(file, content);
      await this.#guard(() => file.datasync());
      await file.close();
      await this.#guard(() => rename(temporary, this.#path(stored.digest)));
      return stored;
    } catch (error) {
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /** An error of the content goes on as it is; one of the disk becomes a sentence about this layout. */
  async #fill(
    file: FileHandle,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ digest: Digest; size: number }> {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of content) {
      hash.update(chunk);
      size += chunk.length;
      await this.#guard(async () => {
        for (let at = 0; at < chunk.length; ) at += (await file.write(chunk, at)).bytesWritten;
      });
    }
    return { digest: `sha256:${hash.digest('hex')}`, size };
  }

  async #editIndex(edit: (entries: readonly Descriptor[]) => readonly Descriptor[]): Promise<void> {
    await this.#guard(() =>
      withLock(`${this.#index}.lock`, async (held) => {
        const index = await this.#readIndex();
        const bytes = Buffer.from(
          JSON.stringify({ ...index, manifests: edit(index.manifests) }, undefined, 2),
        );
        if (!(await held()))
          throw new Failure(`Another process took over ${this.name} meanwhile; run this again.`);
        await this.#replace(this.#index, bytes);
      }),
    );
  }

  async #readIndex(): Promise<Index> {
    const bytes = await readFile(this.#index).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw diskFailure(error, this.name);
    });
    if (bytes === undefined) return { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] };
    const document =
      bytes.length > LARGEST_INDEX ? undefined : parseDocument(bytes, this.#index, MediaType.ociIndex);
    if (document?.kind === 'index') return document.index;
    throw new Failure(`${this.#index} is no image index; move the folder away to start anew.`);
  }

  async #readFile(digest: Digest): Promise<Buffer | undefined> {
    return await readFile(this.#path(digest)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw diskFailure(error, this.name);
    });
  }

  async #replace(path: string, bytes: Buffer): Promise<void> {
    const temporary = `${path}.${process.pid}-${randomUUID()}`;
    const file = await open(temporary, 'wx', 0o644);
    try {
      await file.writeFile(bytes);
      await file.datasync();
      await file.close();
      await rename(temporary, path);
    } catch (error) {
      await file.close().catch(() => {});
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #path(digest: Digest): string {
    if (!isDigest(digest)) throw new Failure(`"${String(digest)}" is no digest; accepted is sha256.`);
    return join(this.#blobs, digest.slice('sha256:'.length));
  }

  async #unknown(tagOrDigest: string): Promise<Failure> {
    const tags = (await this.tags()).map(({ tag }) => tag);
    const has = tags.length === 0 ? 'it has no tags' : `it has ${tags.slice(0, 10).join(', ')}`;
    return new Failure(`${this.name} has no image "${tagOrDigest}"; ${has}.${didYouMean(tagOrDigest, tags)}`);
  }

  #damaged(digest: Digest, how: string): Failure {
    return new Failure(`The image layout ${this.name} is damaged: the blob ${digest} ${how}.`);
  }

  async #guard<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw diskFailure(error, this.name);
    }
  }
}

function isReferrer({ artifactType, annotations }: Descriptor): boolean {
  return artifactType !== undefined && annotations?.[REF_NAME] === undefined;
}

function checkVersion(text: string, name: string): void {
  let version: unknown;
  try {
    version = (JSON.parse(text) as { imageLayoutVersion?: unknown }).imageLayoutVersion;
  } catch {
    // Said below.
  }
  if (typeof version !== 'string' || !version.startsWith('1.'))
    throw new Failure(
      `${join(name, 'oci-layout')} does not say that ${name} is an image layout of version 1.`,
    );
}
