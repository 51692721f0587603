/** How much a request may be repeated without changing more than once what it changes. */
export type Repeatable =
  /** It changes nothing, or the same again: reads, dry runs, server-side apply, removal. */
  | 'always'
  /** It may be made again only when the server has surely not acted on it. */
  | 'untaken';

/** How an attempt ended without success. */
export type Ending =
  | {
      readonly kind: 'answer';
      readonly status: number;
      /** Of the Status; empty where there is none. */
      readonly reason: string;
      readonly retryAfter: number | undefined;
    }
  /** No connection came about: nothing was sent. */
  | { readonly kind: 'unreached'; readonly code: string }
  /** The connection ended before the answer did. */
  | { readonly kind: 'broken'; readonly code: string };

/**
 * Milliseconds for which a call is repeated. A control plane of one machine that restarts is back within the first; a server that has
 * never answered is more likely at another address, and whoever wrote that should hear it soon.
 */
export const MOST_WAITING = { known: 60_000, unknown: 10_000 };
/** Attempts after which an error of the server's own, such as a webhook that fails, is taken as lasting. */
const INTERNAL_ATTEMPTS = 4;
const FIRST = 250;
const LONGEST = 8_000;

const PASSING = new Set([502, 503, 504]);

/** Faults of the way to a server that another attempt does not mend. */
const LASTING =
  /^(ENOTFOUND|CERT_|ERR_TLS|ERR_SSL|ERR_OSSL|ERR_CRYPTO|EPROTO|HPE_|ERR_INVALID|ERR_PROXY_LOGIN|.*SELF_SIGNED|UNABLE_TO_|HOSTNAME_)/;

/**
 * Milliseconds to wait before the next attempt; undefined where none is to be made. `attempt` counts from 0, `elapsed` are milliseconds
 * since the call began. 429 means that the server did not begin (priority and fairness); so does 503 where it asks to come back.
 */
export function waitBefore(
  ending: Ending,
  repeatable: Repeatable,
  { attempt, elapsed, most, random }: { attempt: number; elapsed: number; most: number; random: number },
): number | undefined {
  if (!mayRepeat(ending, repeatable)) return undefined;
  if (ending.kind === 'answer' && ending.status === 500 && attempt + 1 >= INTERNAL_ATTEMPTS) return undefined;
  const grown = Math.min(FIRST * 2 ** attempt, LONGEST) * (0.5 + random / 2);
  const asked = ending.kind === 'answer' ? ending.retryAfter : undefined;
  // Not all who were refused at once may come back at once.
  const pause = asked === undefined ? grown : asked + random * Math.min(asked / 2, 1000);
  return elapsed + pause > most ? undefined : pause;
}

function mayRepeat(ending: Ending, repeatable: Repeatable): boolean {
  switch (ending.kind) {
    case 'unreached':
      return !LASTING.test(ending.code);
    case 'broken':
      return repeatable === 'always' && !LASTING.test(ending.code);
    case 'answer': {
      const { status, reason, retryAfter } = ending;
      if (status === 429) return true;
      if (status === 503 && retryAfter !== undefined) return true;
      // 500 without a reason is the server's answer to what it cannot make sense of, such as a field that no schema has.
      return (
        repeatable === 'always' && (PASSING.has(status) || (status === 500 && reason === 'InternalError'))
      );
    }
  }
}

/** Milliseconds of a Retry-After header: seconds or a date (RFC 9110, 10.2.3). */
export function retryAfter(header: string | undefined, now: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
