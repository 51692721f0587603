import { Failure } from '../../host/index.ts';

/** What the errors of a connection mean, as an end of "Cannot reach the cluster …:". */
const MEANING: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'its name could not be looked up',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ECONNABORTED: 'the connection broke',
  ETIMEDOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  EPROTO: 'it does not speak TLS',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it wants a client certificate',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_PROXY_TUNNEL: 'the proxy refused the connection',
};

/** The API server could not be reached, or went away in the middle of an answer. */
export class Unreachable extends Failure {}

/** Why calls end that were under way when their cluster was closed. */
export class Closed extends Error {
  override readonly message = 'The cluster was closed.';
}

/** The code of an error of Node's network; empty for others. */
export const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException | undefined)?.code ?? '';

/** The sentence for a fault on the way to an API server that does not pass. */
export function connectionFailure(
  error: unknown,
  { name, server }: { name: string; server: string },
): Unreachable {
  const code = codeOf(error);
  const host = new URL(server).host;
  return new Unreachable(`Cannot reach the cluster "${name}" at ${host}: ${meaning(error, code)}.`, {
    cause: error,
  });
}

function meaning(error: unknown, code: string): string {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = certificateNames(error);
    return `its certificate was made for ${names === '' ? 'another host' : names}; if that is the cluster, name one of these as "tls-server-name" in the kubeconfig`;
  }
  if (/SELF_SIGNED|UNABLE_TO_/.test(code))
    return 'its certificate is signed by an authority that the kubeconfig does not name (certificate-authority-data), so this may be another server';
  const said = error instanceof Error ? error.message : '';
  if (said.startsWith('the proxy ')) return said;
  return MEANING[code] ?? (error instanceof Error ? error.message : String(error));
}

/** The names that a certificate holds, out of Node's error. */
function certificateNames(error: unknown): string {
  const { cert } = error as { cert?: { subjectaltname?: string } };
  return (cert?.subjectaltname ?? '').replaceAll(/(DNS|IP Address):/g, '').slice(0, 200);
}
