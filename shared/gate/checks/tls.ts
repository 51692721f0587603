import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect } from 'node:tls';

export interface TlsSettings {
  readonly host: string;
  /** Whether the certificate has to be one for the host that this machine trusts. Probes of the kubelet never ask for that. */
  readonly verify: boolean;
  readonly protocols: readonly string[];
}

/** TLS over a connection. */
export async function secure(connection: Duplex, settings: TlsSettings): Promise<Duplex> {
  const { host, verify, protocols } = settings;
  const socket = connect({
    socket: connection,
    rejectUnauthorized: verify,
    ALPNProtocols: [...protocols],
    ...(isIP(host) === 0 && { servername: host }),
  });
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  return socket;
}
