import { connect } from 'node:net';
import type { Duplex } from 'node:stream';

/** A TCP connection from this machine. */
export async function dial(host: string, port: number, signal: AbortSignal): Promise<Duplex> {
  signal.throwIfAborted();
  const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port });
  const give = () => socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', give, { once: true });
  try {
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
  } finally {
    signal.removeEventListener('abort', give);
  }
  return socket;
}
