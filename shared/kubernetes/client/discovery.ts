import { ApiError, type ApiResource } from '../cluster.ts';
import { groupOf } from '../objects.ts';

/** Asks for a path of the API; `accept` is what may come back. */
export type Ask = <T>(path: string, accept?: string) => Promise<T>;

/** All kinds in two answers (aggregated discovery, from 1.26 on), or the older list of groups, whatever the server knows. */
const AGGREGATED = [
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList',
  'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList',
  'application/json',
].join(',');

interface DiscoveryList {
  readonly kind: 'APIGroupDiscoveryList';
  readonly items?: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly version: string;
      readonly resources?: readonly DiscoveredResource[];
    }[];
  }[];
}

interface DiscoveredResource {
  readonly resource: string;
  readonly responseKind?: { readonly kind?: string };
  readonly scope: 'Namespaced' | 'Cluster';
  readonly verbs?: readonly string[];
  readonly subresources?: readonly { readonly subresource: string }[];
}

interface GroupList {
  readonly kind: 'APIGroupList';
  readonly groups: readonly {
    readonly name: string;
    readonly versions: readonly { readonly version: string }[];
    readonly preferredVersion?: { readonly version: string };
  }[];
}

interface ResourceList {
  readonly resources?: readonly {
    readonly name: string;
    readonly kind: string;
    readonly namespaced: boolean;
    readonly verbs?: readonly string[];
  }[];
}

/** Kinds that a cluster serves: asked once, and once more when one is missed (a CRD may just have been applied). */
export class Discovery {
  readonly #ask: Ask;
  #known: Promise<readonly ApiResource[]> | undefined;

  constructor(ask: Ask) {
    this.#ask = ask;
  }

  async find(apiVersion: string, kind: string): Promise<ApiResource | undefined> {
    const before = this.#known;
    const known = await this.all();
    const found = pick(known, apiVersion, kind);
    if (found !== undefined || before === undefined) return found;
    // Those that miss together ask together.
    if (this.#known === before) this.#known = undefined;
    return pick(await this.all(), apiVersion, kind);
  }

  async all(): Promise<readonly ApiResource[]> {
    this.#known ??= discover(this.#ask);
    const asking = this.#known;
    return await asking.catch((error: unknown) => {
      if (this.#known === asking) this.#known = undefined;
      throw error;
    });
  }
}

const pick = (known: readonly ApiResource[], apiVersion: string, kind: string): ApiResource | undefined => {
  const group = groupOf(apiVersion);
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1);
  return known.find((one) => one.kind === kind && one.group === group && one.version === version);
};

async function discover(ask: Ask): Promise<readonly ApiResource[]> {
  const [core, groups] = await Promise.all([
    ask<DiscoveryList | { kind: 'APIVersions'; versions: readonly string[] }>('/api', AGGREGATED),
    ask<DiscoveryList | GroupList>('/apis', AGGREGATED),
  ]);
  const lists = [
    core.kind === 'APIGroupDiscoveryList'
      ? aggregated(core)
      : listed(ask, [{ name: '', versions: core.versions.map((version) => ({ version })) }]),
    groups.kind === 'APIGroupDiscoveryList' ? aggregated(groups) : listed(ask, groups.groups),
  ];
  return (await Promise.all(lists)).flat();
}

function aggregated({ items = [] }: DiscoveryList): ApiResource[] {
  return items.flatMap(({ metadata, versions = [] }) =>
    versions.flatMap(({ version, resources = [] }) =>
      resources
        // A resource that has no kind of its own serves subresources only.
        .filter((one) => one.responseKind?.kind)
        .map((one) => ({
          group: metadata?.name ?? '',
          version,
          kind: one.responseKind!.kind!,
          plural: one.resource,
          namespaced: one.scope === 'Namespaced',
          verbs: one.verbs ?? [],
          subresources: (one.subresources ?? []).map(({ subresource }) => subresource),
        })),
    ),
  );
}

async function listed(ask: Ask, groups: GroupList['groups']): Promise<ApiResource[]> {
  const versions = groups.flatMap(({ name, versions: served, preferredVersion }) => {
    const preferred = served.filter(({ version }) => version === preferredVersion?.version);
    return [...preferred, ...served.filter((one) => !preferred.includes(one))].map(({ version }) => ({
      group: name,
      version,
    }));
  });
  const lists = versions.map(async (one) => {
    const path = one.group === '' ? `/api/${one.version}` : `/apis/${one.group}/${one.version}`;
    try {
      return resourcesOf(await ask<ResourceList>(path), one);
    } catch (error) {
      // A group served by an extension that is down is missing; the others are there all the same.
      if (error instanceof ApiError && (error.status === 404 || error.status >= 500)) return [];
      throw error;
    }
  });
  return (await Promise.all(lists)).flat();
}

function resourcesOf(
  { resources = [] }: ResourceList,
  at: { group: string; version: string },
): ApiResource[] {
  return resources
    .filter(({ name }) => !name.includes('/'))
    .map(({ name, kind, namespaced, verbs = [] }) => ({
      ...at,
      kind,
      plural: name,
      namespaced,
      verbs,
      subresources: resources
        .filter((sub) => sub.name.startsWith(`${name}/`))
        .map((sub) => sub.name.slice(name.length + 1)),
    }));
}
