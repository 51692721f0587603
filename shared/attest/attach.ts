import { type Digest, digestOf } from '../content/index.ts';
import {
  type Descriptor,
  type ImageSource,
  type ImageTarget,
  MediaType,
  parseDocument,
} from '../oci/index.ts';
import { STATEMENT_TYPE, type Statement, statementBytes } from './statement.ts';

/** A repository or layout that has the image, and takes what refers to it. */
export type AttestationPlace = ImageTarget & ImageSource;

/**
 * The artifact type of BuildKit's attestation manifests (`oci-artifact=true`): what is attached here under it, `docker buildx
 * imagetools create` takes into an index.
 */
export const ATTESTATION_MANIFEST = 'application/vnd.docker.attestation.manifest.v1+json';
const BUNDLE_PREFIX = 'application/vnd.dev.sigstore.bundle';
const PREDICATE = 'in-toto.io/predicate-type';
const BUNDLE_PREDICATE = 'dev.sigstore.bundle.predicateType';

/** OCI image-spec, manifest.md#guidance-for-an-empty-descriptor */
const EMPTY = Buffer.from('{}');
const EMPTY_CONFIG: Descriptor = {
  mediaType: 'application/vnd.oci.empty.v1+json',
  digest: digestOf(EMPTY),
  size: EMPTY.length,
  data: EMPTY.toString('base64'),
};

/** A signed statement, as it is stored. */
export interface SignedStatement {
  readonly predicateType: string;
  /** Such as `application/vnd.dev.sigstore.bundle.v0.3+json`. */
  readonly mediaType: string;
  /** JSON of a sigstore bundle. */
  readonly bundle: Buffer;
}

/** Attaches statements to one manifest: one artifact that holds them all, as BuildKit makes it. */
export async function attachStatements(
  place: AttestationPlace,
  subject: Descriptor,
  statements: readonly Statement[],
): Promise<Descriptor> {
  const blobs = statements.map((one) => ({
    bytes: statementBytes(one),
    mediaType: STATEMENT_TYPE,
    annotations: { [PREDICATE]: one.predicateType },
  }));
  return await attach(place, subject, ATTESTATION_MANIFEST, blobs);
}

/** Attaches a signed statement to one manifest, as actions/attest and cosign do: where gh and cosign look for it. */
export async function attachBundle(
  place: AttestationPlace,
  subject: Descriptor,
  { predicateType, mediaType, bundle }: SignedStatement,
): Promise<Descriptor> {
  return await attach(place, subject, mediaType, [{ bytes: bundle, mediaType }], {
    'dev.sigstore.bundle.content': 'dsse-envelope',
    [BUNDLE_PREDICATE]: predicateType,
  });
}

interface Blob {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function attach(
  place: AttestationPlace,
  subject: Descriptor,
  artifactType: string,
  blobs: readonly Blob[],
  annotations?: Readonly<Record<string, string>>,
): Promise<Descriptor> {
  const layers = blobs.map(({ bytes, mediaType, annotations: own }) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
    ...(own !== undefined && { annotations: own }),
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    artifactType,
    config: EMPTY_CONFIG,
    layers,
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    ...(annotations !== undefined && { annotations }),
  };
  await Promise.all([
    provide(place, EMPTY_CONFIG, EMPTY),
    ...layers.map((layer, index) => provide(place, layer, blobs[index]!.bytes)),
  ]);
  if (place.putReferrer === undefined)
    throw new Error(`${place.name} takes nothing that refers to an image.`);
  return await place.putReferrer(Buffer.from(JSON.stringify(manifest)), MediaType.ociManifest);
}

async function provide(place: AttestationPlace, blob: Descriptor, bytes: Buffer): Promise<void> {
  if (await place.has(blob)) return;
  await place.put(blob, async function* () {
    yield bytes;
  });
}

/** Predicate types that are attached to a manifest already: in whatever form, and in a signed one. */
export interface Attached {
  readonly all: ReadonlySet<string>;
  readonly signed: ReadonlySet<string>;
}

/** Looks what is attached to a manifest. Signatures are not verified: that is for those who rely on them. */
export async function attachedTo(place: ImageSource, subject: Digest): Promise<Attached> {
  const all = new Set<string>();
  const signed = new Set<string>();
  for (const referrer of (await place.referrers?.(subject)) ?? []) {
    const { artifactType = '', annotations } = referrer;
    if (artifactType.startsWith(BUNDLE_PREFIX)) {
      const type =
        annotations?.[BUNDLE_PREDICATE] ??
        (await manifestOf(place, referrer)).annotations?.[BUNDLE_PREDICATE];
      if (type !== undefined) signed.add(type);
    } else if (artifactType === ATTESTATION_MANIFEST)
      for (const layer of (await manifestOf(place, referrer)).layers)
        all.add(layer.annotations?.[PREDICATE] ?? '');
  }
  return { all: new Set([...all, ...signed]), signed };
}

async function manifestOf(place: ImageSource, { digest }: Descriptor) {
  const { bytes, descriptor } = await place.manifest(digest);
  const document = parseDocument(bytes, `${place.name}@${digest}`, descriptor.mediaType);
  return document.kind === 'image' ? document.manifest : { layers: [], annotations: undefined };
}
