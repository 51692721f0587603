import { Failure } from '../host/index.ts';
import { ContentError, type HttpResponse } from './http.ts';
import { Passing, retryAfter } from './retry.ts';

/** What was being done, as it completes "Cannot …": `push shop/app`, `pull library/alpine:3`. */
export interface Deed {
  readonly registry: string;
  readonly what: string;
}

const NETWORK: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'its name could not be looked up',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ECONNABORTED: 'the connection broke',
  HPE_INVALID_CONSTANT: 'what answers does not speak HTTP',
  HPE_INVALID_HEADER_TOKEN: 'what answers does not speak HTTP',
  ETIMEDOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no route to it',
  ENETUNREACH: 'there is no route to it',
  EPROTO: 'it does not speak TLS; name it in "insecure-registries" if that is meant',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS; name it in "insecure-registries" if that is meant',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'it does not speak TLS; name it in "insecure-registries" if that is meant',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate was made for another host',
  ERR_PROXY_TUNNEL: 'the proxy refused the connection',
};

const UNTRUSTED =
  'its certificate is signed by no authority that this machine trusts; add yours to NODE_EXTRA_CA_CERTS';
/** Faults that another attempt does not mend. */
const LASTING = /^(ENOTFOUND|ECONNREFUSED|CERT_|ERR_TLS|ERR_SSL|EPROTO|HPE_|.*SELF_SIGNED|UNABLE_TO_)/;

/**
 * What an error of the network means: Passing when another attempt may help, else a Failure. Errors of the content that was sent,
 * Failures, and whatever is no network error come back as they are.
 */
export function networkFault(error: unknown, deed: Deed, signal: AbortSignal | undefined): unknown {
  if (error instanceof ContentError) return error.cause;
  if (error instanceof Failure || error instanceof Passing) return error;
  if (signal?.aborted) return cancelled(deed, signal);
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const sentence = NETWORK[code] ?? (/SELF_SIGNED|UNABLE_TO_/.test(code) ? UNTRUSTED : undefined);
  const unknown = code.startsWith('HPE_')
    ? NETWORK.HPE_INVALID_CONSTANT
    : code.startsWith('ERR_SSL')
      ? NETWORK.EPROTO
      : undefined;
  const why = sentence ?? unknown;
  if (why === undefined) return error;
  const failure = new Failure(`Cannot ${deed.what}: the registry ${deed.registry} was not reached, ${why}.`, {
    cause: error,
  });
  return LASTING.test(code) ? failure : new Passing(failure);
}

export function cancelled(deed: Deed, signal: AbortSignal): Failure {
  return new Failure(`Cancelled: stopped before it could ${deed.what}.`, { cause: signal.reason });
}

/** The errors in an answer's body (distribution-spec, "Error Codes"), as one line. */
export async function errorText(response: HttpResponse): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  try {
    for await (const part of response.body()) {
      parts.push(part);
      size += part.length;
      if (size > 16_384) break;
    }
  } catch {
    // What came is all there is to tell.
  }
  return lineOf(Buffer.concat(parts).toString('utf8'));
}

function lineOf(text: string): string {
  const short = (line: string) => line.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
  try {
    const { errors, details, error } = JSON.parse(text) as Record<string, unknown>;
    if (Array.isArray(errors)) return short(errors.map(oneError).filter(Boolean).join('; '));
    return typeof details === 'string' ? short(details) : typeof error === 'string' ? short(error) : '';
  } catch {
    return /^\s*</.test(text) ? '' : short(text);
  }
}

function oneError(error: unknown): string {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  return [code, message].filter((part) => typeof part === 'string' && part !== '').join(', ');
}

const MEANING: Readonly<Record<number, string>> = {
  400: 'it takes the request for malformed',
  401: 'it wants another login',
  403: 'it denies this to the login that was used',
  404: 'it has no such thing',
  405: 'it does not support this',
  413: 'it, or a proxy before it, refuses a body of this size',
  416: 'it does not accept this range of bytes',
  429: 'it gets too many requests from here',
  500: 'it has an error of its own',
  502: 'the server behind it does not answer',
  503: 'it is not available at present',
  504: 'the server behind it does not answer in time',
  507: 'its disk is full',
};

/** What a status means that was not wanted: Passing when it may pass (RFC 9110: 408, 429, 5xx), else a Failure. */
export function statusFault(response: HttpResponse, text: string, deed: Deed, hint = ''): Failure | Passing {
  const { status } = response;
  const after = retryAfter(response.headers['retry-after']);
  const asks = after === undefined ? '' : `, and asks to wait ${Math.ceil(after / 1000)} s`;
  const meaning = `${MEANING[status] ?? 'an answer that was not expected'}${asks}`;
  const said = text === '' ? '' : ` (${text})`;
  const failure = new Failure(
    `Cannot ${deed.what}: the registry ${deed.registry} answered ${status}, ${meaning}${said}.${hint}`,
  );
  const passes = status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 507);
  return passes ? new Passing(failure, after) : failure;
}
