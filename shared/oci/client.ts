import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { type Digest, digestOf } from '../content/index.ts';
import { didYouMean, Failure } from '../host/index.ts';
import { pullScope, pushScope } from './auth.ts';
import type { Credentials } from './credentials.ts';
import { type HttpResponse, type Traffic, Transport } from './http.ts';
import { describe, LARGEST_MANIFEST, MANIFEST_TYPES, parseDocument } from './manifest.ts';
import { formatReference, type Reference, type Repository, tagOrDigest } from './reference.ts';
import { type Ask, Registry } from './registry.ts';
import { type Deed, networkFault } from './registry-failure.ts';
import { type Clock, DEFAULT_RETRIES, Passing, type RetryPolicy, systemClock } from './retry.ts';
import { type Descriptor, type Index, MediaType } from './types.ts';
import { hasBlob, mountBlob, putBlob, streamBlob, type UploadPlace } from './upload.ts';
import type { Expected } from './verify.ts';

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
    if (typeof digest !== 'string' || size === undefined) return (await this.manifest(reference)).descriptor;
    return { mediaType: typeOf(response), digest: digest as Digest, size: Number(size) };
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
      const bytes = await this.#smallBody(response, LARGEST_MANIFEST, ask.deed);
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
    const release = await this.#registry(repository).reading.acquire();
    try {
      const hash = createHash('sha256');
      for await (const chunk of this.#ranges(repository, blob)) {
        hash.update(chunk);
        yield chunk;
      }
      const digest = `sha256:${hash.digest('hex')}`;
      if (digest !== blob.digest)
        throw new Failure(
          `Cannot ${this.#deed('pull', repository).what}: the registry ${repository.registry} gave ${digest} for the blob ${blob.digest}.`,
        );
    } finally {
      release();
    }
  }

  /** All tags of a repository, in the registry's order, over all pages. Empty for a repository that does not exist. */
  async tags(repository: Repository): Promise<string[]> {
    const tags: string[] = [];
    const deed: Deed = { registry: repository.registry, what: `list the tags of ${nameOf(repository)}` };
    const registry = this.#registry(repository);
    let next: string | URL | undefined = `/v2/${repository.repository}/tags/list?n=1000`;
    while (next !== undefined) {
      const ask: Ask = { ...this.#pullAsk(repository, deed), to: next, accept: [200, 404] };
      const page = await registry.repeat(deed, ask.signal, async () => {
        const response = await registry.askOnce(ask);
        return { response, bytes: await this.#smallBody(response, 64 * 2 ** 20, deed) };
      });
      if (page.response.status === 404) break;
      tags.push(...listOf<string>(page.bytes, 'tags', deed));
      next = nextPage(page.response, registry);
    }
    return tags;
  }

  /**
   * What refers to a manifest: signatures, bills of materials (distribution-spec, "Listing Referrers"), from the tag that stands in
   * where a registry lacks the API.
   */
  async referrers(repository: Repository, digest: Digest, artifactType?: string): Promise<Descriptor[]> {
    const deed: Deed = {
      registry: repository.registry,
      what: `list what refers to ${nameOf(repository)}@${digest}`,
    };
    const registry = this.#registry(repository);
    const found: Descriptor[] = [];
    const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
    let next: string | URL | undefined = `/v2/${repository.repository}/referrers/${digest}${filter}`;
    while (next !== undefined) {
      const ask: Ask = {
        ...this.#pullAsk(repository, deed),
        to: next,
        accept: [200, 404],
        headers: { accept: MediaType.ociIndex },
      };
      const response = await registry.ask(ask);
      const bytes = await this.#smallBody(response, LARGEST_MANIFEST, deed);
      if (response.status === 404) {
        found.push(...((await this.#listedReferrers(repository, digest)).manifests ?? []));
        break;
      }
      found.push(...listOf<Descriptor>(bytes, 'manifests', deed));
      next = nextPage(response, registry);
    }
    return found.filter((one) => artifactType === undefined || one.artifactType === artifactType);
  }

  async *#ranges(repository: Repository, blob: Expected): AsyncGenerator<Buffer> {
    const deed = this.#deed('pull', repository);
    const registry = this.#registry(repository);
    const { signal } = this.#options;
    let received = 0;
    let fruitless = 0;
    while (received < blob.size || blob.size === 0) {
      const before = received;
      const response = await registry.ask(this.#blobAsk(repository, blob, received, deed));
      // A registry that does not know ranges starts from the first byte.
      let skip = response.status === 200 ? received : 0;
      try {
        for await (const chunk of response.body()) {
          const part = chunk.subarray(Math.min(skip, chunk.length));
          skip -= chunk.length - part.length;
          if (part.length === 0) continue;
          received += part.length;
          if (received > blob.size)
            throw new Failure(`Cannot ${deed.what}: ${blob.digest} has more than its ${blob.size} bytes.`);
          yield part;
        }
        if (received === blob.size) return;
        throw new Passing(truncated(deed, blob, received));
      } catch (error) {
        const fault = networkFault(error, deed, signal);
        if (!(fault instanceof Passing)) throw fault;
        fruitless = received > before ? 0 : fruitless + 1;
        if (fruitless >= (this.#options.retries ?? DEFAULT_RETRIES).attempts)
          throw truncated(deed, blob, received);
        this.#options.log?.(`${fault.failure.message} Going on at byte ${received} of ${blob.size}.`);
        await (this.#options.clock ?? systemClock).sleep(250 * 2 ** fruitless, signal).catch(() => {});
      }
    }
  }

  #blobAsk(repository: Repository, blob: Expected, from: number, deed: Deed): Ask {
    return {
      ...this.#pullAsk(repository, deed),
      to: `/v2/${repository.repository}/blobs/${blob.digest}`,
      headers: from === 0 ? {} : { range: `bytes=${from}-` },
      accept: from === 0 ? [200] : [200, 206],
    };
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

  async #smallBody(response: HttpResponse, most: number, deed: Deed): Promise<Buffer> {
    const parts: Buffer[] = [];
    let size = 0;
    try {
      for await (const part of response.body()) {
        parts.push(part);
        size += part.length;
        if (size > most)
          throw new Failure(`Cannot ${deed.what}: the registry's answer has more than ${most} bytes.`);
      }
    } catch (error) {
      throw networkFault(error, deed, this.#options.signal);
    }
    return Buffer.concat(parts);
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
    const index = await this.#listedReferrers(repository, subject.digest);
    if (index.manifests.some(({ digest }) => digest === descriptor.digest)) return;
    const listed: Descriptor = {
      ...descriptor,
      artifactType: manifest.artifactType ?? manifest.config.mediaType,
      ...(manifest.annotations !== undefined && { annotations: manifest.annotations }),
    };
    const next = Buffer.from(JSON.stringify({ ...index, manifests: [...index.manifests, listed] }));
    await this.putManifest(referrersTag(repository, subject.digest), next, MediaType.ociIndex);
  }

  async #listedReferrers(repository: Repository, digest: Digest): Promise<Index> {
    const found = await this.findManifest(referrersTag(repository, digest));
    const document = found && parseDocument(found.bytes, 'The list of referrers', found.descriptor.mediaType);
    if (document?.kind === 'index') return document.index;
    return { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] };
  }

  #place(repository: Repository): UploadPlace {
    return {
      registry: this.#registry(repository),
      repository,
      deed: this.#deed('push', repository),
      signal: this.#options.signal,
    };
  }

  #deed(verb: 'pull' | 'push', { registry, ...rest }: Reference): Deed {
    const { registry: _, ...named } = { registry, ...rest };
    const text = formatReference({ ...named, registry }).slice(registry.length + 1);
    return { registry, what: `${verb} ${text}` };
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

function nameOf({ repository }: Repository): string {
  return repository;
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
  const wanted = reference.digest ?? response.headers['docker-content-digest'] ?? digest;
  if (digest !== wanted)
    throw new Passing(
      new Failure(
        `Cannot ${deed.what}: the registry ${reference.registry} gave ${digest} where ${String(wanted)} was asked for.`,
      ),
    );
  return { mediaType: typeOf(response), digest, size: bytes.length };
}

function truncated(deed: Deed, blob: Expected, received: number): Failure {
  return new Failure(
    `Cannot ${deed.what}: the registry ${deed.registry} gave only ${received} of the ${blob.size} bytes of ${blob.digest}.`,
  );
}

function referrersTag({ registry, repository }: Repository, digest: Digest): Reference {
  return { registry, repository, tag: digest.replace(':', '-') };
}

function listOf<T>(bytes: Buffer, name: string, deed: Deed): T[] {
  try {
    const list = (JSON.parse(bytes.toString('utf8')) as Record<string, unknown>)[name];
    if (Array.isArray(list)) return list as T[];
    if (list === null || list === undefined) return [];
  } catch {
    // Said below.
  }
  throw new Failure(`Cannot ${deed.what}: the answer of the registry ${deed.registry} is no list.`);
}

/** The next page of a list (RFC 8288; distribution-spec, "Listing Tags"). */
function nextPage(response: HttpResponse, registry: Registry): URL | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''));
  return link === null ? undefined : registry.resolve(link[1]!, response.url);
}
