import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect, getCACertificates } from 'node:tls';

export interface TlsSettings {
  readonly host: string;
  /** Whether the certificate has to be one for the host that this machine trusts. Probes of the kubelet never ask for that. */
  readonly verify: boolean;
  readonly protocols: readonly string[];
  readonly signal: AbortSignal;
}

/** Node's own authorities, those of NODE_EXTRA_CA_CERTS, and those of the machine, as curl there takes them. */
export const authorities = (): string[] => [
  ...new Set([...getCACertificates('default'), ...getCACertificates('system')]),
];

/** TLS over a connection. */
export async function secure(connection: Duplex, settings: TlsSettings): Promise<Duplex> {
  const { host, verify, protocols, signal } = settings;
  signal.throwIfAborted();
  const socket = connect({
    socket: connection,
    rejectUnauthorized: verify,
    ALPNProtocols: [...protocols],
    ...(verify && { ca: authorities() }),
    ...(isIP(host) === 0 && { servername: host }),
  });
  // What never answers never fails by itself.
  const give = () => socket.destroy(signal.reason as Error);
  signal.addEventListener('abort', give, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve).once('error', reject);
      socket.once('close', () => reject(new Error('The connection was closed before TLS was agreed on.')));
    });
  } finally {
    signal.removeEventListener('abort', give);
  }
  return socket;
}
