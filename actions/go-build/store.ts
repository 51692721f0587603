import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { actionsStore, directoryStore, type Store } from '../../shared/cache/index.ts';
import { Failure, type Host } from '../../shared/host/index.ts';
import type { GoBuildInputs } from './request.ts';

type StoreInputs = Pick<GoBuildInputs, 'cache' | 'cache-directory' | 'cache-limit'>;
type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The store that the inputs ask for; undefined for none. In a terminal there is none by default: Go's own caches are there from the
 * last time, and they serve as they are.
 */
export function openStore(
  host: Host,
  inputs: StoreInputs,
  env: Environment = process.env,
): Store | undefined {
  const { cache } = inputs;
  if (cache === 'off') return undefined;
  if (cache === 'directory' || (cache === 'auto' && inputs['cache-directory'] !== ''))
    return directoryStore(storeFolder(host, inputs, env), {
      limit: inputs['cache-limit'] ?? Number.POSITIVE_INFINITY,
    });
  const store = actionsStore(env);
  if (cache === 'actions' && store === undefined)
    throw new Failure(
      'Input "cache" is actions, but this process has no access to a GitHub Actions cache; use directory, or auto to go on without.',
    );
  return host.kind === 'github' || cache === 'actions' ? store : undefined;
}

function storeFolder(host: Host, inputs: StoreInputs, env: Environment): string {
  if (inputs['cache-directory'] !== '') return resolve(host.workspace, inputs['cache-directory']);
  return join(env.XDG_CACHE_HOME || join(env.HOME ?? homedir(), '.cache'), 'slipway', 'store');
}
