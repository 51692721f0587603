import type { CacheService } from './actions-store.ts';
import { HttpError, persistently } from './http.ts';

const PART = 8 * 2 ** 20;

/** Cache service v1 (`_apis/artifactcache`): GitHub Enterprise Server, and runners such as act that have their own server. */
export function serviceV1(cacheUrl: string, token: string): CacheService {
  const base = new URL('_apis/artifactcache/', cacheUrl.endsWith('/') ? cacheUrl : `${cacheUrl}/`);
  const headers = {
    authorization: `Bearer ${token}`,
    accept: 'application/json;api-version=6.0-preview.1',
    'content-type': 'application/json',
  };
  const post = async (path: string, message: unknown, signal: AbortSignal | undefined) => {
    const body = JSON.stringify(message);
    const answer = await persistently({
      method: 'POST',
      url: new URL(path, base).href,
      headers,
      body,
      signal,
    });
    if (answer.status >= 400 && answer.status !== 409)
      throw new HttpError(answer.status, 'the cache service', '');
    return answer;
  };
  return {
    lookUp: async ({ key, prefixes }, version, signal) => {
      const keys = [key, ...prefixes].map(encodeURIComponent).join(',');
      const url = new URL(`cache?keys=${keys}&version=${version}`, base).href;
      const answer = await persistently({ method: 'GET', url, headers, signal });
      if (answer.status === 204 || answer.status === 404) return undefined;
      if (answer.status !== 200) throw new HttpError(answer.status, 'the cache service', '');
      const found = JSON.parse(answer.body.toString()) as { cacheKey?: string; archiveLocation?: string };
      if (found.archiveLocation === undefined) return undefined;
      return { key: found.cacheKey ?? '', url: found.archiveLocation };
    },
    reserve: async (key, version, size, signal) => {
      const answer = await post('caches', { key, version, cacheSize: size }, signal);
      if (answer.status === 409) return undefined;
      const { cacheId } = JSON.parse(answer.body.toString()) as { cacheId: number };
      return {
        partSize: PART,
        send: async (part, _index, start) => {
          const range = `bytes ${start}-${start + part.length - 1}/*`;
          const { status } = await persistently(
            {
              method: 'PATCH',
              url: new URL(`caches/${cacheId}`, base).href,
              headers: { ...headers, 'content-type': 'application/octet-stream', 'content-range': range },
              body: part,
              signal,
            },
            'transfer',
          );
          if (status >= 400) throw new HttpError(status, 'the cache service', '');
        },
        finish: async () => {
          await post(`caches/${cacheId}`, { size }, signal);
        },
      };
    },
  };
}
