import type { Cluster, ClusterOptions } from '../cluster.ts';
import type { Way } from './call.ts';
import { Closed } from './connection-fault.ts';
import { credentialsOf } from './credentials.ts';
import { Discovery } from './discovery.ts';
import { findEntrance } from './entrance.ts';
import { clusterOf } from './requests.ts';
import { getJson } from './served.ts';
import { Transport } from './transport.ts';
import { WATCH_LIFE } from './watch.ts';

/**
 * Finds and enters a cluster. Reads the configuration alone and asks the cluster nothing: the first call tells whether it can be
 * reached. Throws Failure where the configuration names no way in.
 */
export async function openCluster(
  options: ClusterOptions,
  { watchLife = WATCH_LIFE }: { readonly watchLife?: number } = {},
): Promise<Cluster> {
  const entrance = await findEntrance(options);
  const { env, secret } = options;
  const closed = new AbortController();
  const signal = AbortSignal.any([options.signal, closed.signal]);
  maskProxy(entrance.cluster.proxyUrl, secret);
  const transport = new Transport(entrance, { env, userAgent: 'slipway' });
  const way: Way = {
    name: entrance.name,
    server: entrance.cluster.server,
    transport,
    credentials: credentialsOf(entrance, { env, signal, secret, now: Date.now }),
    onWarning: once(options.onWarning ?? (() => {})),
  };
  const discovery = new Discovery((path, accept) => getJson({ way, signal }, path, { accept }));
  const defaultNamespace = entrance.namespace;
  return clusterOf({ way, signal, defaultNamespace, discovery, watchLife }, () => {
    // Connections to pods and watches that were left open would keep the process.
    closed.abort(new Closed());
    transport.close();
  });
}

/** The server repeats its warnings with every request that gives cause for them. */
function once(tell: (text: string) => void): (text: string) => void {
  const told = new Set<string>();
  return (text) => {
    if (told.has(text)) return;
    told.add(text);
    tell(text);
  };
}

function maskProxy(url: string | undefined, secret: (value: string) => void): void {
  const password = url === undefined ? '' : new URL(url).password;
  for (const one of new Set([password, decodeURIComponent(password)])) if (one !== '') secret(one);
}
