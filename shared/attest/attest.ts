import type { Digest } from '../content/index.ts';
import { formatBytes, type Task } from '../host/index.ts';
import {
  type Descriptor,
  type ImageSource,
  type Manifest,
  type Platform,
  parseConfig,
  parseDocument,
} from '../oci/index.ts';
import {
  type Attached,
  type AttestationPlace,
  attachBundle,
  attachedTo,
  attachStatements,
  type SignedStatement,
} from './attach.ts';
import { imageInventory } from './inventory/image.ts';
import { layerInventory } from './inventory/layer.ts';
import { type BuildFacts, provenance } from './provenance.ts';
import { spdxDocument } from './spdx.ts';
import { PredicateType, type Statement, statement, subjectsOf } from './statement.ts';

/** What is to be said of an image. */
export interface AttestRequest {
  /** Facts about the build, asked for when they are needed; undefined when no provenance is wanted. */
  readonly facts: (() => Promise<BuildFacts>) | undefined;
  readonly sbom: boolean;
  /** Signs a statement; gives undefined, having said why, where it goes out unsigned after all. */
  readonly sign: ((of: Statement) => Promise<SignedStatement | undefined>) | undefined;
  /** What the image is called in statements: the repositories that it goes to. */
  readonly names: readonly string[];
  /** Seconds since 1970: the time of the bill of materials. */
  readonly epoch: number;
  /** Folder for what is remembered across projects: inventories of layers. */
  readonly cache: string;
}

/** An image that is whole at a place. */
export interface AttestedImage {
  /** Of the index, or of the manifest of an image for one platform. */
  readonly root: Descriptor;
  /** The same, as it is stored. */
  readonly bytes: Buffer;
  /** This run has found it, and has not made it. */
  readonly reused: boolean;
  /** This run has made its documents alone, around the layers of an image that it has found, and where it has found it. */
  readonly layersFrom?: { readonly source: ImageSource; readonly image: Descriptor } | undefined;
}

/** Something that was attached to a manifest. */
export interface Attestation {
  readonly place: string;
  readonly subject: Digest;
  readonly predicateType: string;
  readonly signed: boolean;
  /** Of the artifact that holds it. */
  readonly digest: Digest;
}

/** What came of it at one place. */
export type AttestResult =
  | { readonly kind: 'attached'; readonly attestations: readonly Attestation[] }
  /** All that was asked for is there already. */
  | { readonly kind: 'present' }
  /** This run has not made the image, or has not made layers that it would sign for, and cannot say how they were made. */
  | { readonly kind: 'unknown origin' };

/**
 * Attaches what is asked for to an image and to each of its platforms, as OCI referrers: the image itself stays as it is. What is said
 * of one image is made and signed once, however many places it goes to. An image that was found keeps what it has, and gets what it
 * lacks.
 */
export class Attester {
  readonly #request: AttestRequest;
  readonly #made = new Map<string, Promise<readonly Prepared[]>>();

  constructor(request: AttestRequest) {
    this.#request = request;
  }

  async attest(image: AttestedImage, place: AttestationPlace, task: Task): Promise<AttestResult> {
    const members = await membersOf(image, place);
    const wanted = this.#wanted(image.root, members);
    const missing = image.reused ? await this.#missing(wanted, place) : wanted;
    if (missing.length === 0) return { kind: 'present' };
    if (missing.some(({ kind }) => kind === 'provenance') && !(await this.#knowsOrigin(image)))
      return { kind: 'unknown origin' };
    const prepared = await this.#prepare(image, missing, place, task);
    const attestations: Attestation[] = [];
    for (const { subject, statements, signed } of bySubject(prepared)) {
      const unsigned = await attachStatements(place, subject, statements);
      const own = { place: place.name, subject: subject.digest };
      for (const { predicateType } of statements)
        attestations.push({ ...own, predicateType, signed: false, digest: unsigned.digest });
      for (const one of signed) {
        const { digest } = await attachBundle(place, subject, one);
        attestations.push({ ...own, predicateType: one.predicateType, signed: true, digest });
      }
    }
    return { kind: 'attached', attestations };
  }

  /** Provenance is about the image and each of its platforms at once; each platform has a bill of materials of its own. */
  #wanted(root: Descriptor, members: readonly Member[]): Wanted[] {
    const platforms = members.map(({ descriptor }) => descriptor);
    const all = platforms.some(({ digest }) => digest === root.digest) ? platforms : [root, ...platforms];
    return [
      ...(this.#request.sbom
        ? members.map((member): Wanted => ({ kind: 'sbom', member, subjects: [member.descriptor] }))
        : []),
      ...(this.#request.facts === undefined ? [] : [{ kind: 'provenance', subjects: all } as const]),
    ];
  }

  async #missing(wanted: readonly Wanted[], place: AttestationPlace): Promise<Wanted[]> {
    const subjects = new Set(wanted.flatMap((one) => one.subjects.map(({ digest }) => digest)));
    const there = new Map<Digest, Attached>();
    await Promise.all(
      [...subjects].map(async (digest) => there.set(digest, await attachedTo(place, digest))),
    );
    const has = ({ kind, subjects: of }: Wanted) =>
      of.every(({ digest }) => {
        const { all, signed } = there.get(digest)!;
        return (this.#request.sign === undefined ? all : signed).has(typeOf(kind));
      });
    return wanted.filter((one) => !has(one));
  }

  /**
   * Who says where an image comes from has made it, from its sources or around layers that have provenance of their own. Who signs it has
   * made its layers, too: whoever may write to the registry can attach what claims to be a signature, and nobody verifies it here.
   */
  async #knowsOrigin({ reused, layersFrom }: AttestedImage): Promise<boolean> {
    if (reused || layersFrom === undefined) return !reused;
    if (this.#request.sign !== undefined) return false;
    return (await attachedTo(layersFrom.source, layersFrom.image.digest)).all.has(PredicateType.provenance);
  }

  #prepare(
    image: AttestedImage,
    wanted: readonly Wanted[],
    place: AttestationPlace,
    task: Task,
  ): Promise<readonly Prepared[]> {
    const key = [
      image.root.digest,
      ...wanted.map(({ kind, subjects }) => `${kind} ${subjects[0]!.digest}`),
    ].join('\n');
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = Promise.all(wanted.map((one) => this.#prepareOne(image, one, place, task)));
    this.#made.set(key, made);
    return made;
  }

  async #prepareOne(
    { layersFrom }: AttestedImage,
    wanted: Wanted,
    place: AttestationPlace,
    task: Task,
  ): Promise<Prepared> {
    const { facts, sign, names } = this.#request;
    const predicate =
      wanted.kind === 'provenance'
        ? await provenance({ ...(await facts!()), layersFrom })
        : await this.#sbom(wanted.member, place, task);
    const subjects = subjectsOf(
      names,
      wanted.subjects.map(({ digest }) => digest),
    );
    const of = statement(subjects, typeOf(wanted.kind), predicate);
    return { subjects: wanted.subjects, statement: of, signed: await sign?.(of) };
  }

  async #sbom({ descriptor, manifest, platform }: Member, place: AttestationPlace, task: Task) {
    const { epoch, cache } = this.#request;
    const layers = manifest.layers.filter(({ urls = [] }) => urls.length === 0);
    const size = layers.reduce((sum, layer) => sum + layer.size, 0);
    task.log(`Reading ${layers.length} layers of ${descriptor.digest} for the SBOM (${formatBytes(size)})`);
    const inventories = [];
    // One after the other: memory stays flat, and the network is what this waits for.
    for (const layer of layers) inventories.push(await layerInventory(layer, place, cache));
    return await spdxDocument({ digest: descriptor.digest, platform, epoch }, imageInventory(inventories));
  }
}

/** An image for one platform. */
interface Member {
  readonly descriptor: Descriptor;
  readonly manifest: Manifest;
  readonly platform: Platform;
}

type Wanted =
  | { readonly kind: 'provenance'; readonly subjects: readonly Descriptor[] }
  | { readonly kind: 'sbom'; readonly member: Member; readonly subjects: readonly Descriptor[] };

interface Prepared {
  readonly subjects: readonly Descriptor[];
  readonly statement: Statement;
  readonly signed: SignedStatement | undefined;
}

function typeOf(kind: Wanted['kind']): string {
  return kind === 'provenance' ? PredicateType.provenance : PredicateType.spdx;
}

/** The images that an index names, or the image itself. Attestations of BuildKit's, which an index may name, too, are none. */
async function membersOf({ root, bytes }: AttestedImage, place: AttestationPlace): Promise<Member[]> {
  const document = parseDocument(bytes, place.name, root.mediaType);
  if (document.kind === 'image') return [await memberOf(root, document.manifest, place)];
  const images = document.index.manifests.filter(({ platform }) => platform?.os !== 'unknown');
  const members = await Promise.all(
    images.map(async (descriptor) => {
      const found = await place.manifest(descriptor.digest);
      const member = parseDocument(found.bytes, `${place.name}@${descriptor.digest}`, descriptor.mediaType);
      return member.kind === 'image' ? [await memberOf(descriptor, member.manifest, place)] : [];
    }),
  );
  return members.flat();
}

async function memberOf(
  descriptor: Descriptor,
  manifest: Manifest,
  place: AttestationPlace,
): Promise<Member> {
  if (descriptor.platform !== undefined) return { descriptor, manifest, platform: descriptor.platform };
  const chunks: Buffer[] = [];
  for await (const chunk of place.blob(manifest.config)) chunks.push(chunk);
  const { os, architecture, variant } = parseConfig(
    Buffer.concat(chunks),
    `${place.name}@${descriptor.digest}`,
  );
  return { descriptor, manifest, platform: { os, architecture, ...(variant !== undefined && { variant }) } };
}

interface SubjectStatements {
  readonly subject: Descriptor;
  readonly statements: readonly Statement[];
  readonly signed: readonly SignedStatement[];
}

function bySubject(prepared: readonly Prepared[]): SubjectStatements[] {
  const subjects = new Map(
    prepared.flatMap((one) => one.subjects.map((subject) => [subject.digest, subject])),
  );
  return [...subjects.values()].map((subject) => {
    const own = prepared.filter((one) => one.subjects.some(({ digest }) => digest === subject.digest));
    return {
      subject,
      statements: own.map((one) => one.statement),
      signed: own.flatMap((one) => one.signed ?? []),
    };
  });
}
