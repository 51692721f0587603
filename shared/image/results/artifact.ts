import { type Digest, isDigest } from '../../content/index.ts';
import { type Descriptor, describe, type Manifest, MediaType, type Platform } from '../../oci/index.ts';
import { parseContents, parseDigests, type RecordEntry } from './record.ts';

/** Type of the artifact that holds what crosses the boundary of one stage. */
const STAGE = 'application/vnd.slipway.stage.v1';
/** Type of the artifact that holds the record of a branch. */
const RECORD = 'application/vnd.slipway.stages.v1';

const KEYS = 'dev.slipway.stage.keys';
const CONTENT = 'dev.slipway.stage.content';
const CONTENTS = 'dev.slipway.stage.contents';
const NAME = 'dev.slipway.stage.name';
const DIFF_ID = 'dev.slipway.stage.diff-id';
const TEXT = 'dev.slipway.stages.text';

/** The blob that OCI 1.1 has for a configuration that says nothing (image-spec, manifest.md, "Guidance for an Empty Descriptor"). */
export const EMPTY = {
  bytes: Buffer.from('{}'),
  descriptor: describe(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json'),
} as const;

/** A manifest with the configuration that has to be there before it. */
export interface Artifact {
  readonly manifest: Buffer;
  readonly config: { readonly bytes: Buffer; readonly descriptor: Descriptor };
}

/** A layer that an artifact has, and the digest of its uncompressed archive. */
export interface ArtifactLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/**
 * In which form results are stored: as artifacts of a type of our own (OCI 1.1), or, for a registry that takes images alone, as images
 * that nobody would start.
 */
export type ArtifactForm = 'artifact' | 'image';

/** The artifact of one stage. */
export function stageArtifact(result: RecordEntry<ArtifactLayer>, form: ArtifactForm): Artifact {
  return artifact(STAGE, form, [result.place], annotationsOf(result));
}

/** The artifact of a record: a layer with the parts of the keys, named by `text`, and the layers of all results that it lists. */
export function recordArtifact(
  keys: ArtifactLayer & { readonly text: Digest },
  results: readonly RecordEntry<ArtifactLayer>[],
  form: ArtifactForm,
): Artifact {
  const layers = results.map((result) => ({
    ...result.place,
    descriptor: { ...result.place.descriptor, annotations: annotationsOf(result) },
  }));
  const named = { ...keys.descriptor, annotations: { [TEXT]: keys.text } };
  return artifact(RECORD, form, [{ ...keys, descriptor: named }, ...layers], {});
}

function annotationsOf(result: RecordEntry<ArtifactLayer>): Record<string, string> {
  const { name, keys, content, contents, place } = result;
  return {
    [NAME]: name,
    [KEYS]: [...keys].sort().join(' '),
    [CONTENT]: content,
    [CONTENTS]: JSON.stringify(contents),
    [DIFF_ID]: place.diffId,
  };
}

function artifact(
  artifactType: string,
  form: ArtifactForm,
  layers: readonly ArtifactLayer[],
  annotations: Readonly<Record<string, string>>,
): Artifact {
  const config = form === 'artifact' ? EMPTY : imageConfig(layers);
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    ...(form === 'artifact' && { artifactType }),
    config: config.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
  return { manifest: Buffer.from(JSON.stringify(manifest)), config };
}

const NOWHERE: Platform = { os: 'unknown', architecture: 'unknown' };

function imageConfig(layers: readonly ArtifactLayer[]): Artifact['config'] {
  const config = { ...NOWHERE, rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) } };
  const bytes = Buffer.from(JSON.stringify(config));
  return { bytes, descriptor: describe(bytes, MediaType.ociConfig) };
}

/** What the artifact of a stage says; undefined when it is none. */
export function readStage(manifest: Manifest): RecordEntry<ArtifactLayer> | undefined {
  const [layer, ...more] = manifest.layers;
  if (layer === undefined || more.length > 0) return undefined;
  return entryOf(layer, { ...manifest.annotations });
}

/** What a record says. */
export interface RecordContent {
  /** The layer with the parts of the keys. */
  readonly keys: Descriptor;
  readonly results: readonly RecordEntry<ArtifactLayer>[];
}

/** What the artifact of a record says; undefined when it is none. A layer that is not described as a result's is left out. */
export function readRecord({ layers: [keys, ...results] }: Manifest): RecordContent | undefined {
  if (keys === undefined) return undefined;
  return { keys, results: results.flatMap((layer) => entryOf(layer, { ...layer.annotations }) ?? []) };
}

/** Whether a record says already what the next one would; `text` names the parts of its keys. */
export function saysTheSame(
  before: RecordContent,
  text: Digest,
  results: readonly RecordEntry<ArtifactLayer>[],
): boolean {
  const plain = (all: readonly RecordEntry<ArtifactLayer>[]) =>
    JSON.stringify(all.map((one) => [one.place.descriptor.digest, annotationsOf(one)]));
  return before.keys.annotations?.[TEXT] === text && plain(before.results) === plain(results);
}

function entryOf(
  layer: Descriptor,
  annotations: Readonly<Record<string, string | undefined>>,
): RecordEntry<ArtifactLayer> | undefined {
  const { [NAME]: name, [CONTENT]: content, [DIFF_ID]: diffId = layer.digest } = annotations;
  const keys = parseDigests(annotations[KEYS]);
  const contents = parseContents(annotations[CONTENTS]);
  if (name === undefined || content === undefined || !isDigest(content) || !isDigest(diffId))
    return undefined;
  if (contents === undefined) return undefined;
  const { mediaType, digest, size } = layer;
  return { name, keys, content, contents, size, place: { descriptor: { mediaType, digest, size }, diffId } };
}
