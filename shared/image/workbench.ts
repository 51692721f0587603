import type { Digest } from '../content/index.ts';
import type { ResolvedStage, Source, Step } from '../dockerfile/index.ts';
import { type ImageSource, type Platform, type ResolvedImage, readLayer } from '../oci/index.ts';
import { applyLayers, type IndexedLayer } from './files/base.ts';
import { type Contents, createContents } from './files/contents.ts';
import type { ContentDigests } from './files/digests.ts';
import { type LayerIndex, layerIndex } from './files/layer-index.ts';
import { type Archive, type Directory, emptyDirectory, fileSystem, type RegularFile } from './files/tree.ts';
import { archiveMembers } from './files/unpack.ts';
import { once } from './once.ts';
import type { ImageRequest, ResolveImage } from './request.ts';
import { applySteps, type StepLayer, type Surroundings } from './steps.ts';

/** A stage that was assembled: its files, and the layers that its own steps made. */
export interface AssembledStage {
  readonly files: Directory;
  readonly layers: readonly StepLayer[];
  readonly base: ResolvedImage | undefined;
}

export interface WorkbenchOptions {
  /** Of the image that is made: the platform whose images a COPY --from takes from. */
  readonly platform: Platform;
  readonly request: ImageRequest;
  readonly images: ResolveImage;
  readonly digests: ContentDigests;
  /** Indexes of layers by their digest: images for several platforms often share layers. */
  readonly indexes: Map<Digest, Promise<LayerIndex>>;
  /** Folder for files that come out of archives. */
  readonly temporary: string;
  /** The build context, .dockerignore applied. */
  readonly context: Directory;
  /** A folder that stands for a stage or is a named context. */
  readonly directory: (path: string) => Directory;
  readonly warn: (message: string, step: Step) => void;
}

/** Assembles stages of one run: holds the trees, indexes and contents that stages share. */
export class Workbench {
  readonly contents: Contents;
  readonly #options: WorkbenchOptions;
  readonly #images = new Map<string, Promise<Directory>>();
  readonly #archives = new Map<string, ReturnType<Surroundings['archive']>>();
  readonly #sources = new Map<string, ImageSource>();

  constructor(options: WorkbenchOptions) {
    this.#options = options;
    this.contents = createContents(options.temporary, (archive) => this.#members(archive));
  }

  /** Carries out a stage's steps on its base; `stage` gives the files of other stages of the same graph. */
  async assemble(
    resolved: ResolvedStage,
    stage: (index: number) => Promise<AssembledStage | Directory>,
    base: AssembledStage | ResolvedImage | undefined,
    filesWanted: boolean,
  ): Promise<AssembledStage> {
    const image = base === undefined ? undefined : 'files' in base ? base.base : base;
    const root = await this.#rootOf(base, filesWanted || resolved.steps.some(dependsOnTree));
    const fs = fileSystem(root);
    if (base !== undefined) fs.pristine = false;
    const around: Surroundings = {
      source: (source) => this.#source(source, stage),
      read: (file) => this.contents.read(file),
      archive: (file) => this.#archive(file),
      warn: this.#options.warn,
      mtime: this.#options.request.epoch,
    };
    const own = await applySteps(fs, resolved.steps, around);
    const inherited = base !== undefined && 'files' in base ? base.layers : [];
    return { files: fs.root, layers: [...inherited, ...own], base: image };
  }

  #rootOf(base: AssembledStage | ResolvedImage | undefined, needed: boolean): Promise<Directory | undefined> {
    if (base === undefined) return Promise.resolve(undefined);
    if ('files' in base) return Promise.resolve(base.files);
    return needed ? this.imageTree(base) : Promise.resolve(undefined);
  }

  /** The root file system of an image, from the indexes of its layers. */
  imageTree(image: ResolvedImage): Promise<Directory> {
    const id = image.descriptor.digest;
    return once(this.#images, id, () => this.#readImage(image));
  }

  async #readImage(image: ResolvedImage): Promise<Directory> {
    this.#sources.set(image.source.name, image.source);
    const { indexes, request } = this.#options;
    const layers = image.manifest.layers.map(async (descriptor): Promise<IndexedLayer> => {
      const { digest } = descriptor;
      const read = () => readLayer(descriptor, image.source);
      const index = once(indexes, digest, () => layerIndex(digest, request.cache, read));
      return { image: image.source.name, descriptor, index: await index };
    });
    return applyLayers(await Promise.all(layers));
  }

  async #source(
    source: Source,
    stage: (index: number) => Promise<AssembledStage | Directory>,
  ): Promise<Directory> {
    switch (source.kind) {
      case 'context':
        return this.#options.context;
      case 'directory':
        return this.#options.directory(source.path);
      case 'image':
        if (source.reference === 'scratch') return emptyDirectory();
        return this.imageTree(await this.#options.images(source.reference, this.#options.platform));
      case 'stage': {
        const found = await stage(source.index);
        return 'files' in found ? found.files : found;
      }
    }
  }

  #archive(file: RegularFile): ReturnType<Surroundings['archive']> {
    const { content } = file;
    // Only files of this machine are unpacked in place; an archive inside of a heredoc or a layer is a curiosity.
    if (content.kind !== 'disk') return Promise.resolve(undefined);
    return once(this.#archives, content.path, () => this.#readArchive(file, content.path));
  }

  async #readArchive(file: RegularFile, path: string): ReturnType<Surroundings['archive']> {
    const members = await archiveMembers(() => this.contents.open(file));
    if (members === undefined) return undefined;
    const digest = await this.#options.digests.of(file);
    const index = await layerIndex(digest, this.#options.request.cache, () => members);
    return { index, archive: { kind: 'file', path, digest } };
  }

  async #members(archive: Archive) {
    if (archive.kind === 'layer') {
      return readLayer(archive.layer, this.#sources.get(archive.image)!);
    }
    const file: RegularFile = {
      type: 'file',
      mode: 0,
      uid: 0,
      gid: 0,
      size: 0,
      content: { kind: 'disk', path: archive.path },
    };
    const members = await archiveMembers(() => this.contents.open(file));
    if (members === undefined) throw new Error(`${archive.path} was an archive and is none any more.`);
    return members;
  }
}

/** Whether what a step makes depends on the files that are there before it. */
function dependsOnTree(step: Step): boolean {
  switch (step.kind) {
    case 'config':
      return false;
    case 'workdir':
      return step.path !== '/';
    case 'copy':
    case 'add':
      return !step.link || step.chmod !== undefined;
    case 'run':
      return true;
  }
}
