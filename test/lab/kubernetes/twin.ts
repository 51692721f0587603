import { join } from 'node:path';
import { run } from '../../../shared/exec/index.ts';
import type { Part } from '../part.ts';
import { find } from '../place.ts';
import { type Registry, registry } from '../registry.ts';
import { once, startDaemon, stopDaemon } from '../session.ts';

/** The session's registry, which the node whose network is given reaches too. */
export async function reachableRegistry(network: string): Promise<Part<Registry>> {
  const own = await registry();
  if (!own.available) return own;
  await once('kubernetes-registry', async () => {
    await startTwin(network, own);
    return true;
  });
  return own;
}

/**
 * Starts a second server over a registry's storage, on the network of the cluster's node and under the address that the first one
 * has on this machine. So one reference is good for a test and for the node, and both speak plain HTTP to it, as with any loopback.
 */
export async function startTwin(
  network: string,
  { host, storage }: Pick<Registry, 'host' | 'storage'>,
): Promise<AsyncDisposable> {
  const running = await startDaemon({
    name: 'registry-twin',
    program: 'nsenter',
    args: [`--net=${network}`, '--', find('registry')!, 'serve', join(storage, 'config.yml')],
    env: { OTEL_TRACES_EXPORTER: 'none' },
    ready: () => isListening(network, Number(host.split(':')[1])),
  });
  return { [Symbol.asyncDispose]: () => stopDaemon(running) };
}

/** Nothing of this machine can call there, so the kernel's list of listening sockets is asked. */
async function isListening(network: string, port: number): Promise<void> {
  const { stdout } = await run({
    program: 'nsenter',
    args: [`--net=${network}`, '--', 'cat', '/proc/net/tcp'],
  });
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
  if (!stdout.toString().includes(address)) throw new Error('it does not listen yet');
}
