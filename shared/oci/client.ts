import { tmpdir } from 'node:os';
import { type Digest, digestOf, isDigest } from '../content/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import { pullScope, pushScope } from './auth.ts';
import type { Credentials } from './credentials.ts';
import { downloadBlob } from './download.ts';
import { type HttpResponse, type Traffic, Transport } from './http.ts';
import { listReferrers, listTags } from './listing.ts';
import { describe, isManifestType, LARGEST_MANIFEST, MANIFEST_TYPES, parseDocument } from './manifest.ts';
import { downloadToFile } from './ranged.ts';
import { formatReference, type Reference, type Repository, tagOrDigest } from './reference.ts';
import {
  addReferrers,
  NO_REFERRERS,
  ReferrersQueue,
  type ReferrersTag,
  referrersIn,
  referrersTag,
} from './referrers-tag.ts';
import { type Ask, Registry, smallBody } from './registry.ts';
import type { Deed } from './registry-failure.ts';
import { type Clock, DEFAULT_RETRIES, Passing, type RetryPolicy, systemClock } from './retry.ts';
import { type Descriptor, type Index, MediaType } from './types.ts';
import { hasBlob, mountBlob, putBlob, streamBlob, type UploadPlace } from './upload.ts';
import type { Expected } from './verify.ts';

/** What a client needs to know of where it runs; only logins and their masking have no default. */
export interface ClientOptions {
  readonly credentials: Credentials;
  /** Called with every token that is fetched, so that it can be masked. */
  readonly secret: (value: string) => void;
  /** Registries (host, with the port if there is one) that are spoken to without TLS, beside those on this machine. */
  readonly insecure?: readonly string[];
  /** Blobs under way at once to one registry, in each direction; default: 6. */
  readonly parallel?: number;
  /** Stops everything; what was under way throws a Failure that says so. */
  readonly signal?: AbortSignal;
  /** Where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked for; default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder for copies of large blobs that are uploaded while they are made; default: the system's. */
  readonly temporary?: string;
  /** Told of every request that is made again, and why. */
  readonly log?: (line: string) => void;
  readonly retries?: RetryPolicy;
  readonly clock?: Clock;
}

/**
 * A client of registries (OCI distribution-spec 1.1): tokens, redirects, repeats with back-off, uploads that go on where they
 * broke, proxies. All content is verified. Every error that a user can mend is a Failure of one sentence; what may pass is tried
 * again for at most a minute. Connections are kept until `close`.
 */
export class RegistryClient {
  readonly #options: ClientOptions;
  readonly #transport: Transport;
  readonly #registries = new Map<string, Registry>();
  /** By the tag that stands in for the list. */
  readonly #referrers = new Map<string, ReferrersQueue>();

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#transport = new Transport({
      env: options.env ?? process.env,
      userAgent: 'slipway',
      connections: 2 * (options.parallel ?? 6) + 4,
    });
  }

  /** Requests made and bytes of bodies moved since the client was made, token servers and repeats counted. */
  traffic(): Traffic {
    return this.#transport.traffic();
  }

  /** Closes the connections that are kept open. */
  close(): void {
    this.#transport.close();
  }

  /** The descriptor under a tag or digest, without its bytes; undefined when the registry has no such thing. */
  async head(reference: Reference): Promise<Descriptor | undefined> {
    const response = await this.#registry(reference).ask({
      ...this.#manifestAsk(reference),
      method: 'HEAD',
      accept: [200, 404],
    });
    response.discard();
    if (response.status === 404) return undefined;
    const digest = response.headers['docker-content-digest'];
    const size = response.headers['content-length'];
    // Neither header must be there (distribution-spec, "Checking if content exists in the registry"): then the bytes tell.
    if (typeof digest !== 'string' || !isDigest(digest) || size === undefined)
      return (await this.manifest(reference)).descriptor;
    return { mediaType: typeOf(response), digest, size: Number(size) };
  }

  /** The manifest or index under a tag or digest, of at most 4 MiB. Throws a Failure when there is none. */
  async manifest(reference: Reference): Promise<{ readonly bytes: Buffer; readonly descriptor: Descriptor }> {
    const found = await this.findManifest(reference);
    if (found !== undefined) return found;
    throw await this.#noManifest(reference);
  }

  /** As `manifest`, but undefined when there is none. */
  async findManifest(
    reference: Reference,
  ): Promise<{ readonly bytes: Buffer; readonly descriptor: Descriptor } | undefined> {
    const registry = this.#registry(reference);
    const ask: Ask = { ...this.#manifestAsk(reference), method: 'GET', accept: [200, 404] };
    return await registry.repeat(ask.deed, ask.signal, async () => {
      const response = await registry.askOnce(ask);
      if (response.status === 404) {
        response.discard();
        return undefined;
      }
      const bytes = await smallBody(response, LARGEST_MANIFEST, ask);
      return { bytes, descriptor: checkedManifest(reference, response, bytes, ask.deed) };
    });
  }

  /**
   * Stores a manifest under a tag or its digest. With a `subject`, a registry without the referrers API gets it listed under the
   * tag that stands in for it (distribution-spec, "Pushing Manifests with Subject").
   */
  async putManifest(reference: Reference, bytes: Uint8Array, mediaType: string): Promise<Descriptor> {
    const descriptor = describe(bytes, mediaType);
    const deed = this.#deed('push', reference);
    async function* open() {
      yield bytes;
    }
    const response = await this.#registry(reference).ask({
      method: 'PUT',
      to: `/v2/${reference.repository}/manifests/${tagOrDigest(reference)}`,
      repository: reference,
      scopes: [pushScope(reference.repository)],
      headers: { 'content-type': mediaType },
      body: { size: bytes.length, open },
      accept: [201],
      deed,
      signal: this.#options.signal,
    });
    response.discard();
    const stored = response.headers['docker-content-digest'];
    if (stored !== undefined && stored !== descriptor.digest)
      throw new Failure(
        `Cannot ${deed.what}: the registry stored ${String(stored)} in place of ${descriptor.digest}.`,
      );
    if (response.headers['oci-subject'] === undefined) await this.#listReferrer(reference, bytes, descriptor);
    return descriptor;
  }

  async has(repository: Repository, blob: Expected): Promise<boolean> {
    return await hasBlob(this.#place(repository), blob);
  }

  /** Takes a blob over from another repository of the same registry, without moving its bytes; false when that is not possible. */
  async mount(
    repository: Repository,
    blob: Expected,
    from: Repository,
  ): Promise<{ mounted: boolean; session?: URL }> {
    if (from.registry !== repository.registry || from.repository === repository.repository)
      return { mounted: false };
    return await mountBlob(this.#place(repository), blob.digest, from.repository);
  }

  /** Uploads a blob of known digest; `open` is called again for each attempt. `session` goes on with what a mount has opened. */
  async put(
    repository: Repository,
    blob: Expected,
    open: () => AsyncIterable<Uint8Array>,
    session?: URL,
  ): Promise<void> {
    const place = this.#place(repository);
    await place.registry.writing.run(() => putBlob(place, blob, open, session));
  }

  /** Uploads a blob whose digest is known only at its end. */
  async stream(
    repository: Repository,
    content: AsyncIterable<Uint8Array>,
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    const place = this.#place(repository);
    return await place.registry.writing.run(() =>
      streamBlob(place, content, this.#options.temporary ?? tmpdir()),
    );
  }

  /** The content of a blob, verified at its end. A connection that breaks is made again, for the bytes that are missing. */
  async *blob(repository: Repository, blob: Expected): AsyncGenerator<Buffer> {
    const registry = this.#registry(repository);
    const release = await registry.reading.acquire();
    try {
      const to = `/v2/${repository.repository}/blobs/${blob.digest}`;
      yield* downloadBlob(
        registry,
        { ...this.#pullAsk(repository, this.#deed('pull', repository)), to },
        blob,
      );
    } finally {
      release();
    }
  }

  /** Brings a blob into a file, verified at its end: a large one in ranges side by side. */
  async download(repository: Repository, blob: Expected, file: string): Promise<void> {
    const to = `/v2/${repository.repository}/blobs/${blob.digest}`;
    const ask = { ...this.#pullAsk(repository, this.#deed('pull', repository)), to };
    await downloadToFile(this.#registry(repository), ask, blob, file);
  }

  /** All tags of a repository, in the registry's order, over all pages. Empty for a repository that does not exist. */
  async tags(repository: Repository): Promise<string[]> {
    const deed: Deed = { registry: repository.registry, what: `list the tags of ${repository.repository}` };
    return await listTags(this.#registry(repository), this.#pullAsk(repository, deed));
  }

  /**
   * What refers to a manifest: signatures, bills of materials (distribution-spec, "Listing Referrers"), from the tag that stands in
   * where a registry lacks the API.
   */
  async referrers(repository: Repository, digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const what = `list what refers to ${repository.repository}@${digest}`;
    const ask = this.#pullAsk(repository, { registry: repository.registry, what });
    const listed = await listReferrers(this.#registry(repository), ask, digest, artifactType);
    const tag: Reference = { ...place(repository), tag: referrersTag(digest) };
    const all = listed ?? (await this.#listedReferrers(tag)).manifests;
    // A registry may not filter, and a tag never does.
    return all.filter((one) => artifactType === undefined || one.artifactType === artifactType);
  }

  #pullAsk(repository: Repository, deed: Deed): Omit<Ask, 'to' | 'accept'> {
    return {
      method: 'GET',
      repository,
      scopes: [pullScope(repository.repository)],
      deed,
      signal: this.#options.signal,
    };
  }

  #manifestAsk(reference: Reference): Omit<Ask, 'method' | 'accept'> {
    return {
      ...this.#pullAsk(reference, this.#deed('pull', reference)),
      to: `/v2/${reference.repository}/manifests/${tagOrDigest(reference)}`,
      headers: { accept: MANIFEST_TYPES.join(', ') },
    };
  }

  async #noManifest(reference: Reference): Promise<Failure> {
    const missing = `Cannot ${this.#deed('pull', reference).what}: the registry ${reference.registry} does not have it.`;
    if (reference.digest !== undefined) return new Failure(missing);
    const tags = await this.tags(reference).catch(() => []);
    return new Failure(`${missing}${didYouMean(reference.tag ?? 'latest', tags)}`);
  }

  /** Adds a manifest to the list of what refers to its subject, where the registry does not keep one. */
  async #listReferrer(repository: Repository, bytes: Uint8Array, descriptor: Descriptor): Promise<void> {
    const document = parseDocument(bytes, 'The manifest', descriptor.mediaType);
    const subject = document.kind === 'image' ? document.manifest.subject : undefined;
    if (subject === undefined || document.kind !== 'image') return;
    const { manifest } = document;
    const tag: Reference = { ...place(repository), tag: referrersTag(subject.digest) };
    const name = formatReference(tag);
    const queue = this.#referrers.get(name) ?? this.#referrersQueue(tag, name);
    await queue.add({
      ...descriptor,
      artifactType: manifest.artifactType ?? manifest.config.mediaType,
      ...(manifest.annotations !== undefined && { annotations: manifest.annotations }),
    });
  }

  #referrersQueue(tag: Reference, name: string): ReferrersQueue {
    const { clock = systemClock, signal } = this.#options;
    const list: ReferrersTag = {
      read: () => this.#listedReferrers(tag),
      write: async (index) => {
        await this.putManifest(tag, Buffer.from(JSON.stringify(index)), MediaType.ociIndex);
      },
    };
    const { what } = this.#deed('push', tag);
    const queue = new ReferrersQueue((entries) => addReferrers(list, entries, what, { clock, signal }));
    this.#referrers.set(name, queue);
    return queue;
  }

  async #listedReferrers(tag: Reference): Promise<Index> {
    const found = await this.findManifest(tag);
    return found === undefined ? NO_REFERRERS : referrersIn(found.bytes, found.descriptor.mediaType);
  }

  #place(repository: Repository): UploadPlace {
    return {
      registry: this.#registry(repository),
      repository,
      deed: this.#deed('push', repository),
      signal: this.#options.signal,
    };
  }

  #deed(verb: 'pull' | 'push', reference: Reference): Deed {
    const { registry } = reference;
    return { registry, what: `${verb} ${formatReference(reference).slice(registry.length + 1)}` };
  }

  #registry({ registry: name }: Repository): Registry {
    const known = this.#registries.get(name);
    if (known !== undefined) return known;
    const {
      credentials,
      secret,
      insecure = [],
      parallel = 6,
      clock = systemClock,
      retries,
      log,
    } = this.#options;
    const registry = new Registry(name, {
      transport: this.#transport,
      credentials,
      secret,
      insecure,
      parallel,
      clock,
      retries: retries ?? DEFAULT_RETRIES,
      log: log ?? (() => {}),
    });
    this.#registries.set(name, registry);
    return registry;
  }
}

function typeOf(response: HttpResponse): string {
  return (response.headers['content-type'] ?? '').split(';')[0]!.trim();
}

function checkedManifest(
  reference: Reference,
  response: HttpResponse,
  bytes: Buffer,
  deed: Deed,
): Descriptor {
  const digest = digestOf(bytes);
  const told = response.headers['docker-content-digest'];
  const wanted = reference.digest ?? (typeof told === 'string' && isDigest(told) ? told : digest);
  if (digest !== wanted)
    throw new Passing(
      new Failure(
        `Cannot ${deed.what}: the registry ${reference.registry} gave ${digest} where ${wanted} was asked for.`,
      ),
    );
  const type = typeOf(response);
  return { mediaType: isManifestType(type) ? type : typeInside(bytes, type), digest, size: bytes.length };
}

/** A server of plain files may call every answer application/json. */
function typeInside(bytes: Buffer, type: string): string {
  const document = parseDocument(bytes, 'The manifest', type === '' ? undefined : type);
  if (document.kind === 'index') return document.index.mediaType ?? MediaType.ociIndex;
  return document.manifest.mediaType ?? MediaType.ociManifest;
}

/** A repository alone, of something that may name a tag or digest, too. */
function place({ registry, repository }: Repository): Repository {
  return { registry, repository };
}
