import { createHash } from 'node:crypto';
import type { Digest } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import { pushScope } from './auth.ts';
import type { HttpResponse, RequestBody } from './http.ts';
import type { Repository } from './reference.ts';
import type { Ask, Registry } from './registry.ts';
import type { Deed } from './registry-failure.ts';
import { Passing } from './retry.ts';
import { Spool } from './spool.ts';
import { type Expected, verified } from './verify.ts';

/** Where and on whose behalf blobs are uploaded. */
export interface UploadPlace {
  readonly registry: Registry;
  readonly repository: Repository;
  readonly deed: Deed;
  readonly signal: AbortSignal | undefined;
}

/** Bytes of one request once a registry, or a proxy before it, has refused a whole blob as too large. */
const CHUNK = 16 * 2 ** 20;
/** Up to here a stream is held back, so that a blob which the registry has already is not sent again. */
const HOLD_BACK = 64 * 2 ** 20;

/** Whether the repository has the blob, with this size. */
export async function hasBlob(place: UploadPlace, blob: Expected): Promise<boolean> {
  return await place.registry.repeat(place.deed, place.signal, () => hasBlobNow(place, blob));
}

async function hasBlobNow(place: UploadPlace, { digest, size }: Expected): Promise<boolean> {
  const response = await place.registry.askOnce({
    ...basics(place),
    method: 'HEAD',
    to: `/v2/${place.repository.repository}/blobs/${digest}`,
    accept: [200, 404],
  });
  response.discard();
  const length = response.headers['content-length'];
  return response.status === 200 && (length === undefined || Number(length) === size);
}

/**
 * Asks the registry to take a blob over from another of its repositories (distribution-spec, "Mounting a blob from another
 * repository"). `session` is what a registry opens that cannot: an upload to go on with.
 */
export async function mountBlob(
  place: UploadPlace,
  digest: Digest,
  from: string,
): Promise<{ readonly mounted: boolean; readonly session?: URL }> {
  const query = new URLSearchParams({ mount: digest, from });
  const { scopes, ...rest } = basics(place);
  const response = await place.registry.ask({
    ...rest,
    scopes: [...scopes, `repository:${from}:pull`],
    method: 'POST',
    to: `/v2/${place.repository.repository}/blobs/uploads/?${query}`,
    headers: { 'content-length': '0' },
    // A registry may deny the other repository to this login: then the bytes are sent.
    accept: [201, 202, 401, 403, 404, 405],
  });
  response.discard();
  if (response.status !== 202) return { mounted: response.status === 201 };
  const session = locationOf(place, response);
  return { mounted: false, ...(session !== undefined && { session }) };
}

/**
 * Uploads a blob of known digest in one request, which every registry takes. When the connection breaks, the registry is asked how
 * much it got, and gets the rest; when it refuses a body of that size, it gets the blob in chunks.
 */
export async function putBlob(
  place: UploadPlace,
  blob: Expected,
  open: () => AsyncIterable<Uint8Array>,
  session?: URL,
): Promise<void> {
  const source = () => verified(open(), blob, `The content of ${blob.digest}`);
  const upload = new Upload(place, blob, source, session);
  await place.registry.repeat(place.deed, place.signal, (attempt) => upload.attempt(attempt));
}

class Upload {
  readonly #place: UploadPlace;
  readonly #blob: Expected;
  readonly #open: () => AsyncIterable<Uint8Array>;
  #session: URL | undefined;
  #chunk: number | undefined;

  constructor(
    place: UploadPlace,
    blob: Expected,
    open: () => AsyncIterable<Uint8Array>,
    session: URL | undefined,
  ) {
    this.#place = place;
    this.#blob = blob;
    this.#open = open;
    this.#session = session;
  }

  async attempt(number: number): Promise<void> {
    // The answer to a commit may have been lost, and the blob be there.
    if (number > 0 && (await hasBlobNow(this.#place, this.#blob))) return;
    const resumed =
      number > 0 && this.#session !== undefined ? await uploadedSoFar(this.#place, this.#session) : undefined;
    const { location, offset } = resumed ?? (await this.#begin(number));
    this.#session = location;
    if (offset === 0 && this.#chunk === undefined) await this.#whole(location);
    else await this.#rest(location, offset);
  }

  async #begin(number: number): Promise<{ location: URL; offset: number }> {
    const location = number === 0 ? this.#session : undefined;
    return { location: location ?? (await openSession(this.#place)), offset: 0 };
  }

  async #whole(location: URL): Promise<void> {
    const body = { size: this.#blob.size, open: this.#open };
    const response = await commit(this.#place, location, this.#blob.digest, body, [413]);
    if (response.status === 413) {
      this.#chunk = CHUNK;
      throw this.#restart('refuses a body of this size');
    }
    if (response.status !== 201) throw this.#restart('has lost the upload');
  }

  async #rest(location: URL, offset: number): Promise<void> {
    if (offset > this.#blob.size) throw this.#restart('counts more bytes than were sent');
    const feed = new Feed(this.#open());
    try {
      await feed.skip(offset);
      let at = { location, offset };
      while (at.offset < this.#blob.size) {
        at = await this.#patch(at.location, at.offset, feed);
        this.#session = at.location;
      }
      await feed.end();
      const response = await commit(this.#place, at.location, this.#blob.digest, undefined, []);
      if (response.status !== 201) throw this.#restart('has lost the upload');
    } finally {
      await feed.close();
    }
  }

  async #patch(location: URL, offset: number, feed: Feed): Promise<{ location: URL; offset: number }> {
    const size = Math.min(this.#chunk ?? Number.MAX_SAFE_INTEGER, this.#blob.size - offset);
    const response = await this.#place.registry.askOnce({
      ...basics(this.#place),
      method: 'PATCH',
      to: location,
      headers: {
        'content-type': 'application/octet-stream',
        'content-range': `${offset}-${offset + size - 1}`,
      },
      body: { size, open: () => feed.take(size) },
      once: true,
      accept: [202, 204, 404, 405, 413, 416],
    });
    response.discard();
    if (response.status !== 202 && response.status !== 204)
      throw this.#restart('does not take the rest of an upload');
    return { location: locationOf(this.#place, response) ?? location, offset: offset + size };
  }

  #restart(why: string): Passing {
    this.#session = undefined;
    return new Passing(
      new Failure(`Cannot ${this.#place.deed.what}: the registry ${this.#place.registry.name} ${why}.`),
    );
  }
}

/**
 * Uploads content whose digest is known only at its end. What is not large is held back until then, and sent only when the
 * registry lacks it; the rest is sent as it is made, in one request without a length, as docker push does it (chunks with ranges
 * are refused by some of the large registries). A copy is kept aside: should that request break, it is put from there.
 */
export async function streamBlob(
  place: UploadPlace,
  content: AsyncIterable<Uint8Array>,
  temporary: string,
): Promise<{ readonly digest: Digest; readonly size: number }> {
  const spool = new Spool(temporary);
  const feed = new Tee(content, spool);
  try {
    await feed.until(HOLD_BACK);
    const session = feed.ended ? undefined : await sendLive(place, feed, spool);
    if (session === 'committed') return feed.result();
    await feed.until(Number.MAX_SAFE_INTEGER);
    const blob = feed.result();
    if (!(await hasBlob(place, blob))) await putBlob(place, blob, () => spool.read(), session);
    return blob;
  } finally {
    await feed.close();
    await spool.close();
  }
}

/** Sends what was held back and then what comes. The session when it broke, for the registry may have got a part. */
async function sendLive(place: UploadPlace, feed: Tee, spool: Spool): Promise<URL | 'committed' | undefined> {
  let session: URL | undefined;
  async function* open() {
    yield* spool.read();
    yield* feed.live();
  }
  try {
    session = await place.registry.repeat(place.deed, place.signal, () => openSession(place));
    const response = await place.registry.askOnce({
      ...basics(place),
      method: 'PATCH',
      to: session,
      headers: { 'content-type': 'application/octet-stream' },
      body: { size: undefined, open },
      once: true,
      accept: [202, 204],
    });
    response.discard();
    session = locationOf(place, response) ?? session;
    const done = await commit(place, session, feed.result().digest, undefined, []);
    return done.status === 201 ? 'committed' : undefined;
  } catch (error) {
    if (feed.failed || place.signal?.aborted) throw error;
    // Whatever it was, putting the copy will succeed or say so.
    if (error instanceof Passing || error instanceof Failure) return session;
    throw error;
  }
}

function basics(place: UploadPlace): Pick<Ask, 'repository' | 'scopes' | 'deed' | 'signal'> {
  const { repository, deed, signal } = place;
  return { repository, scopes: [pushScope(repository.repository)], deed, signal };
}

async function openSession(place: UploadPlace): Promise<URL> {
  const response = await place.registry.askOnce({
    ...basics(place),
    method: 'POST',
    to: `/v2/${place.repository.repository}/blobs/uploads/`,
    headers: { 'content-length': '0' },
    accept: [202],
  });
  response.discard();
  const location = locationOf(place, response);
  if (location !== undefined) return location;
  throw new Failure(
    `Cannot ${place.deed.what}: the registry ${place.registry.name} opened an upload without saying where.`,
  );
}

/** How much of an upload the registry has; undefined when it does not know the upload any more, or does not tell. */
async function uploadedSoFar(
  place: UploadPlace,
  session: URL,
): Promise<{ location: URL; offset: number } | undefined> {
  const response = await place.registry.askOnce({
    ...basics(place),
    method: 'GET',
    to: session,
    accept: [200, 204, 400, 404, 405, 416],
  });
  response.discard();
  const range = /^(?:bytes=)?0-(\d+)$/.exec(response.headers.range ?? '');
  if (response.status !== 204 && response.status !== 200) return undefined;
  if (range === null) return undefined;
  // "0-0" is said for nothing and for one byte alike: then it starts anew in the same session.
  const last = Number(range[1]);
  return { location: locationOf(place, response) ?? session, offset: last === 0 ? 0 : last + 1 };
}

async function commit(
  place: UploadPlace,
  location: URL,
  digest: Digest,
  body: RequestBody | undefined,
  accept: readonly number[],
): Promise<HttpResponse> {
  const url = new URL(location);
  url.searchParams.set('digest', digest);
  const response = await place.registry.askOnce({
    ...basics(place),
    method: 'PUT',
    to: url,
    headers: {
      'content-type': 'application/octet-stream',
      ...(body === undefined && { 'content-length': '0' }),
    },
    ...(body !== undefined && { body }),
    accept: [201, 404, 416, ...accept],
  });
  response.discard();
  return response;
}

function locationOf(place: UploadPlace, response: HttpResponse): URL | undefined {
  const { location } = response.headers;
  return location === undefined ? undefined : place.registry.resolve(location, response.url);
}

/** Content that is taken in pieces over several requests. */
class Feed {
  readonly #iterator: AsyncIterator<Uint8Array>;
  #rest: Uint8Array = new Uint8Array(0);

  constructor(content: AsyncIterable<Uint8Array>) {
    this.#iterator = content[Symbol.asyncIterator]();
  }

  async skip(count: number): Promise<void> {
    for await (const _ of this.take(count));
  }

  async *take(count: number): AsyncGenerator<Uint8Array> {
    for (let missing = count; missing > 0; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#iterator.next();
        if (done === true) return;
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }

  /** Reads what is behind the last byte: that is where a content that is not what it should be says so. */
  async end(): Promise<void> {
    await this.skip(Number.MAX_SAFE_INTEGER);
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Content that can be read once, digested and copied aside as it passes. */
class Tee {
  ended = false;
  /** The content itself failed, so that there is nothing to go on with. */
  failed = false;
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #spool: Spool;
  readonly #hash = createHash('sha256');
  #turn: Promise<unknown> = Promise.resolve();
  #digest: Digest | undefined;

  constructor(content: AsyncIterable<Uint8Array>, spool: Spool) {
    this.#iterator = content[Symbol.asyncIterator]();
    this.#spool = spool;
  }

  /** Reads until the copy has `size` bytes or the content ends. */
  async until(size: number): Promise<void> {
    while (!this.ended && this.#spool.size < size) await this.#next();
  }

  /** The content from here on. Stopping early leaves the rest to be read. */
  async *live(): AsyncGenerator<Uint8Array> {
    for (let chunk = await this.#next(); chunk !== undefined; chunk = await this.#next()) yield chunk;
  }

  result(): { digest: Digest; size: number } {
    this.#digest ??= `sha256:${this.#hash.digest('hex')}`;
    return { digest: this.#digest, size: this.#spool.size };
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }

  /** One after the other: a request that was refused may still be waiting for a chunk when the rest is read for the copy. */
  #next(): Promise<Uint8Array | undefined> {
    const next = this.#turn.then(() => this.#read());
    this.#turn = next.catch(() => {});
    return next;
  }

  async #read(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#iterator.next();
      if (done === true) {
        this.ended = true;
        return undefined;
      }
      this.#hash.update(value);
      await this.#spool.write(value);
      return value;
    } catch (error) {
      this.failed = true;
      throw error;
    }
  }
}
