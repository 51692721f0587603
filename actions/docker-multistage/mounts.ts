import { join } from 'node:path';
import { actionsStore, directoryStore, type Store } from '../../shared/cache/index.ts';
import { Failure, type Host } from '../../shared/host/index.ts';
import {
  type BuilderSettings,
  type Delivery,
  type ImageRequest,
  type MountSeeds,
  openMountSeeds,
  registryCarrier,
  type SeedCarrier,
  storeCarrier,
} from '../../shared/image/index.ts';
import { type RegistryClient, registrySource, registryTarget } from '../../shared/oci/index.ts';
import { type StoreChoice, shown } from './stores.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The inputs that say how cache mounts are carried. */
export interface MountInputs {
  readonly 'cache-mounts': boolean;
  readonly 'cache-mount-limit': string;
  readonly 'go-cache': boolean;
  readonly 'no-cache': boolean;
}

/** What they ask for, read once. */
export interface MountChoice {
  readonly carried: boolean;
  /** Bytes. */
  readonly limit: number;
  readonly goCache: boolean;
  /** Nothing of earlier runs is used. */
  readonly fresh: boolean;
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
  ki: 2 ** 10,
  mi: 2 ** 20,
  gi: 2 ** 30,
  ti: 2 ** 40,
};

/** Reads the inputs of cache mounts; a wrong one is a Failure. */
export function readMounts(inputs: MountInputs): MountChoice {
  const text = inputs['cache-mount-limit'];
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]i?|)b?$/i.exec(text.trim());
  if (match === null || Number(match[1]) === 0)
    throw new Failure(
      `Input "cache-mount-limit" is "${text}"; accepted is a size such as 500MB or 2GB.${hint(text)}`,
    );
  const limit = Number(match[1]) * UNITS[match[2]!.toLowerCase()]!;
  return { carried: inputs['cache-mounts'], limit, goCache: inputs['go-cache'], fresh: inputs['no-cache'] };
}

function hint(text: string): string {
  if (/^\s*0/.test(text)) return ' To keep no cache mounts, set cache-mounts: false.';
  const number = /\d+(?:[.,]\d+)?/.exec(text)?.[0].replace(',', '.');
  return number === undefined ? '' : ` Did you mean "${number}GB"?`;
}

/** Bytes that seeds of cache mounts may take in a folder. */
const FOLDER_LIMIT = 20e9;

/** What opening needs to know of the run. */
export interface MountsOf {
  readonly host: Host;
  readonly request: ImageRequest;
  readonly deliveries: readonly Delivery[];
  readonly client: RegistryClient;
  readonly builder: BuilderSettings;
}

/**
 * Carries cache mounts between runs where the input `store` says. On the user's own machine they are carried only to a store that was
 * named: its engine keeps them by itself. A run of a Git tag starts from none, as it takes no results.
 */
export function openMounts(
  { carried, limit, goCache, fresh }: MountChoice,
  choice: StoreChoice,
  { host, request, deliveries, client, builder }: MountsOf,
  env: Environment = process.env,
): MountSeeds | undefined {
  if (!carried && !goCache) return undefined;
  const { temporary, run } = host;
  const { branch, baseBranch, defaultBranch, repository } = run;
  const { dockerfile, target, workspace } = request;
  const carrier = carried && run.tag === undefined ? carrierOf() : undefined;
  if (carrier === undefined && !goCache) return undefined;
  const subject = [repository ?? '', shown(workspace, dockerfile), target ?? ''];
  return openMountSeeds({
    carrier,
    run: { subject, branch, baseBranch, defaultBranch },
    builder,
    limit,
    goCache,
    fresh,
    now: () => Math.floor(Date.now() / 1000),
    report: (level, message, line) =>
      host.annotate({
        level,
        title: 'Cache mount not kept',
        message,
        location: { file: shown(workspace, dockerfile), line },
      }),
  });

  function carrierOf(): SeedCarrier | undefined {
    const inStore = (store: Store) => storeCarrier(store, { temporary, builder });
    switch (choice.kind) {
      case 'none':
        return undefined;
      case 'registry': {
        const place = choice.repository;
        return registryCarrier({
          repository: place,
          source: registrySource(client, place),
          target: registryTarget(client, place),
        });
      }
      case 'folder':
        return inStore(directoryStore(join(choice.path, 'mounts'), { limit: FOLDER_LIMIT }));
      case 'actions':
      case 'auto': {
        if (host.kind === 'terminal' && choice.kind === 'auto') return undefined;
        const pushed = deliveries.find((delivery) => delivery.kind === 'registry');
        const place = pushed?.kind === 'registry' ? pushed.source.repository : undefined;
        if (choice.kind === 'auto' && pushed?.kind === 'registry' && place !== undefined)
          return registryCarrier({ repository: place, source: pushed.source, target: pushed.target });
        const store = actionsStore(env);
        return store === undefined ? undefined : inStore(store);
      }
    }
  }
}
