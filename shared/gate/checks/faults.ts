/** What broke, in plain words, by the code of Node's error. */
const BY_CODE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: the connection was refused.',
  ECONNRESET: 'The connection was broken off.',
  EPIPE: 'The connection was broken off.',
  ENOTFOUND: 'There is no host of that name.',
  EAI_AGAIN: 'The name could not be looked up.',
  ETIMEDOUT: 'No connection was made in time.',
  EHOSTUNREACH: 'There is no way to that host.',
  ENETUNREACH: 'There is no way to that network.',
  EPROTO: 'It does not speak TLS.',
  ERR_SSL_WRONG_VERSION_NUMBER: 'It does not speak TLS.',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'It does not speak TLS.',
  ERR_TLS_CERT_ALTNAME_INVALID: 'Its certificate is for another name.',
  CERT_HAS_EXPIRED: 'Its certificate has expired.',
  DEPTH_ZERO_SELF_SIGNED_CERT:
    'Its certificate is not trusted here; NODE_EXTRA_CA_CERTS names a file with its authority.',
  SELF_SIGNED_CERT_IN_CHAIN:
    'Its certificate is not trusted here; NODE_EXTRA_CA_CERTS names a file with its authority.',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'Its certificate is not trusted here; NODE_EXTRA_CA_CERTS names a file with its authority.',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'Its certificate is not trusted here; NODE_EXTRA_CA_CERTS names a file with its authority.',
  HPE_INVALID_CONSTANT: 'It does not speak HTTP.',
  HPE_INVALID_VERSION: 'It does not speak HTTP.',
  ERR_HTTP2_ERROR: 'It does not speak HTTP/2, which gRPC is made of.',
  ERR_PROXY_TUNNEL: 'The proxy does not let it through.',
};

/** One sentence for a connection that failed, and what Node said of it. */
export function faultOf(error: unknown): { readonly message: string; readonly evidence: string } {
  // An address of two families fails once for each.
  const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
  const { code, message } = first as NodeJS.ErrnoException;
  return { message: BY_CODE[code ?? ''] ?? 'It cannot be reached.', evidence: message || (code ?? '') };
}
