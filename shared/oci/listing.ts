import type { Digest } from '../content/index.ts';
import { Failure } from '../host/index.ts';
import type { HttpResponse } from './http.ts';
import { type Ask, type Registry, smallBody } from './registry.ts';
import type { Deed } from './registry-failure.ts';
import { type Descriptor, MediaType } from './types.ts';

/** Bytes that one page of a list may have. */
const LARGEST_PAGE = 16 * 2 ** 20;

type Listing = Omit<Ask, 'to' | 'accept'>;

/** All tags of a repository over all pages (distribution-spec, "Listing Tags"); none for one that does not exist. */
export async function listTags(registry: Registry, ask: Listing): Promise<string[]> {
  return (
    (await listPages<string>(registry, ask, `/v2/${ask.repository.repository}/tags/list?n=1000`, 'tags')) ??
    []
  );
}

/** What the referrers API lists (distribution-spec, "Listing Referrers"); undefined when the registry has no such API. */
export async function listReferrers(
  registry: Registry,
  ask: Listing,
  digest: Digest,
  artifactType: string | undefined,
): Promise<Descriptor[] | undefined> {
  const filter = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  const first = `/v2/${ask.repository.repository}/referrers/${digest}${filter}`;
  return await listPages<Descriptor>(
    registry,
    { ...ask, headers: { accept: MediaType.ociIndex } },
    first,
    'manifests',
  );
}

async function listPages<T>(
  registry: Registry,
  ask: Listing,
  first: string,
  name: string,
): Promise<T[] | undefined> {
  const found: T[] = [];
  for (let next: string | URL | undefined = first; next !== undefined; ) {
    const { response, bytes } = await page(registry, { ...ask, to: next, accept: [200, 404] });
    if (response.status === 404) return undefined;
    found.push(...listOf<T>(bytes, name, ask.deed));
    next = nextPage(response, registry);
  }
  return found;
}

async function page(registry: Registry, ask: Ask): Promise<{ response: HttpResponse; bytes: Buffer }> {
  return await registry.repeat(ask.deed, ask.signal, async () => {
    const response = await registry.askOnce(ask);
    return { response, bytes: await smallBody(response, LARGEST_PAGE, ask) };
  });
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

/** The address of the next page (RFC 8288). */
function nextPage(response: HttpResponse, registry: Registry): URL | undefined {
  const link = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers.link ?? ''));
  return link === null ? undefined : registry.resolve(link[1]!, response.url);
}
