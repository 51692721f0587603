import type { CacheService, Upload } from './actions-store.ts';
import { HttpError, persistently } from './http.ts';

const SERVICE = 'twirp/github.actions.results.api.v1.CacheService';
const PART = 8 * 2 ** 20;

/** Cache service v2: Twirp calls in JSON for the entries, signed URLs of an Azure block blob for their bytes. */
export function serviceV2(resultsUrl: string, token: string): CacheService {
  const base = new URL(`${SERVICE}/`, resultsUrl.endsWith('/') ? resultsUrl : `${resultsUrl}/`);
  const call = async (
    method: string,
    message: Record<string, unknown>,
    signal: AbortSignal | undefined,
  ): Promise<Record<string, unknown> | undefined> => {
    const answer = await persistently({
      method: 'POST',
      url: new URL(method, base).href,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json',
      },
      body: JSON.stringify(message),
      signal,
    });
    const said = parse(answer.body);
    if (answer.status === 200) return said;
    if (answer.status === 409) return undefined;
    throw new HttpError(answer.status, 'the cache service', String(said.msg ?? ''));
  };
  return {
    lookUp: async ({ key, prefixes }, version, signal) => {
      const answer = await call('GetCacheEntryDownloadURL', { key, restore_keys: prefixes, version }, signal);
      if (answer?.ok !== true) return undefined;
      return { key: String(answer.matched_key ?? ''), url: String(answer.signed_download_url) };
    },
    reserve: async (key, version, size, signal) => {
      const answer = await call('CreateCacheEntry', { key, version }, signal);
      if (answer === undefined) return undefined;
      if (answer.ok !== true)
        throw new Error(`the cache service takes no entry: ${String(answer.message ?? 'no reason given')}`);
      const finish = () =>
        call('FinalizeCacheEntryUpload', { key, version, size_bytes: String(size) }, signal);
      return blockBlob(String(answer.signed_upload_url), signal, async () => {
        const answered = await finish();
        if (answered?.ok !== true) throw new Error('the cache service did not take the entry that was sent');
      });
    },
  };
}

function parse(body: Buffer): Record<string, unknown> {
  try {
    return JSON.parse(body.toString()) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** Azure Blob Storage: Put Block for each part, then Put Block List, which makes them the blob. */
function blockBlob(url: string, signal: AbortSignal | undefined, finalize: () => Promise<void>): Upload {
  const send = async (query: string, body: Buffer | string, headers: Record<string, string>) => {
    const { status } = await persistently(
      {
        method: 'PUT',
        url: `${url}&${query}`,
        headers: { 'x-ms-version': '2024-11-04', ...headers },
        body,
        signal,
      },
      'transfer',
    );
    if (status !== 201 && status !== 200) throw new HttpError(status, 'the cache’s blob store', '');
  };
  return {
    partSize: PART,
    send: (part, index) =>
      send(`comp=block&blockid=${encodeURIComponent(blockId(index))}`, part, {
        'content-type': 'application/octet-stream',
      }),
    finish: async (parts) => {
      const ids = Array.from({ length: parts }, (_, index) => `<Latest>${blockId(index)}</Latest>`).join('');
      const list = `<?xml version="1.0" encoding="utf-8"?><BlockList>${ids}</BlockList>`;
      await send('comp=blocklist', list, {
        'content-type': 'application/xml',
        'x-ms-blob-content-type': 'application/zstd',
      });
      await finalize();
    },
  };
}

// All ids of a blob must have the same length.
const blockId = (index: number) => Buffer.from(`part-${String(index).padStart(8, '0')}`).toString('base64');
