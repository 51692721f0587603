import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { serviceV1 } from './actions-service-v1.ts';
import { serviceV2 } from './actions-service-v2.ts';
import { HttpError, persistently } from './http.ts';
import type { FetchedEntry, Store, StoreQuery } from './store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The two protocols of the Actions cache: v2 of GitHub, v1 of GitHub Enterprise Server and of local runners such as act. */
export interface CacheService {
  lookUp(
    query: StoreQuery,
    version: string,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly key: string; readonly url: string } | undefined>;
  /** undefined when there is an entry under the key already. */
  reserve(
    key: string,
    version: string,
    size: number,
    signal: AbortSignal | undefined,
  ): Promise<Upload | undefined>;
}

/** An entry while it is written. */
export interface Upload {
  /** Bytes of a part at most; parts may be sent side by side and in any order. */
  readonly partSize: number;
  send(part: Buffer, index: number, start: number): Promise<void>;
  /** After the last part: from here on the entry is there. */
  finish(parts: number): Promise<void>;
}

/** Part of each entry's identity in the service: an entry of another format under the same key is another entry. */
const VERSION = createHash('sha256').update('slipway tar.zst 1').digest('hex');

/** What the service refuses: longer keys, and commas in them. */
const KEY_LIMIT = 512;
const RANGE = 8 * 2 ** 20;
const SIDE_BY_SIDE = 8;

/**
 * The GitHub Actions cache, or undefined where this process cannot reach one (outside of a runner). Entries belong to the branch
 * of the run that saved them; the service itself restores from the branch, its base and the default branch only. It keeps 10 GB a
 * repository, drops what was not used for a week, and takes 200 uploads a minute.
 */
export function actionsStore(env: Environment): Store | undefined {
  const service = serviceFor(env);
  if (service === undefined) return undefined;
  return {
    name: 'the GitHub Actions cache',
    has: async (keys, signal) => {
      const found = await Promise.all(
        keys.map((key) => service.lookUp({ key, prefixes: [] }, VERSION, signal)),
      );
      return new Set(keys.filter((key, i) => found[i]?.key === key));
    },
    fetch: (query, file, signal) => fetchEntry(service, query, file, signal),
    put: (key, file, signal) => putEntry(service, key, file, signal),
  };
}

function serviceFor(env: Environment): CacheService | undefined {
  const token = env.ACTIONS_RUNTIME_TOKEN;
  if (!token) return undefined;
  const onServer = env.GITHUB_SERVER_URL !== undefined && !isGithub(env.GITHUB_SERVER_URL);
  const v2 = !onServer && Boolean(env.ACTIONS_CACHE_SERVICE_V2);
  if (v2 && env.ACTIONS_RESULTS_URL) return serviceV2(env.ACTIONS_RESULTS_URL, token);
  return env.ACTIONS_CACHE_URL ? serviceV1(env.ACTIONS_CACHE_URL, token) : undefined;
}

// The clients of @actions/cache tell an Enterprise Server in the same way.
function isGithub(server: string): boolean {
  const host = new URL(server).hostname.toLowerCase();
  return host === 'github.com' || host.endsWith('.ghe.com') || host.endsWith('.localhost');
}

async function fetchEntry(
  service: CacheService,
  query: StoreQuery,
  file: string,
  signal: AbortSignal | undefined,
): Promise<FetchedEntry | undefined> {
  checkKey(query.key);
  const found = await service.lookUp(query, VERSION, signal);
  if (found === undefined) return undefined;
  const handle = await open(file, 'w');
  try {
    await download(found.url, handle, signal);
  } finally {
    await handle.close();
  }
  return { key: found.key, file };
}

function checkKey(key: string): void {
  if (key.length > KEY_LIMIT || key.includes(','))
    throw new Error(`the key "${key}" is longer than ${KEY_LIMIT} characters or holds a comma`);
}

/**
 * Ranges side by side: a blob store gives every connection a share of its speed, so that eight are several times as fast as one.
 * The first range tells the size; a server that does not know ranges sends all with it.
 */
async function download(url: string, handle: FileHandle, signal: AbortSignal | undefined): Promise<void> {
  const first = await range(url, 0, signal);
  await writeAt(handle, first.body, 0);
  const total = Number(/\/(\d+)$/.exec(first.headers['content-range'] ?? '')?.[1] ?? first.body.length);
  const starts: number[] = [];
  for (let start = first.body.length; start < total; start += RANGE) starts.push(start);
  await sideBySide(starts, async (start) => {
    const { body } = await range(url, start, signal);
    if (body.length !== Math.min(RANGE, total - start))
      throw new Error(`${body.length} bytes came for a range at ${start}`);
    await writeAt(handle, body, start);
  });
}

async function range(url: string, start: number, signal: AbortSignal | undefined) {
  const headers = { range: `bytes=${start}-${start + RANGE - 1}` };
  const answer = await persistently({ method: 'GET', url, headers, signal }, 'transfer');
  if (answer.status !== 206 && !(answer.status === 200 && start === 0))
    throw new HttpError(answer.status, 'the cache’s blob store', '');
  return answer;
}

async function putEntry(
  service: CacheService,
  key: string,
  file: string,
  signal: AbortSignal | undefined,
): Promise<'stored' | 'present'> {
  checkKey(key);
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const upload = await service.reserve(key, VERSION, size, signal);
    if (upload === undefined) return 'present';
    const starts: number[] = [];
    for (let start = 0; start < size; start += upload.partSize) starts.push(start);
    await sideBySide(starts, async (start) => {
      const part = Buffer.allocUnsafe(Math.min(upload.partSize, size - start));
      const { bytesRead } = await handle.read(part, 0, part.length, start);
      if (bytesRead !== part.length) throw new Error('the archive changed while it was sent');
      await upload.send(part, start / upload.partSize, start);
    });
    await upload.finish(starts.length);
    return 'stored';
  } finally {
    await handle.close();
  }
}

/** Works on several items at once; the first error stops the taking of further ones. */
async function sideBySide<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  let failed = false;
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined && !failed; item = rest.shift())
      await work(item).catch((error: unknown) => {
        failed = true;
        throw error;
      });
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, worker));
}

async function writeAt(handle: FileHandle, bytes: Buffer, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
}
