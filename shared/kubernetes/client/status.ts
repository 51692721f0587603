import { ApiError } from '../cluster.ts';

/** What the API answers in place of an object (API conventions, "Response Status Kind"). */
interface Status {
  readonly kind?: string;
  readonly message?: string;
  readonly reason?: string;
  readonly code?: number;
  readonly details?: { readonly causes?: ApiError['causes']; readonly retryAfterSeconds?: number };
}

/** Meanings of answers that are no Status: they come from a proxy or a load balancer in front of the API server. */
const MEANING: Readonly<Record<number, string>> = {
  401: 'the credentials are missing, wrong or expired',
  403: 'these credentials may not do this',
  404: 'there is nothing at this address; is it the address of an API server?',
  413: 'the object is larger than what the server, or a proxy before it, accepts',
  429: 'too many requests',
  502: 'the API server behind it does not answer',
  503: 'the API server is not available at present',
  504: 'the API server did not answer in time',
};

/** The error in an answer, from its body where that is a Status. `call` says what was asked, for messages. */
export function errorOf(status: number, body: string, call: string, retryAfter?: number): ApiError {
  const said = parseStatus(body);
  if (said !== undefined) return errorOfStatus({ code: status, ...said }, call, retryAfter);
  const text = /^\s*</.test(body) ? '' : body.replaceAll(/\s+/g, ' ').trim().slice(0, 300);
  const message = [MEANING[status] ?? `an answer that was not expected (${status})`, text];
  return new ApiError({
    status,
    reason: '',
    message: message.filter((part) => part !== '').join(': '),
    causes: [],
    call,
    retryAfter,
  });
}

/** The error in a Status that came as an object, as in a watch. */
export const errorOfStatus = (status: Status, call: string, retryAfter?: number): ApiError =>
  new ApiError({
    status: status.code ?? 500,
    reason: status.reason ?? '',
    message: status.message ?? status.reason ?? MEANING[status.code ?? 500] ?? 'an error without a message',
    causes: status.details?.causes ?? [],
    call,
    retryAfter: retryAfter ?? secondsOf(status.details?.retryAfterSeconds),
  });

const secondsOf = (seconds: number | undefined): number | undefined => (seconds ? seconds * 1000 : undefined);

function parseStatus(body: string): Status | undefined {
  try {
    const value = JSON.parse(body) as Status | null;
    return value?.kind === 'Status' ? value : undefined;
  } catch {
    return undefined;
  }
}
