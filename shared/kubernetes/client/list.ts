import { ApiError } from '../cluster.ts';
import type { KubeObject } from '../objects.ts';

/** Objects of one answer: few enough that a page never times out, many enough that 500 objects are one request. */
const PAGE = 500;

export interface ObjectList {
  readonly items: readonly KubeObject[];
  /** The state of the cluster that all items were read at, from which a watch goes on. */
  readonly resourceVersion: string;
}

interface Page {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: { readonly continue?: string; readonly resourceVersion?: string };
  readonly items?: readonly KubeObject[] | null;
}

/** Gets one page; the parameters are `limit` and `continue`. */
export type GetPage = (parameters: { limit: number; continue?: string | undefined }) => Promise<Page>;

/**
 * All pages, of one state of the cluster. Where the server has forgotten that state in the middle (410 Expired) it is read again
 * from the start, and at last in one answer.
 */
export async function listAll(
  getPage: GetPage,
  { apiVersion, kind }: { apiVersion: string; kind: string },
): Promise<ObjectList> {
  const type = (item: KubeObject): KubeObject => ({ ...item, apiVersion, kind });
  for (let attempt = 0; ; attempt++) {
    try {
      const list = await pages(getPage, attempt < 2 ? PAGE : 0);
      return { ...list, items: list.items.map(type) };
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 410) || attempt === 2) throw error;
    }
  }
}

async function pages(getPage: GetPage, limit: number): Promise<ObjectList> {
  const items: KubeObject[] = [];
  let next: string | undefined;
  for (;;) {
    const page: Page = await getPage({ limit, continue: next });
    items.push(...(page.items ?? []));
    next = page.metadata?.continue || undefined;
    if (next === undefined) return { items, resourceVersion: page.metadata?.resourceVersion ?? '' };
  }
}
